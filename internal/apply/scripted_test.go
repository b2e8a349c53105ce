package apply_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
)

// asked is a request as a scripted endpoint sees it.
type asked struct {
	Service, Op, Region string
	Method, Path        string
	Form                url.Values // query protocol
	JSON                map[string]any
	Body                string
}

// arns are the resources of a Resource Groups Tagging API call.
func (a asked) arns() []string {
	var out []string
	list, _ := a.JSON["ResourceARNList"].([]any)
	for _, v := range list {
		out = append(out, v.(string))
	}
	return out
}

// answer is what it gives back: a JSON value, or a string as it is.
type answer struct {
	Status int
	Body   any
	Header map[string]string
}

var ok = answer{Status: 200, Body: map[string]any{}}

// refuse is an error answer in the JSON protocols.
func refuse(status int, code string) answer {
	return answer{Status: status, Body: map[string]any{"__type": "com.amazonaws.x#" + code, "message": "scripted"}}
}

// refuseXML is one in the query protocol; S3's and EC2's are nested otherwise.
func refuseXML(status int, code string) answer {
	return answer{Status: status, Body: "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>scripted</Message></Error></ErrorResponse>"}
}

func refuseS3(status int, code string) answer {
	return answer{Status: status, Body: "<Error><Code>" + code + "</Code><Message>scripted</Message></Error>"}
}

func refuseEC2(status int, code string) answer {
	return answer{Status: status, Body: "<Response><Errors><Error><Code>" + code + "</Code><Message>scripted</Message></Error></Errors></Response>"}
}

// endpoint runs a script in AWS's place and keeps what was asked.
type endpoint struct {
	*httptest.Server
	mu    sync.Mutex
	asked []asked
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Cleanup(func())
}

func script(t failer, reply func(asked) answer) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a := asked{Method: r.Method, Path: r.URL.EscapedPath(), Body: string(body)}
		if r.URL.RawQuery != "" {
			a.Path += "?" + r.URL.RawQuery
		}
		// Credential=key/date/region/service/aws4_request
		if _, scope, found := strings.Cut(r.Header.Get("Authorization"), "Credential="); found {
			parts := strings.Split(scope, "/")
			a.Region, a.Service = parts[2], parts[3]
		}
		switch {
		case r.Header.Get("X-Amz-Target") != "":
			_, a.Op, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			if err := json.Unmarshal(body, &a.JSON); err != nil {
				t.Errorf("%s: %v", a.Op, err)
			}
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
			if a.Form, err = url.ParseQuery(string(body)); err != nil {
				t.Error(err)
			}
			a.Op = a.Form.Get("Action")
		}
		e.mu.Lock()
		e.asked = append(e.asked, a)
		e.mu.Unlock()
		out := reply(a)
		for k, v := range out.Header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(out.Status)
		if s, isText := out.Body.(string); isText {
			_, err = io.WriteString(w, s)
		} else {
			err = json.NewEncoder(w).Encode(out.Body)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

// config is for the endpoint, with the SDK's three attempts but no waits.
func (e *endpoint) config() aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(e.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, nil
		}),
		Retryer: func() aws.Retryer {
			return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond)
		},
	}
}

// count is how often an operation was asked for.
func (e *endpoint) count(op string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, a := range e.asked {
		if a.Op == op {
			n++
		}
	}
	return n
}

func (e *endpoint) all() []asked {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]asked(nil), e.asked...)
}

// today is the clock of scripted tests.
var today = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func options() apply.Options { return apply.Options{Now: func() time.Time { return today }} }

func table(i int) string { return arnOf("dynamodb", fmt.Sprintf("table/t%03d", i)) }

// callsOf are the tag calls that the catalogue has for an ARN's service, nil for
// irregular ones. DAX stands for services whose ARNs no hand-written row makes.
func callsOf(arn string) *catalogue.Calls {
	service := strings.Split(arn+":::", ":")[2]
	if service == "dax" {
		c, err := catalogue.ParseCalls("client: dax\nid: DAX\nprotocol: json-1.1 AmazonDAXV3\n" +
			"write: TagResource ResourceName={arn} Tags=[Key,Value]\nread: ListTags ResourceName={arn} NextToken={next} -> Tags=[Key,Value] NextToken={next}")
		if err != nil {
			panic(err)
		}
		return c
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		panic(err)
	}
	for _, r := range rows {
		for _, res := range r.Resources {
			if strings.HasPrefix(string(res.ARN), "arn:{partition}:"+service+":") && res.Calls != nil {
				return res.Calls
			}
		}
	}
	return nil
}

// request is one for alice's tag, from an event two minutes old.
func request(arn, api string) apply.Request {
	return apply.Request{
		ARN: arn, API: api, Calls: callsOf(arn), Account: account, Region: region, EventTime: today.Add(-2 * time.Minute),
		Tags: map[string]string{"creator": "alice"},
	}
}

// mapping is a GetResources answer.
func mapping(tags map[string]map[string]string) answer {
	list := []any{}
	for arn, ts := range tags {
		pairs := []any{}
		for k, v := range ts {
			pairs = append(pairs, map[string]string{"Key": k, "Value": v})
		}
		list = append(list, map[string]any{"ResourceARN": arn, "Tags": pairs})
	}
	return answer{Status: 200, Body: map[string]any{"PaginationToken": "", "ResourceTagMappingList": list}}
}

// failures is a TagResources answer.
func failures(code map[string]string) answer {
	m := map[string]any{}
	for arn, c := range code {
		m[arn] = map[string]any{"ErrorCode": c, "StatusCode": 400, "ErrorMessage": "scripted"}
	}
	return answer{Status: 200, Body: map[string]any{"FailedResourcesMap": m}}
}

// bucketServer is S3 in memory, for buckets' tags and CORS: enough of it that
// a concurrent writer can act between any two requests.
type bucketServer struct {
	mu      sync.Mutex
	tags    map[string]string
	cors    string
	onAsked func(op string, n int) // before the nth request, under the lock
	after   func(op string, n int) // after it
	n       int
	control answer // what S3 Control's TagResource answers
}

type tagging struct {
	XMLName xml.Name                      `xml:"Tagging"`
	Tags    []struct{ Key, Value string } `xml:"TagSet>Tag"`
}

func (b *bucketServer) reply(t failer) func(asked) answer {
	return func(a asked) answer {
		b.mu.Lock()
		defer b.mu.Unlock()
		op := ""
		switch {
		case strings.HasPrefix(a.Path, "/v20180820/tags/"):
			return b.control
		case strings.Contains(a.Path, "?tagging"):
			op = a.Method + " tagging"
		case strings.Contains(a.Path, "?cors"):
			op = a.Method + " cors"
		default:
			t.Errorf("unexpected %s %s", a.Method, a.Path)
			return refuseS3(400, "Unexpected")
		}
		b.n++
		n := b.n
		if b.onAsked != nil {
			b.onAsked(op, n)
		}
		if b.after != nil {
			defer b.after(op, n)
		}
		switch op {
		case "GET tagging":
			if len(b.tags) == 0 {
				return refuseS3(404, "NoSuchTagSet")
			}
			var out tagging
			for k, v := range b.tags {
				out.Tags = append(out.Tags, struct{ Key, Value string }{k, v})
			}
			raw, err := xml.Marshal(out)
			if err != nil {
				t.Error(err)
			}
			return answer{Status: 200, Body: string(raw)}
		case "PUT tagging":
			var in tagging
			if err := xml.Unmarshal([]byte(a.Body), &in); err != nil {
				t.Error(err)
			}
			b.tags = map[string]string{}
			for _, tag := range in.Tags {
				b.tags[tag.Key] = tag.Value
			}
			return answer{Status: 204, Body: ""}
		case "GET cors":
			if b.cors == "" {
				return refuseS3(404, "NoSuchCORSConfiguration")
			}
			return answer{Status: 200, Body: b.cors}
		default:
			b.cors = a.Body
			return answer{Status: 200, Body: ""}
		}
	}
}
