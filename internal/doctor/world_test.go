package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/encoding/cbor"

	"autotagger/internal/doctor"
	"autotagger/internal/emulator"
	"autotagger/internal/iampolicy"
)

const (
	home = "eu-west-1"
	// visitor is the access key under which the doctor looks at a world; what a test
	// sets up has another.
	visitor = "VISITOR"
	bucket  = "trails"
)

// shared is the one emulator of this package's tests; each world is an account of
// its own in it.
var shared emulator.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

// world is an AWS account: the emulator's, with answers of AWS's form for what it
// lacks and for what shall go wrong.
type world struct {
	t       *testing.T
	account string
	// organisation is the account that manages the one that the account is in.
	organisation string
	cfg          aws.Config
	permitted    iampolicy.Document // the policy of docs/doctor.md

	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by operation
}

// newWorld is an account with nothing in it, in a world where nothing is wrong.
func newWorld(t *testing.T) *world {
	t.Helper()
	moto, err := shared.Server()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, account: fmt.Sprintf("%012d", 111100000000+shared.Number()), answers: map[string]http.HandlerFunc{}, permitted: policyOfDocs(t)}
	target, err := url.Parse(moto.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if strings.Contains(r.Header.Get("Authorization"), "Credential="+visitor+"/") {
			w.permit(service(r), operation(r, body))
		}
		w.mu.Lock()
		answer := w.answers[operation(r, body)]
		w.mu.Unlock()
		if answer != nil {
			answer(rw, r)
			return
		}
		r.Header.Set("X-Moto-Account-Id", w.account)
		if w.organisation != "" && strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AWSOrganizations") {
			r.Header.Set("X-Moto-Account-Id", w.organisation) // as for a delegated administrator
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	w.cfg = moto.Config()
	w.cfg.BaseEndpoint, w.cfg.Region = &srv.URL, home
	// What fails on purpose isn't to be waited for; what breaks off on the way is tried
	// again.
	w.cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}}
			o.Backoff = retry.NewExponentialJitterBackoff(100 * time.Millisecond)
		})
	}

	w.json("ListRegions", `{"Regions":[{"RegionName":"eu-west-1","RegionOptStatus":"ENABLED_BY_DEFAULT"},{"RegionName":"eu-north-1","RegionOptStatus":"ENABLED_BY_DEFAULT"},{"RegionName":"us-east-1","RegionOptStatus":"ENABLED_BY_DEFAULT"},{"RegionName":"us-west-2","RegionOptStatus":"ENABLED_BY_DEFAULT"}]}`)
	w.json("GetRegionOptStatus", `{"RegionName":"eu-west-1","RegionOptStatus":"ENABLED"}`)
	w.json("ListCostAllocationTags", `{"CostAllocationTags":[{"TagKey":"creator","Type":"UserDefined","Status":"Active"},{"TagKey":"cost-center","Type":"UserDefined","Status":"Active"}]}`)
	w.simulation(func(string) string { return "allowed" })
	w.metrics(map[string]float64{"NumberOfMessagesSent": 3, "Invocations": 2})
	return w
}

// operation is the name of the call that a request is.
func operation(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ := url.ParseQuery(string(body))
		return form.Get("Action")
	}
	_, op, ok := strings.Cut(r.URL.Path, "/operation/") // CBOR
	switch {
	case ok:
		return op
	case r.URL.Path == "/listRegions":
		return "ListRegions"
	case r.URL.Path == "/getRegionOptStatus":
		return "GetRegionOptStatus"
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
		return "GetFunction"
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/2015-03-31/event-source-mappings"):
		return "ListEventSourceMappings"
	case r.URL.Query().Has("versioning"):
		return r.Method + " versioning"
	case r.Method == http.MethodGet:
		return "GetObject"
	}
	return ""
}

// service is the name that a request is signed for.
func service(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if parts := strings.Split(scope, "/"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}

// permit fails the test for a call that the policy of docs/doctor.md doesn't allow.
func (w *world) permit(service, operation string) {
	switch {
	case service == "sts": // everyone may ask who they are
		return
	case service == "monitoring":
		service = "cloudwatch"
	case operation == "GET versioning":
		operation = "GetBucketVersioning"
	}
	action := service + ":" + operation
	if r := iampolicy.Evaluate(iampolicy.Request{Action: action, Resource: "*"}, w.permitted); r.Decision != iampolicy.Allowed {
		w.t.Errorf("the policy in docs/doctor.md doesn't allow %s", action)
	}
}

// policyOfDocs is the policy that the documentation offers, for any resource.
func policyOfDocs(t *testing.T) iampolicy.Document {
	t.Helper()
	page, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```json\n")
	text, _, _ = strings.Cut(text, "```")
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("the policy in docs/doctor.md: %v", err)
	}
	for i := range doc.Statements {
		doc.Statements[i].Resources = nil
	}
	return doc
}

func (w *world) answer(op string, h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[op] = h
}

// scripted and script keep and bring back what is answered in place of the emulator.
func (w *world) scripted() map[string]http.HandlerFunc {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.answers)
}

func (w *world) script(answers map[string]http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = maps.Clone(answers)
}

func (w *world) json(op, body string) {
	w.answer(op, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, body)
	})
}

func (w *world) xml(op, result string) {
	w.answer(op, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(rw, `<%sResponse><%sResult>%s</%sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%sResponse>`, op, op, result, op, op)
	})
}

// refuse answers with an error, in the form of the request's protocol.
func (w *world) refuse(op, code string) {
	message := "User: arn:aws:iam::1:user/x is not authorized to perform this"
	w.answer(op, func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/operation/"):
			rw.Header().Set("Content-Type", "application/cbor")
			rw.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			rw.WriteHeader(http.StatusForbidden)
			rw.Write(cbor.Encode(cbor.Map{"__type": cbor.String("com.amazonaws#" + code), "message": cbor.String(message)}))
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
			rw.Header().Set("Content-Type", "text/xml")
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(rw, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, message)
		case op == "GetObject" || op == "GET versioning":
			rw.Header().Set("Content-Type", "application/xml")
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(rw, `<Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
		default:
			rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
			rw.Header().Set("X-Amzn-Errortype", code)
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(rw, `{"__type":%q,"message":%q}`, code, message)
		}
	})
}

// simulation answers SimulatePrincipalPolicy as IAM does, with a decision for each
// action; one that is "invalid" fails the call.
func (w *world) simulation(decide func(action string) string) {
	w.answer("SimulatePrincipalPolicy", func(rw http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		rw.Header().Set("Content-Type", "text/xml")
		var members strings.Builder
		for i := 1; r.Form.Has(fmt.Sprintf("ActionNames.member.%d", i)); i++ {
			action := r.Form.Get(fmt.Sprintf("ActionNames.member.%d", i))
			decision, more := decide(action), ""
			switch decision {
			case "invalid":
				rw.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(rw, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidInput</Code><Message>Invalid Entity Action: %s</Message></Error></ErrorResponse>`, action)
				return
			case "scp":
				decision, more = "implicitDeny", "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations></OrganizationsDecisionDetail>"
			case "boundary":
				decision, more = "implicitDeny", "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
			}
			fmt.Fprintf(&members, "<member><EvalActionName>%s</EvalActionName><EvalResourceName>*</EvalResourceName><EvalDecision>%s</EvalDecision>%s</member>", action, decision, more)
		}
		fmt.Fprintf(rw, `<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>%s</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`, members.String())
	})
}

// metrics answers GetMetricData with one value, of an hour ago, for each metric that
// has one.
func (w *world) metrics(values map[string]float64) { w.metricsAt(time.Now().Add(-time.Hour), values) }

func (w *world) metricsAt(at time.Time, values map[string]float64) {
	w.answer("GetMetricData", func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		in, err := cbor.Decode(body)
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		var results cbor.List
		for _, q := range in.(cbor.Map)["MetricDataQueries"].(cbor.List) {
			query := q.(cbor.Map)
			metric := query["MetricStat"].(cbor.Map)["Metric"].(cbor.Map)
			times, numbers := cbor.List{}, cbor.List{}
			if v, ok := values[string(metric["MetricName"].(cbor.String))]; ok {
				times = append(times, &cbor.Tag{ID: 1, Value: cbor.Float64(at.Unix())})
				numbers = append(numbers, cbor.Float64(v))
			}
			results = append(results, cbor.Map{"Id": query["Id"], "StatusCode": cbor.String("Complete"), "Timestamps": times, "Values": numbers})
		}
		rw.Header().Set("Content-Type", "application/cbor")
		rw.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		rw.Write(cbor.Encode(cbor.Map{"MetricDataResults": results}))
	})
}

// must fails the test for an error of the world's making.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stack(name, file string) {
	w.t.Helper()
	body, err := os.ReadFile(file)
	w.must(err)
	_, err = cloudformation.NewFromConfig(w.cfg).CreateStack(w.t.Context(), &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: aws.String(string(body)), Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam},
	})
	w.must(err)
}

// trail makes a trail that is enough.
func (w *world) trail() string {
	w.t.Helper()
	_, err := w.s3().CreateBucket(w.t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String(bucket + w.account), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: home},
	})
	w.must(err)
	out, err := cloudtrail.NewFromConfig(w.cfg).CreateTrail(w.t.Context(), &cloudtrail.CreateTrailInput{
		Name: aws.String("management"), S3BucketName: aws.String(bucket + w.account), IsMultiRegionTrail: aws.Bool(true),
	})
	w.must(err)
	_, err = cloudtrail.NewFromConfig(w.cfg).StartLogging(w.t.Context(), &cloudtrail.StartLoggingInput{Name: out.Name})
	w.must(err)
	return aws.ToString(out.TrailARN)
}

func (w *world) s3() *s3.Client {
	return s3.NewFromConfig(w.cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

func (w *world) rule(region, name string) {
	w.t.Helper()
	_, err := eventbridge.NewFromConfig(w.cfg, func(o *eventbridge.Options) { o.Region = region }).PutRule(w.t.Context(), &eventbridge.PutRuleInput{
		Name: &name, EventPattern: aws.String(`{"source":["aws.iam"]}`),
	})
	w.must(err)
}

// deployed is a world with all that a deployment for one account has.
func deployed(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.trail()
	w.stack("CDKToolkit", "testdata/toolkit.json")
	w.stack("Autotagger", "testdata/hub.json")
	w.rule("us-east-1", "autotagger-forward-iam")
	w.rule("us-west-2", "autotagger-forward-networkmanager")
	return w
}

func (w *world) examine(o doctor.Options) []doctor.Finding {
	if o.File == "" {
		o.File = "../../autotagger.yaml"
	}
	cfg := w.cfg.Copy()
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: visitor, SecretAccessKey: "testing"}, nil
	})
	return doctor.Examine(w.t.Context(), cfg, o)
}

// want is a finding that must be there: Found and Do hold what the texts contain.
func want(t *testing.T, findings []doctor.Finding, check string, status doctor.Status, subject, found, do string) {
	t.Helper()
	for _, f := range findings {
		if f.Check == check && f.Status == status && strings.Contains(f.Subject, subject) && strings.Contains(f.Found, found) && strings.Contains(f.Do, do) {
			return
		}
	}
	t.Errorf("there is no finding %s %s of %q that says %q and %q in:\n%s", check, status, subject, found, do, text(findings))
}

func text(findings []doctor.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		line, _ := json.Marshal(f) // strings only
		fmt.Fprintf(&b, "  %s\n", line)
	}
	return b.String()
}

// of returns the findings of a check.
func of(findings []doctor.Finding, check string) []doctor.Finding {
	var some []doctor.Finding
	for _, f := range findings {
		if f.Check == check {
			some = append(some, f)
		}
	}
	return some
}
