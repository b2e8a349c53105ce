package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/runtimeapi"
)

// Deployed is a function as it is deployed.
type Deployed struct {
	// Function is its name: tagger or cors.
	Function string
	// Config is the text of its configuration.
	Config string
	// Policies are the documents of its role, with intrinsic functions
	// resolved.
	Policies []string

	lacks string // an action that was taken out of them, as a part of names
	bin   string // its bootstrap; "" builds it
}

// Enforce runs a function's real bootstrap, as the role that has its policies
// and no others, against an emulator that checks IAM policies. It gets one
// resource of every kind; nothing may be left in the queue, and everything must
// be tagged, or every bucket have its rules. Then everything else that is tried as that
// role must be refused.
//
// What moto's check is worth (https://docs.getmoto.org/en/latest/docs/iam.html):
//
//   - Actions are checked for every service that is called here.
//   - Conditions are not evaluated but refused, so that they are taken out of
//     the documents. What they say is looked at by the infrastructure's tests.
//   - The signatures of REST calls are checked wrongly, those of the SDK's own
//     clients too: without a body, or with a path that is escaped. A stand-in
//     signs all calls but S3's anew, as the same role. An ARN in the query
//     makes them wrong all the same, and for some services moto asks for actions
//     that don't exist: unchecked are these.
//   - The Resource Groups Tagging API is checked under the wrong prefix
//     ("tagging:"), for its own action only and not for the service's; S3
//     Control isn't there. A stand-in takes these two: it checks tag:… and
//     s3:TagResource against the documents and then says that it doesn't serve
//     the resource, so that the program turns to the service's own API, where
//     moto checks the service's own action.
//
// As the tagging API asks for the service's own action too, the two together
// are what AWS asks for, but for the names of actions that differ from those of
// calls.
func (d Deployed) Enforce(t testing.TB) {
	t.Helper()
	srv, err := emulator.Start(t.Context(), emulator.Options{Region: Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	a := Account{TB: t, URL: srv.URL}

	var batch events.SQSEvent
	var all []Made
	kinds := slices.DeleteFunc(Kinds(), func(k Kind) bool { return slices.Contains(unchecked, k.Service()) })
	if d.Function == "cors" {
		kinds = slices.DeleteFunc(kinds, func(k Kind) bool { return k.Type != "AWS::S3::Bucket" })
	}
	for i, k := range kinds {
		made := k.Create(a, fmt.Sprintf("enforced-%d", i))
		body, err := k.Event(t, made).JSON()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, made)
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: k.Type, Body: string(body), EventSource: "aws:sqs"})
	}

	f := d.ready(a)
	if err := srv.EnforceIAM(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	answer, log := f.invoke(batch)
	a.mayNot(f.role, attempts())
	if err := srv.EnforceIAM(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for _, item := range answer.BatchItemFailures {
		t.Errorf("%s: the function may not do what it should: %s", item.ItemIdentifier, about(log, item.ItemIdentifier))
	}
	for i, k := range kinds {
		for _, resource := range all[i].ARNs {
			switch {
			case d.Function == "cors":
				if a.CORS(resource) == "" {
					t.Errorf("%s: %s has no rules: %s", k.Type, resource, about(log, k.Type))
				}
			case k.Type == "AWS::CloudFormation::Stack":
			default:
				if tags := a.Tags(resource); tags["creator"] != Creator {
					t.Errorf("%s: %s has the tags %v: %s", k.Type, resource, tags, about(log, k.Type))
				}
			}
		}
	}
}

// unchecked are services whose calls moto refuses whatever the policies say.
var unchecked = []string{
	"appmesh", "cloudfront", "es", "ses", // ARNs in queries
	"apigateway", "batch", "quicksight", // apigateway:GetTags, batch:tags, quicksight:None
}

// running is a function with a role of its own.
type running struct {
	role aws.Credentials
	// invoke runs the function's bootstrap as that role.
	invoke func(events.SQSEvent) (events.SQSEventResponse, string)

	mu      sync.Mutex
	refused []string // actions, as the emulator said so
}

// ready makes the function's role. It is invoked while policies are enforced.
func (d Deployed) ready(a Account, env ...string) *running {
	a.Helper()
	standIn := httptest.NewServer(d.standIn(a))
	a.Cleanup(standIn.Close)
	r := &running{role: d.assume(a, a)}
	signer := httptest.NewServer(r.signAnew(a, a.URL))
	a.Cleanup(signer.Close)
	env = append(env,
		"AWS_ACCESS_KEY_ID="+r.role.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+r.role.SecretAccessKey, "AWS_SESSION_TOKEN="+r.role.SessionToken, "AWS_ENDPOINT_URL="+signer.URL, "AWS_ENDPOINT_URL_S3="+a.URL,
		"AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API="+standIn.URL, "AWS_ENDPOINT_URL_S3_CONTROL="+standIn.URL)
	bin := d.bin
	if bin == "" {
		bin = build(a, d.Function)
	}
	r.invoke = func(batch events.SQSEvent) (events.SQSEventResponse, string) {
		a.Helper()
		return invokeBuilt(a, bin, d.Config, batch, env...)
	}
	return r
}

// answered notes what an answer refuses.
func (r *running) answered(body []byte) {
	_, action, refused := strings.Cut(string(body), "is not authorized to perform: ")
	if !refused {
		return
	}
	end := strings.IndexFunc(action, func(c rune) bool { return c != ':' && c != '-' && !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, action[:max(end, 0)])
}

// assume makes a role with the policies and returns credentials of it.
func (d Deployed) assume(t testing.TB, a Account) aws.Credentials {
	t.Helper()
	role := "autotagger-" + d.Function + d.lacks
	roleARN := a.query("iam", "CreateRole", "RoleName", role, "AssumeRolePolicyDocument", trust).one("Arn")
	for i, p := range d.Policies {
		arn := a.query("iam", "CreatePolicy", "PolicyName", fmt.Sprintf("%s-%d", role, i), "PolicyDocument", unconditional(t, p)).one("Arn")
		a.query("iam", "AttachRolePolicy", "RoleName", role, "PolicyArn", arn)
	}
	session := a.query("sts", "AssumeRole", "RoleArn", roleARN, "RoleSessionName", role)
	return aws.Credentials{
		AccessKeyID: session.one("AccessKeyId"), SecretAccessKey: session.one("SecretAccessKey"), SessionToken: session.one("SessionToken"),
	}
}

// Invoke builds a function's bootstrap, runs it with a configuration and an
// environment, and hands it a batch. Log is whole once the function has answered.
func Invoke(t testing.TB, function, config string, batch events.SQSEvent, env ...string) (response events.SQSEventResponse, log string) {
	t.Helper()
	return invokeBuilt(t, build(t, function), config, batch, env...)
}

func build(t testing.TB, function string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bootstrap")
	if err := runtimeapi.Build(t.Context(), "autotagger/functions/"+function, bin); err != nil {
		t.Fatal(err)
	}
	return bin
}

func invokeBuilt(t testing.TB, bin, config string, batch events.SQSEvent, env ...string) (response events.SQSEventResponse, log string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "autotagger.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := runtimeapi.Start(bin, dir, time.Minute, append(env, deployment.EnvConfig+"=autotagger.yaml", "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_REGION="+Region)...)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := f.Invoke(ctx, payload)
	if err != nil {
		t.Fatalf("%v\n%s", err, f.Log())
	}
	if err := json.Unmarshal(out, &response); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f.Stop() // only then the log is whole
	return response, f.Log()
}

// about is the log's line about a message.
func about(log, message string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"messageId":"`+message+`"`) {
			return strings.TrimSpace(line)
		}
	}
	return "it logged nothing of it"
}

// list is a JSON text, or a list of them.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		*l = list{""}
		return json.Unmarshal(data, &(*l)[0])
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// document is a policy, as far as it is looked at.
type document struct {
	Version   string
	Statement []struct {
		Effect           string
		Action, Resource list
		Condition        map[string]any `json:",omitempty"`
	}
}

func read(t testing.TB, policy string) (doc document) {
	t.Helper()
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		t.Fatalf("%v: %s", err, policy)
	}
	return doc
}

// unconditional is a policy without its conditions.
func unconditional(t testing.TB, policy string) string {
	t.Helper()
	doc := read(t, policy)
	for i := range doc.Statement {
		doc.Statement[i].Condition = nil
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// allows reports whether the policies allow an action with any condition.
func (d Deployed) allows(t testing.TB, action string) bool {
	t.Helper()
	for _, p := range d.Policies {
		for _, s := range read(t, p).Statement {
			if s.Effect == "Allow" && slices.Contains(s.Action, action) {
				return true
			}
		}
	}
	return false
}

// standIn answers for the Resource Groups Tagging API and S3 Control: it
// refuses what the policies don't allow, and serves nothing else.
func (d Deployed) standIn(t testing.TB) http.Handler {
	allowed := map[string]bool{}
	for _, action := range []string{"tag:GetResources", "tag:TagResources", "s3:TagResource"} {
		allowed[action] = d.allows(t, action)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, op, json11 := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch {
		case !json11 && !allowed["s3:TagResource"]:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>s3:TagResource</Message></Error></ErrorResponse>")
		case !json11:
			w.WriteHeader(http.StatusNotImplemented)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>NotImplemented</Code></Error></ErrorResponse>")
		case !allowed["tag:"+op]:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":"AccessDeniedException","Message":"tag:%s"}`, op)
		case op == "GetResources":
			fmt.Fprint(w, `{"ResourceTagMappingList":[],"PaginationToken":""}`)
		default:
			var in struct{ ResourceARNList []string }
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = json.Unmarshal(body, &in)
			}
			if err != nil {
				t.Errorf("reading %s: %v", op, err)
			}
			failed := map[string]object{}
			for _, arn := range in.ResourceARNList {
				failed[arn] = object{"ErrorCode": "InternalServiceException", "StatusCode": 500, "ErrorMessage": "not served"}
			}
			if err := json.NewEncoder(w).Encode(object{"FailedResourcesMap": failed}); err != nil {
				t.Errorf("answering %s: %v", op, err)
			}
		}
	})
}

// signAnew passes calls on with their paths unescaped, the body's hash in a
// header, and a signature that is right for that in moto's eyes. Who has signed
// before must have been the role.
func (r *running) signAnew(t testing.TB, to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		scope := strings.Split(in.Header.Get("Authorization"), "/")
		if len(scope) < 4 || !strings.HasSuffix(scope[0], "="+r.role.AccessKeyID) {
			t.Errorf("%s %s is signed by someone else: %v", in.Method, in.URL, scope)
			return
		}
		body, err := io.ReadAll(in.Body)
		if err != nil {
			t.Error(err)
			return
		}
		req, err := http.NewRequestWithContext(in.Context(), in.Method, to, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.URL.Path, req.URL.RawQuery = in.URL.Path, in.URL.RawQuery
		for _, name := range []string{"Accept", "Content-Type", "X-Amz-Target", "X-Amzn-Query-Mode"} {
			if value := in.Header.Get(name); value != "" {
				req.Header.Set(name, value)
			}
		}
		sum := sha256.Sum256(body)
		req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
		if err := v4.NewSigner().SignHTTP(in.Context(), r.role, req, hex.EncodeToString(sum[:]), scope[3], scope[2], time.Now()); err != nil {
			t.Error(err)
			return
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		out, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
			return
		}
		r.answered(out)
		w.WriteHeader(resp.StatusCode)
		if _, err := w.Write(out); err != nil {
			t.Error(err)
		}
	})
}
