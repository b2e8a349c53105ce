package lookup_test

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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/emulator"
	"autotagger/internal/ledger"
	"autotagger/internal/lookup"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// shared is the one server of this package's tests.
var shared = emulator.Shared{Region: region}

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

var _ pipeline.Finder = (*lookup.Finder)(nil)

const (
	region  = "eu-west-1"
	account = emulator.Account
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is an emulator behind a door that counts calls and may answer some of them
// itself, a ledger's table in it, and a Finder.
type world struct {
	testing.TB
	*lookup.Finder
	policy *policy.Policy
	table  *ledger.Table
	cfg    aws.Config

	mu       sync.Mutex
	now      time.Time
	calls    map[string]int           // by IAM action
	script   map[string]answer        // by IAM action, and stack
	outcomes map[lookup.Kind][]string // of look-ups
	accounts map[string][]string      // whose credentials made calls, by IAM action
}

// answer is what the door gives in the emulator's place.
type answer struct {
	status int
	body   string
	hang   bool
}

func newWorld(t testing.TB, config string, change ...func(*lookup.Config)) *world {
	t.Helper()
	moto, err := shared.Server()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		TB: t, policy: parsed(t, config), now: noon.Add(time.Minute),
		calls: map[string]int{}, script: map[string]answer{}, outcomes: map[lookup.Kind][]string{}, accounts: map[string][]string{},
	}
	to, err := url.Parse(moto.URL)
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(w.door(httputil.NewSingleHostReverseProxy(to)))
	t.Cleanup(door.Close)
	w.cfg = moto.Config()
	w.cfg.BaseEndpoint, w.cfg.RetryMaxAttempts = aws.String(door.URL), 1
	name := fmt.Sprint("lookup-", shared.Number())
	if err := moto.MakeLedger(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	w.table = ledger.New(w.cfg, name, ledger.Options{Now: w.clock})
	c := lookup.Config{
		Policy: w.policy, Ledger: w.table, Catalogue: catalogue.Default(), Now: w.clock,
		Tags:   apply.New(w.cfg, apply.Options{Now: w.clock}),
		Caller: w.caller(), Own: awsapi.New(w.cfg, nil),
		Most: time.Minute, // however slow the emulator is
		OnLookUp: func(k lookup.Kind, o lookup.Outcome) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.outcomes[k] = append(w.outcomes[k], string(o))
		},
	}
	for _, f := range change {
		f(&c)
	}
	w.Finder = lookup.New(c)
	w.forget()
	t.Cleanup(w.permitted)
	return w
}

// credentials are named for the account that they are of.
func (w *world) credentials(account string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "of-" + account, SecretAccessKey: "testing"}, nil
	})
}

func (w *world) caller() *awsapi.Caller { return awsapi.New(w.cfg, w.credentials) }

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		words := strings.Split(scope, "/")
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		form, err := url.ParseQuery(string(body))
		if op == "" && err == nil {
			op = form.Get("Action")
		}
		if op == "" && strings.HasPrefix(r.URL.Path, "/tags/") {
			op = "ListTagsForResource"
		}
		action := strings.ReplaceAll(words[3], "tagging", "tag") + ":" + op
		w.mu.Lock()
		w.calls[action]++
		w.accounts[action] = append(w.accounts[action], words[0])
		scripted, ok := w.script[action+" "+form.Get("StackName")]
		if !ok {
			scripted, ok = w.script[action]
		}
		w.mu.Unlock()
		switch {
		case scripted.hang:
			<-r.Context().Done()
		case ok:
			rw.WriteHeader(scripted.status)
			_, _ = io.WriteString(rw, scripted.body)
		default:
			next.ServeHTTP(rw, r)
		}
	})
}

// says lets the door answer calls of an action, or after a space of those about a stack.
func (w *world) says(action string, status int, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.script[action] = answer{status: status, body: body}
}

func (w *world) refuses(action string) {
	if strings.HasPrefix(action, "dynamodb:") || strings.HasPrefix(action, "organizations:") || strings.HasPrefix(action, "identitystore:") || strings.HasPrefix(action, "sso:") || strings.HasPrefix(action, "tag:") || strings.HasPrefix(action, "eks:") {
		w.says(action, http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"scripted"}`)
		return
	}
	w.says(action, http.StatusForbidden, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>scripted</Message></Error></ErrorResponse>`)
}

// forget begins the counts anew.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.calls)
	clear(w.outcomes)
	clear(w.accounts)
}

// asked is how many calls were made, and of which actions, since the counts began.
func (w *world) asked() (n int, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, action := range slices.Sorted(maps.Keys(w.calls)) {
		n += w.calls[action]
		what += fmt.Sprintf(" %s×%d", action, w.calls[action])
	}
	return n, strings.TrimSpace(what)
}

// permitted fails the test where a call was made that the actions of the policy and of the
// ledger don't allow.
func (w *world) permitted() {
	spoke, own, err := lookup.Actions(catalogue.Default(), w.policy)
	if err != nil {
		w.Error(err)
	}
	may := slices.Concat(spoke, own, ledger.ReaderActions(), []string{"ec2:DescribeTags", "dynamodb:ListTagsOfResource"}) // the last are what tagging itself takes
	w.mu.Lock()
	defer w.mu.Unlock()
	for action := range w.calls {
		if !slices.Contains(may, action) {
			w.Errorf("%s isn't among the actions", action)
		}
	}
}

// call sets something up, past the door's counts.
func (w *world) call(id, signing string, p catalogue.Protocol, version, op string, form url.Values, fields map[string]any) []byte {
	w.Helper()
	moto, err := shared.Server()
	if err != nil {
		w.Fatal(err)
	}
	body, err := awsapi.New(moto.Config(), nil).Do(context.Background(), awsapi.Call{
		Service: &catalogue.Service{ID: id, Signing: signing, Protocol: p, Version: version},
		Op:      op, Region: region, Account: account, ARN: "arn:aws:", Form: form, Fields: fields,
	})
	if err != nil {
		w.Fatalf("%s: %v", op, err)
	}
	return body
}

// records puts events into the ledger.
func (w *world) records(events ...*cloudtrail.Event) {
	w.Helper()
	var items []ledger.Item
	for _, e := range events {
		read, why := ledger.Read(e)
		if why != "" {
			w.Fatalf("%s leaves nothing: %s", e.Name, why)
		}
		items = append(items, read...)
	}
	for _, err := range w.table.Put(context.Background(), items) {
		if err != nil {
			w.Fatal(err)
		}
	}
	w.forget()
}

// plans are what the records alone make of events.
func (w *world) plans(events ...*cloudtrail.Event) []plan.Plan {
	w.Helper()
	planner := &plan.Planner{Catalogue: catalogue.Default(), Policy: w.policy}
	plans := make([]plan.Plan, len(events))
	for i, e := range events {
		var err error
		if plans[i], err = planner.Plan(e); err != nil {
			w.Fatal(err)
		}
		if plans[i].Reason != "" {
			w.Fatalf("%s is skipped: %s %s", e.Name, plans[i].Reason, plans[i].Detail)
		}
	}
	return plans
}

// find finds what there is about one event, and makes the plan anew with it.
func (w *world) find(e *cloudtrail.Event) (plan.Plan, plan.Facts) {
	w.Helper()
	made := w.plans(e)
	facts := w.Find(context.Background(), made)[0]
	planner := &plan.Planner{Catalogue: catalogue.Default(), Policy: w.policy}
	return planner.With(made[0], facts), facts
}

// object is JSON in the making.
type object = map[string]any

// record is an event at a time.
func record(t testing.TB, at time.Time, source, name string, identity, request, response any) *cloudtrail.Event {
	t.Helper()
	text, err := json.Marshal(object{
		"eventVersion": "1.11", "eventID": fmt.Sprint(name, at.UnixNano(), shared.Number()), "eventTime": at.Format(time.RFC3339),
		"eventSource": source + ".amazonaws.com", "eventName": name, "awsRegion": region, "eventType": "AwsApiCall",
		"recipientAccountId": account, "userIdentity": identity, "requestParameters": request, "responseElements": response,
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := cloudtrail.Decode(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// user is an IAM user's identity.
func user(name string) object {
	return object{"type": "IAMUser", "userName": name, "accountId": account, "arn": "arn:aws:iam::" + account + ":user/" + name, "accessKeyId": "AKIAEXAMPLE"}
}

// id makes an access key id of a word.
func id(key string) string {
	if strings.HasPrefix(key, "ASIA") {
		key += strings.Repeat("X", max(0, 20-len(key)))
	}
	return key
}

// session is a role session's identity, with credentials of a key.
func session(role, name, key string) object {
	key = id(key)
	return object{
		"type": "AssumedRole", "accountId": account, "principalId": "AROAEXAMPLE:" + name, "accessKeyId": key,
		"arn": "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name,
		"sessionContext": object{
			"sessionIssuer": object{"type": "Role", "arn": "arn:aws:iam::" + account + ":role/" + role, "userName": role, "accountId": account},
			"attributes":    object{"creationDate": noon.Add(-time.Minute).Format(time.RFC3339)},
		},
	}
}

// via is an identity for which a service made the call.
func via(identity object, service string) object {
	identity = maps.Clone(identity)
	identity["invokedBy"] = service + ".amazonaws.com"
	return identity
}

// linked is a service's own role.
func linked(service string) object {
	id := session("AWSServiceRoleFor"+service, service, "ASIALINKED")
	id["sessionContext"].(object)["sessionIssuer"].(object)["arn"] = "arn:aws:iam::" + account + ":role/aws-service-role/" + service + ".amazonaws.com/AWSServiceRoleFor" + service
	return via(id, service)
}

// assume is the call that begins a session with a key.
func assume(t testing.TB, by object, role, name, key string) *cloudtrail.Event {
	t.Helper()
	return record(t, noon.Add(-time.Minute), "sts", "AssumeRole", by,
		object{"roleArn": "arn:aws:iam::" + account + ":role/" + role, "roleSessionName": name},
		object{"credentials": object{"accessKeyId": id(key)}})
}

// table is the making of a table.
func table(t testing.TB, by object, name string, tags ...string) *cloudtrail.Event {
	t.Helper()
	list := []object{}
	for i := 0; i < len(tags); i += 2 {
		list = append(list, object{"key": tags[i], "value": tags[i+1]})
	}
	return record(t, noon, "dynamodb", "CreateTable", by, object{"tableName": name, "tags": list}, nil)
}

// instances is a launch, with tags.
func instances(t testing.TB, by object, ids []string, tags ...string) *cloudtrail.Event {
	t.Helper()
	var list, set []object
	for i := 0; i < len(tags); i += 2 {
		list = append(list, object{"key": tags[i], "value": tags[i+1]})
	}
	for _, id := range ids {
		set = append(set, object{"instanceId": id})
	}
	return record(t, noon, "ec2", "RunInstances", by,
		object{"tagSpecificationSet": object{"items": []object{{"resourceType": "instance", "tags": list}}}},
		object{"instancesSet": object{"items": set}})
}
