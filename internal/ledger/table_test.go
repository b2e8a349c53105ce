package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"pgregory.net/rapid"

	"autotagger/internal/awsapi"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/emulator"
	"autotagger/internal/ledger"
	"autotagger/internal/pipeline"
)

// The pipeline remembers by a table.
var _ pipeline.Memory = (*ledger.Table)(nil)

// moto is the one server of this package's tests.
var shared emulator.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

// noon is the tests' now: after all sample events.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// newTable makes a table of its own. Its calls go through the door where there is one.
func newTable(t testing.TB, door func(moto *url.URL) http.Handler) *ledger.Table {
	t.Helper()
	return at(newTables(t, door), noon)
}

// newTables makes a table and returns what opens it at a time.
func newTables(t testing.TB, door func(moto *url.URL) http.Handler) func(now func() time.Time) *ledger.Table {
	t.Helper()
	moto, err := shared.Server()
	if err != nil {
		t.Fatal(err)
	}
	cfg := moto.Config()
	name := fmt.Sprint("ledger-", shared.Number())
	if err := moto.MakeLedger(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if door != nil {
		to, err := url.Parse(moto.URL)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(door(to))
		t.Cleanup(server.Close)
		cfg.BaseEndpoint = aws.String(server.URL)
	}
	return func(now func() time.Time) *ledger.Table { return ledger.New(cfg, name, ledger.Options{Now: now}) }
}

func at(open func(func() time.Time) *ledger.Table, now time.Time) *ledger.Table {
	return open(func() time.Time { return now })
}

// put reads events and writes what they leave.
func put(t testing.TB, table *ledger.Table, all ...*cloudtrail.Event) {
	t.Helper()
	var items []ledger.Item
	for _, e := range all {
		read, _ := ledger.Read(e)
		items = append(items, read...)
	}
	for i, err := range table.Put(t.Context(), items) {
		if err != nil {
			t.Fatalf("%s: %v", items[i].ID, err)
		}
	}
}

func sampleAt(t testing.TB, name, clock string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, "2026-11-21T"+clock+"Z")
	if err != nil {
		t.Fatal(name, err)
	}
	return when
}

// begun is the access key id of the session that a sample event begins.
func begun(t testing.TB, name string) string {
	t.Helper()
	return sample(t, name).Response.Key("credentials").Key("accessKeyId").Text()
}

// TestSession follows a chain of roles from its end to its beginning, across accounts.
func TestSession(t *testing.T) {
	t.Parallel()
	table := newTable(t, nil)
	names := []string{"AssumeRole", "AssumeRole_chain", "AssumeRole_session_tags", "AssumeRoleWithWebIdentity_github", "AssumeRole_cross_account_caller", "AssumeRole_cross_account_role"}
	for _, name := range names {
		put(t, table, sample(t, name))
	}
	var chain []string
	for id := begun(t, "AssumeRole_session_tags"); id != ""; {
		s, err := table.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if s == nil {
			break
		}
		chain = append(chain, s.Role[strings.LastIndexByte(s.Role, '/')+1:]+" by "+s.By.ARN)
		id = s.By.AccessKeyID
	}
	want := []string{
		"Shop by arn:aws:sts::111122223333:assumed-role/Deploy/botocore-session-1795255500",
		"Deploy by arn:aws:sts::111122223333:assumed-role/Admin/work",
		"Admin by arn:aws:iam::111122223333:user/alice",
	}
	if !slices.Equal(chain, want) {
		t.Errorf("the chain is %q, want %q", chain, want)
	}
	// The caller's record counts, whichever came last.
	s, err := table.Session(t.Context(), begun(t, "AssumeRole_cross_account_role"))
	if err != nil || s == nil || s.By.ARN != "arn:aws:sts::111122223333:assumed-role/Pipeline/build-17" {
		t.Errorf("the session in another account is %+v, %v", s, err)
	}
	if s, err := table.Session(t.Context(), "ASIANOBODY0000000000"); s != nil || err != nil {
		t.Errorf("of nobody's session it says %+v, %v", s, err)
	}
}

// TestSessionIsWhole: what is read is what was written.
func TestSessionIsWhole(t *testing.T) {
	t.Parallel()
	table := newTable(t, nil)
	e := sample(t, "AssumeRoleWithSAML")
	put(t, table, e)
	got, err := table.Session(t.Context(), begun(t, "AssumeRoleWithSAML"))
	want := &ledger.Session{
		ID: begun(t, "AssumeRoleWithSAML"), By: e.Identity, Role: "arn:aws:iam::111122223333:role/Federated", Name: "dave@example.com",
		Subject: "dave@example.com", Provider: "arn:aws:iam::111122223333:saml-provider/Corporate",
		Tags: map[string]string{"CostCenter": "4711", "Project": "shop"}, At: e.Time, Event: e.ID,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// TestExpired: what has expired is no answer, though it stands.
func TestExpired(t *testing.T) {
	t.Parallel()
	open := newTables(t, nil)
	table := at(open, noon)
	put(t, table, sample(t, "AssumeRole"), sample(t, "UpdateStack"), sample(t, "UpdateStackSet"))
	if err := errors.Join(table.PutWritten(t.Context(), []ledger.Written{{ARN: "arn:p", Provisional: true}, {ARN: "arn:f"}})...); err != nil {
		t.Fatal(err)
	}
	stack := sample(t, "UpdateStack").Response.Key("stackId").Text()
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "session stack stack-set provisional written"},
		{45 * time.Hour, "session stack stack-set provisional written"},
		{48 * time.Hour, "stack stack-set provisional written"},
		{15 * 24 * time.Hour, "stack stack-set written"},
		{401 * 24 * time.Hour, ""},
	} {
		table := at(open, noon.Add(c.after))
		var there []string
		session, err1 := table.Session(t.Context(), begun(t, "AssumeRole"))
		operation, err2 := table.Stack(t.Context(), stack, noon)
		set, err3 := table.StackSet(t.Context(), "baseline", "111122223333", noon)
		written, err4 := table.Written(t.Context(), []string{"arn:p", "arn:f"})
		for _, err := range []error{err1, err2, err3, err4} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for name, is := range map[string]bool{"session": session != nil, "stack": operation != nil, "stack-set": set != nil, "provisional": written[0] != nil, "written": written[1] != nil} {
			if is {
				there = append(there, name)
			}
		}
		slices.Sort(there)
		want := strings.Fields(c.want)
		slices.Sort(want)
		if !slices.Equal(there, want) {
			t.Errorf("after %v there are %v, want %v", c.after, there, want)
		}
	}
}

// stackEvent is an event about a stack.
type stackEvent struct {
	call, user, at  string // at: a clock
	stack           string // as the request or the answer names it
	changeSet, tags string
}

const stackBase = "arn:aws:cloudformation:eu-west-1:111122223333:stack/web"

func (s stackEvent) event(t testing.TB) *cloudtrail.Event {
	t.Helper()
	request, response := map[string]any{}, map[string]any{}
	if s.tags == "none" {
		request["tags"] = []any{}
	} else if s.tags != "" {
		request["tags"] = []any{map[string]string{"key": "cost-center", "value": s.tags}}
	}
	switch s.call {
	case "CreateChangeSet":
		response["id"], response["stackId"] = s.changeSet, s.stack
	case "ExecuteChangeSet":
		request["changeSetName"] = s.changeSet
		if s.stack != "" {
			request["stackName"] = s.stack
		}
	case "ContinueUpdateRollback":
		request["stackName"] = s.stack
	default:
		response["stackId"] = s.stack
	}
	doc, err := json.Marshal(map[string]any{
		"eventSource": "cloudformation.amazonaws.com", "eventName": s.call, "eventID": s.call + s.user, "eventTime": "2026-11-21T" + s.at + "Z",
		"awsRegion": "eu-west-1", "recipientAccountId": "111122223333", "requestParameters": request, "responseElements": response,
		"userIdentity": map[string]string{"type": "IAMUser", "userName": s.user},
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := cloudtrail.Decode(string(doc))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestStack: the latest operation on the very stack is the answer, or there is none.
func TestStack(t *testing.T) {
	t.Parallel()
	const a, b = stackBase + "/aaaa", stackBase + "/bbbb"
	set := func(n string) string {
		return "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/" + n + "/uuid"
	}
	create := stackEvent{"CreateStack", "alice", "10:00:00", a, "", "1234"}
	for _, c := range []struct {
		name   string
		events []stackEvent
		stack  string
		at     string
		want   string // who, and the stack's tag
	}{
		{"nothing is known", nil, a, "11:00:00", ""},
		{"made", []stackEvent{create}, a, "11:00:00", "alice 1234"},
		{"made in that second", []stackEvent{create}, a, "10:00:00", "alice 1234"},
		{"made later", []stackEvent{create}, a, "09:59:59", ""},
		{"updated, its tags left", []stackEvent{create, {"UpdateStack", "bob", "10:30:00", a, "", ""}}, a, "11:00:00", "bob 1234"},
		{"updated, its tags removed", []stackEvent{create, {"UpdateStack", "bob", "10:30:00", a, "", "none"}}, a, "11:00:00", "bob "},
		{"updated afterwards", []stackEvent{create, {"UpdateStack", "bob", "10:30:00", a, "", ""}}, a, "10:29:00", "alice 1234"},
		{"rolled back", []stackEvent{create, {"RollbackStack", "bob", "10:30:00", a, "", ""}}, a, "11:00:00", "bob 1234"},
		{"made again, and that isn't known yet", []stackEvent{create}, b, "11:00:00", ""},
		{"made again", []stackEvent{create, {"CreateStack", "bob", "10:30:00", b, "", ""}}, b, "11:00:00", "bob "},
		{"of the one before", []stackEvent{create, {"CreateStack", "bob", "10:30:00", b, "", ""}}, a, "10:10:00", "alice 1234"},
		{"a change set, not executed", []stackEvent{create, {"CreateChangeSet", "bob", "10:30:00", a, set("one"), "42"}}, a, "11:00:00", "alice 1234"},
		{"a change set, executed by name", []stackEvent{create, {"CreateChangeSet", "bob", "10:30:00", a, set("one"), "42"}, {"ExecuteChangeSet", "carol", "10:40:00", "web", "one", ""}}, a, "11:00:00", "carol 42"},
		{"a change set, executed by ARN alone", []stackEvent{create, {"CreateChangeSet", "bob", "10:30:00", a, set("one"), "42"}, {"ExecuteChangeSet", "carol", "10:40:00", "", set("one"), ""}}, a, "11:00:00", "carol 42"},
		{"a change set, executed by ARN alone, later", []stackEvent{create, {"CreateChangeSet", "bob", "10:30:00", a, set("one"), "42"}, {"ExecuteChangeSet", "carol", "10:40:00", "", set("one"), ""}}, a, "10:39:59", "alice 1234"},
		{"a change set of the stack's ARN", []stackEvent{{"CreateChangeSet", "bob", "10:30:00", a, set("one"), ""}, {"ExecuteChangeSet", "carol", "10:40:00", a, set("one"), ""}}, a, "11:00:00", "carol "},
		{"a change set that leaves the tags", []stackEvent{create, {"CreateChangeSet", "bob", "10:30:00", a, set("one"), ""}, {"ExecuteChangeSet", "carol", "10:40:00", "web", "one", ""}}, a, "11:00:00", "carol 1234"},
		{"by name, of the stack before", []stackEvent{create, {"ExecuteChangeSet", "carol", "10:40:00", "web", "one", ""}}, b, "11:00:00", ""},
		{"by name, of who knows which", []stackEvent{{"ExecuteChangeSet", "carol", "10:40:00", "web", "one", ""}}, a, "11:00:00", ""},
		{"an update's rollback continued", []stackEvent{create, {"ContinueUpdateRollback", "bob", "10:40:00", "web", "", ""}}, a, "11:00:00", "bob 1234"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := newTable(t, nil)
			for _, e := range c.events {
				put(t, table, e.event(t))
			}
			o, err := table.Stack(t.Context(), c.stack, sampleAt(t, c.name, c.at))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if o != nil {
				got = o.By.UserName + " " + o.Tags["cost-center"]
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if o != nil && o.Stack != c.stack {
				t.Errorf("it is of %s", o.Stack)
			}
		})
	}
}

// TestStackOfManyChangeSets: change sets that were never executed don't hide what was.
func TestStackOfManyChangeSets(t *testing.T) {
	t.Parallel()
	table := newTable(t, nil)
	put(t, table, stackEvent{"CreateStack", "alice", "10:00:00", stackBase + "/a", "", ""}.event(t))
	var all []*cloudtrail.Event
	for i := range 23 {
		all = append(all, stackEvent{"CreateChangeSet", fmt.Sprint("user", i), fmt.Sprintf("10:10:%02d", i), stackBase + "/a", fmt.Sprintf("arn:aws:cloudformation:eu-west-1:111122223333:changeSet/c%d/uuid", i), ""}.event(t))
	}
	put(t, table, all...)
	o, err := table.Stack(t.Context(), stackBase+"/a", noon)
	if err != nil || o == nil || o.By.UserName != "alice" {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestStackSet: whose stack set it is decides, not who else has one of the name; with
// permissions of AWS Organizations only those count that were made with them.
func TestStackSet(t *testing.T) {
	t.Parallel()
	table := newTable(t, nil)
	by := func(account, region, name, model string) *cloudtrail.Event {
		e := *sample(t, "UpdateStackSet")
		e.Account, e.Region, e.Identity.UserName = account, region, name
		text := `{"stackSetName":"baseline"` + model + `}`
		decoded, err := cloudtrail.Decode(`{"eventSource":"s3.amazonaws.com","eventName":"X","requestParameters":` + text + `}`)
		if err != nil {
			t.Fatal(err)
		}
		e.Request = decoded.Request
		return &e
	}
	const ours, theirs, root = "111122223333", "444455556666", "777788889999"
	ask := func(of string, at time.Time) string {
		t.Helper()
		o, err := table.StackSet(t.Context(), "baseline", of, at)
		if err != nil {
			t.Fatal(err)
		}
		if o == nil {
			return ""
		}
		return o.By.UserName
	}
	expect := func(when string, want map[string]string) {
		t.Helper()
		for of, name := range want {
			if got := ask(of, noon); got != name {
				t.Errorf("%s: of %s it is %q, want %q", when, of, got, name)
			}
		}
	}
	put(t, table, by(ours, "eu-west-1", "alice", ""), by(theirs, "eu-west-1", "mallory", ""))
	expect("two accounts", map[string]string{ours: "alice", theirs: "mallory", root: "", ledger.ServiceManaged: "", "1111": ""})
	put(t, table, by(root, "eu-west-1", "dora", `,"permissionModel":"SERVICE_MANAGED"`))
	expect("and the organisation's", map[string]string{ours: "alice", root: "dora", ledger.ServiceManaged: "dora"})
	if got := ask(ours, sample(t, "UpdateStackSet").Time.Add(-time.Second)); got != "" {
		t.Errorf("before it was made it was %s", got)
	}
	put(t, table, by(ours, "us-east-1", "alice", ""), by(theirs, "eu-west-1", "erin", `,"callAs":"DELEGATED_ADMIN"`))
	expect("names twice", map[string]string{ours: "", ledger.ServiceManaged: ""})
}

// TestWritten: what was written last to a resource is kept.
func TestWritten(t *testing.T) {
	t.Parallel()
	table := newTable(t, nil)
	arn := func(i int) string { return fmt.Sprint("arn:aws:sqs:eu-west-1:111122223333:q", i) }
	var all []ledger.Written
	for i := range 130 {
		all = append(all, ledger.Written{ARN: arn(i), Tags: map[string]string{"creator": "role"}, Provisional: true, At: noon})
	}
	all = append(all, ledger.Written{ARN: arn(7), Tags: map[string]string{"creator": "alice"}, Source: "sqs.amazonaws.com", Type: "AWS::SQS::Queue", Account: "111122223333", Region: "eu-west-1"})
	if err := errors.Join(table.PutWritten(t.Context(), all)...); err != nil {
		t.Fatal(err)
	}
	asked := []string{arn(7), "arn:aws:sqs:eu-west-1:111122223333:other", strings.Repeat("x", 3000)}
	for i := range 130 {
		asked = append(asked, arn(i))
	}
	got, err := table.Written(t.Context(), asked)
	if err != nil || len(got) != len(asked) || got[1] != nil || got[2] != nil {
		t.Fatalf("%v, %v", got, err)
	}
	want := all[130]
	want.At = noon
	if !reflect.DeepEqual(*got[0], want) {
		t.Errorf("%+v, want %+v", *got[0], want)
	}
	for i := range 130 {
		if w := got[i+3]; w == nil || w.ARN != arn(i) || w.Provisional == (i == 7) {
			t.Errorf("of %s it has %+v", arn(i), w)
		}
	}
}

// TestClaim: one event of an actor may put a resource's tags back, until 90 days later.
func TestClaim(t *testing.T) {
	t.Parallel()
	open := newTables(t, nil)
	for i, c := range []struct {
		after             time.Duration
		arn, actor, event string
		want              bool
	}{
		{0, "arn:a", "terraform", "one", true},
		{0, "arn:a", "terraform", "one", true}, // delivered twice
		{0, "arn:a", "terraform", "two", false},
		{0, "arn:a", "alice", "three", true},
		{0, "arn:b", "terraform", "four", true},
		{89 * 24 * time.Hour, "arn:a", "terraform", "five", false},
		{91 * 24 * time.Hour, "arn:a", "terraform", "five", true},
		{91 * 24 * time.Hour, "arn:a", "", "", true},
		{91 * 24 * time.Hour, "arn:a", strings.Repeat("é", 1000), "six", true},
	} {
		first, err := at(open, noon.Add(c.after)).Claim(t.Context(), c.arn, c.actor, c.event)
		if err != nil || first != c.want {
			t.Errorf("%d: %v, %v, want %v", i, first, err, c.want)
		}
	}
}

// TestOneClaimWins: of many at once.
func TestOneClaimWins(t *testing.T) {
	t.Parallel()
	table := newTable(t, nil)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			first, err := table.Claim(t.Context(), "arn:a", "terraform", fmt.Sprint("event-", i))
			if err != nil {
				t.Error(err)
			}
			if first {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won", won.Load())
	}
}

// TestAnyOrder: events that come in any order, some of them more than once, in batches of
// any size, leave the same answers.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	const a, b = stackBase + "/aaaa", stackBase + "/bbbb"
	const set = "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/one/uuid"
	var all []*cloudtrail.Event
	for _, file := range samples(t) {
		name := strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".json")
		if e := sample(t, name); e.Source == "sts.amazonaws.com" || strings.Contains(e.Name, "StackSet") {
			all = append(all, e)
		}
	}
	for _, s := range []stackEvent{
		{"CreateStack", "alice", "10:00:00", a, "", "1"}, {"UpdateStack", "bob", "10:10:00", a, "", ""},
		{"CreateStack", "carol", "10:20:00", b, "", ""}, {"CreateChangeSet", "dave", "10:30:00", b, set, "2"},
		{"ExecuteChangeSet", "erin", "10:31:00", "web", "one", ""}, {"ExecuteChangeSet", "frank", "10:32:00", "", set, ""},
	} {
		all = append(all, s.event(t))
	}
	answers := func(t testing.TB, table *ledger.Table) string {
		t.Helper()
		var got []any
		for _, e := range all {
			if id := e.Response.Key("credentials").Key("accessKeyId").Text(); id != "" {
				s, err := table.Session(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, s)
			}
		}
		for _, stack := range []string{a, b} {
			for _, clock := range []string{"10:05:00", "10:15:00", "10:25:00", "10:30:30", "10:31:30", "11:00:00"} {
				o, err := table.Stack(t.Context(), stack, sampleAt(t, stack, clock))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, o)
			}
		}
		o, err := table.StackSet(t.Context(), "baseline", "111122223333", noon)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(append(got, o), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ordered := newTable(t, nil)
	for _, e := range all {
		put(t, ordered, e)
	}
	want := answers(t, ordered)
	// A run of rapid's is many; each of ours takes some hundred calls.
	rapid.Check(t, func(r *rapid.T) {
		if rapid.IntRange(0, 9).Draw(r, "one run in ten") > 0 {
			return
		}
		table := newTable(t, nil)
		left := append(rapid.Permutation(all).Draw(r, "order"), rapid.SliceOfN(rapid.SampledFrom(all), 0, 20).Draw(r, "again")...)
		for len(left) > 0 {
			n := rapid.IntRange(1, len(left)).Draw(r, "batch")
			put(t, table, left[:n]...)
			left = left[n:]
		}
		if got := answers(t, table); got != want {
			r.Errorf("the answers are\n%s\nwant\n%s", got, want)
		}
	})
}

// miserly is a door that leaves a third of each batch undone, as DynamoDB does at its limits.
// What stays undone each time is in never.
func miserly(calls *atomic.Int32, never string) func(*url.URL) http.Handler {
	return func(to *url.URL) http.Handler {
		proxy := httputil.NewSingleHostReverseProxy(to)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchWriteItem") {
				proxy.ServeHTTP(w, r)
				return
			}
			calls.Add(1)
			var in struct {
				RequestItems map[string][]json.RawMessage
			}
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = json.Unmarshal(body, &in)
			}
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			undone := map[string][]json.RawMessage{}
			for table, requests := range in.RequestItems {
				rand.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
				var done []json.RawMessage
				for i, one := range requests {
					if never != "" && bytes.Contains(one, []byte(never)) || i >= (2*len(requests)+2)/3 {
						undone[table] = append(undone[table], one)
					} else {
						done = append(done, one)
					}
				}
				in.RequestItems[table] = done
				if len(done) == 0 {
					delete(in.RequestItems, table)
				}
			}
			if len(in.RequestItems) > 0 {
				forward, err := json.Marshal(in)
				if err != nil {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(forward)), int64(len(forward))
				answer := httptest.NewRecorder()
				proxy.ServeHTTP(answer, r)
				if answer.Code != http.StatusOK {
					w.WriteHeader(answer.Code)
					return
				}
			}
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_ = json.NewEncoder(w).Encode(map[string]any{"UnprocessedItems": undone})
		})
	}
}

// TestUndone: what DynamoDB leaves undone is sent again; what stays undone fails alone.
func TestUndone(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	table := newTable(t, miserly(&calls, "arn:never"))
	var all []ledger.Written
	for i := range 30 {
		all = append(all, ledger.Written{ARN: fmt.Sprint("arn:", i), At: noon})
	}
	all = append(all, ledger.Written{ARN: "arn:never", At: noon})
	err := errors.Join(table.PutWritten(t.Context(), all)...)
	if err == nil || strings.Count(err.Error(), "undone") != 1 || !strings.Contains(err.Error(), "written/arn:never") {
		t.Errorf("it ends with %v", err)
	}
	arns := make([]string, len(all))
	for i := range all {
		arns[i] = all[i].ARN
	}
	got, err := table.Written(t.Context(), arns)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if (got[i] == nil) != (arns[i] == "arn:never") {
			t.Errorf("of %s it has %v", arns[i], got[i])
		}
	}
	if n := calls.Load(); n > 12 {
		t.Errorf("%d calls", n)
	}
}

// TestOneBadItem fails alone.
func TestOneBadItem(t *testing.T) {
	t.Parallel()
	table := newTable(t, nil)
	items := make([]ledger.Item, 20)
	for i := range items {
		items[i] = ledger.Item{ID: fmt.Sprint("written/arn:", i), At: "-", Data: `{}`, Expires: noon.Add(time.Hour)}
	}
	items[11].ID = strings.Repeat("x", 3000) // DynamoDB takes 2,048
	for i, err := range table.Put(t.Context(), items) {
		if (err != nil) != (i == 11) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestNoTable: an error says what was asked for; a table that isn't there is no session that
// isn't.
func TestNoTable(t *testing.T) {
	t.Parallel()
	moto, err := shared.Server()
	if err != nil {
		t.Fatal(err)
	}
	table := ledger.New(moto.Config(), "nowhere", ledger.Options{Now: time.Now})
	_, err = table.Session(t.Context(), "ASIAEXAMPLE")
	if awsapi.Code(err) != ledger.NoTable || !strings.HasPrefix(err.Error(), "reading session ASIAEXAMPLE: ") {
		t.Error(err)
	}
	for _, err := range table.Put(t.Context(), []ledger.Item{{ID: "a", At: "b"}}) {
		if awsapi.Code(err) != "ResourceNotFoundException" {
			t.Error(err)
		}
	}
}
