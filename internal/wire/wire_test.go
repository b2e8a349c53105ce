package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
)

// testCase is one service and how its client is asked to read and write tags.
type testCase struct {
	client string // botocore's name
	arn    string // with {partition}, {region} and {account}
	read   func(context.Context, aws.Config, resource) error
	write  func(context.Context, aws.Config, resource) error
}

// resource is what a call may name it by.
type resource struct{ arn, id, account, url string }

const account = "111122223333"

// tags are what is written: two, so that their order shows, with everything in
// them that an encoder might escape.
func tags() map[string]string {
	return map[string]string{"creator": "älice+b c@example.com/~*'()", "cost center": `<"12" & 34>`}
}

// pairs are the tags as an SDK client takes them where they are a list.
func pairs[T any](pair func(key, value string) T) []T {
	var all []T
	for _, k := range slices.Sorted(maps.Keys(tags())) {
		all = append(all, pair(k, tags()[k]))
	}
	return all
}

func ptr(s string) *string { return &s }

// sent is a request as it went out.
type sent struct {
	method, url string
	header      http.Header
	body        []byte
	scope       string // region/service that it is signed for
}

// recorder answers every request with nothing and keeps it.
type recorder struct {
	mu  sync.Mutex
	all []sent
}

func (rec *recorder) Do(r *http.Request) (*http.Response, error) {
	s := sent{method: r.Method, url: r.URL.String(), header: r.Header.Clone()}
	if r.Body != nil {
		var err error
		if s.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	if parts := strings.Split(r.Header.Get("Authorization"), "/"); len(parts) > 4 {
		s.scope = parts[2] + "/" + parts[3]
	}
	rec.mu.Lock()
	rec.all = append(rec.all, s)
	rec.mu.Unlock()
	answer := "{}"
	switch contentType := r.Header.Get("Content-Type"); {
	case contentType == "application/cbor":
		answer = "\xa0"
	case strings.Contains(contentType, "form"), strings.Contains(contentType, "xml"), strings.Contains(r.URL.Path, "/2013-04-01/"), strings.Contains(r.URL.Path, "/2020-05-31/"), strings.Contains(r.URL.RawQuery, "tagging"):
		answer = "<R/>"
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}},
		Body: io.NopCloser(strings.NewReader(answer)), Request: r,
	}, nil
}

func config(region string, rec *recorder) aws.Config {
	return aws.Config{
		// DynamoDB's clients else go to a host of the account's, which a VPC's
		// endpoint may not have: we stay with the region's.
		AccountIDEndpointMode: aws.AccountIDEndpointModeDisabled,
		Region:                region, HTTPClient: rec, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET", SessionToken: "TOKEN"}, nil
		}),
	}
}

// unlike are the headers that may differ: they name the attempt, the moment, the
// client's version, repeat the body's length, or ask for an answer that isn't
// packed (DynamoDB's client checks a sum of it).
var unlike = []string{
	"Accept-Encoding",
	"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Authorization", "Content-Length", "User-Agent", "X-Amz-Date", "X-Amz-User-Agent",
}

// speaksCBOR are the services whose SDK client speaks CBOR, while the catalogue
// has the JSON that the model offers too: emulators and people read that. Where
// they go and what they are signed for is compared all the same.
var speaksCBOR = []string{"cloudwatch"}

// irregular are the services whose calls stand in code, not in the catalogue.
var irregular = []string{"cloudfront", "elbv2", "iam", "kinesisvideo", "kms", "route53", "s3control", "sqs", "ssm"}

// regions are one of each partition that can be reached, and two of aws.
var regions = map[string][]string{
	"aws": {"us-east-1", "eu-west-1"}, "aws-cn": {"cn-north-1"}, "aws-us-gov": {"us-gov-west-1"}, "aws-iso": {"us-iso-east-1"},
}

// TestRequests sends the same calls through the SDK's clients and through the
// Applier with the catalogue's data, and compares them byte for byte.
func TestRequests(t *testing.T) {
	t.Parallel()
	calls := catalogued(t)
	compared := map[string]bool{}
	for _, c := range cases() {
		if (calls[c.client] == nil) != slices.Contains(irregular, c.client) {
			t.Errorf("the catalogue has calls of %s: %t", c.client, calls[c.client] != nil)
		}
		for partition, names := range regions {
			for _, region := range names {
				r := at(c.arn, partition, region)
				theirs, ours := &recorder{}, &recorder{}
				// Answers are empty, so that a client may find fault with one: what
				// it sent is there all the same.
				if c.read != nil {
					_ = c.read(t.Context(), config(region, theirs), r)
				}
				_ = c.write(t.Context(), config(region, theirs), r)
				result := apply.New(config(region, ours), apply.Options{}).Tag(t.Context(), []apply.Request{{
					ARN: r.arn, API: "own", Calls: calls[c.client], Account: account, Region: region, Tags: tags(),
				}})[0]
				if result.Outcome != apply.Tagged {
					t.Errorf("%s: tagging %s: %+v", c.client, r.arn, result)
					continue
				}
				if c.read == nil {
					ours.all = ours.all[1:]
				}
				if len(theirs.all) != len(ours.all) {
					t.Errorf("%s: the SDK sends %d requests, we %d", c.client, len(theirs.all), len(ours.all))
					continue
				}
				for i := range theirs.all {
					for _, d := range differences(theirs.all[i], ours.all[i], slices.Contains(speaksCBOR, c.client)) {
						t.Errorf("%s in %s: %s", c.client, region, d)
					}
				}
				compared[c.client] = true
			}
		}
	}
	if len(compared) < 40 {
		t.Errorf("%d services were compared; want 40", len(compared))
	}
	t.Logf("%d services were compared", len(compared))
}

// catalogued are the catalogue's tag calls, by botocore's name of the client.
func catalogued(t *testing.T) map[string]*catalogue.Calls {
	t.Helper()
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]*catalogue.Calls{}
	for _, r := range rows {
		for _, res := range r.Resources {
			if res.Calls != nil {
				calls[res.Calls.Name] = res.Calls
			}
		}
	}
	return calls
}

// at is the case's resource in a region.
func at(arn, partition, region string) resource {
	arn = strings.NewReplacer("{partition}", partition, "{region}", region, "{account}", account).Replace(arn)
	r := resource{arn: arn, id: arn[strings.LastIndexAny(arn, ":/")+1:], account: account}
	suffix, _ := catalogue.Suffixes(partition)
	r.url = fmt.Sprintf("https://sqs.%s.%s/%s/%s", region, suffix, account, r.id)
	return r
}

// differences are what isn't the same in two requests.
func differences(theirs, ours sent, otherProtocol bool) []string {
	var all []string
	differ := func(what string, a, b any) {
		all = append(all, fmt.Sprintf("%s differs:\nthe SDK's %v\nours      %v", what, a, b))
	}
	if theirs.scope != ours.scope {
		differ("the scope of the signature", theirs.scope, ours.scope)
	}
	if a, b := host(theirs.url), host(ours.url); a != b {
		differ("the host", a, b)
	}
	if otherProtocol {
		return all
	}
	if theirs.method != ours.method || theirs.url != ours.url {
		differ("where it goes", theirs.method+" "+theirs.url, ours.method+" "+ours.url)
	}
	equal := bytes.Equal(theirs.body, ours.body)
	for name := range theirs.header {
		if !equal && (name == "X-Amz-Content-Sha256" || name == "X-Amz-Sha256-Tree-Hash") {
			continue // of a body with the same keys in another order
		}
		if a, b := theirs.header[name], ours.header[name]; !slices.Contains(unlike, name) && !slices.Equal(a, b) {
			differ("the header "+name, a, b)
		}
	}
	for name := range ours.header {
		if theirs.header[name] == nil && !slices.Contains(unlike, name) {
			differ("the header "+name, "has none", ours.header[name])
		}
	}
	if !equal && !same(theirs.body, ours.body) {
		differ("the body", string(theirs.body), string(ours.body))
	}
	return all
}

func host(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.Host
}

// same reports whether two bodies are JSON with the same keys and values, in
// whatever order: the SDK writes a map's keys in no certain one.
func same(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
