package lookup_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"autotagger/internal/cloudtrail"
)

// five records a chain of five roles that alice began, and returns its end's identity.
func five(w *world) object {
	by := user("alice")
	for i := 1; i <= 5; i++ {
		role, key := fmt.Sprint("r", i), fmt.Sprint("ASIA", i)
		w.records(assume(w, by, role, "botocore-session-1", key))
		by = session(role, "botocore-session-1", key)
	}
	w.forget()
	return by
}

// TestChain: a chain of five roles is followed to the human at its beginning, with one
// look-up a link the first time and none the second, however many events there are.
func TestChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}\ntags: {created-via: true}")
	by := five(w)
	p, f := w.find(table(t, by, "t"))
	if tags := p.Resources[0].Tags; tags["creator"] != "alice" || tags["created-via"] != "role/r1 role/r2 role/r3 role/r4 role/r5" || f.Missing != "" {
		t.Errorf("tags %v, facts %+v", tags, f)
	}
	if n, what := w.asked(); n != 5 || what != "dynamodb:Query×5" {
		t.Errorf("the first time asked %s", what)
	}
	w.forget()
	var burst []*cloudtrail.Event
	for i := range 100 {
		burst = append(burst, table(t, by, fmt.Sprint("t", i)))
	}
	for _, f := range w.Find(context.Background(), w.plans(burst...)) {
		if f.Creator == nil || f.Creator.Name != "alice" || len(f.Steps) != 5 {
			t.Fatalf("%+v", f)
		}
	}
	if n, what := w.asked(); n != 0 {
		t.Errorf("the second time asked %s", what)
	}
}

// TestBurst: many events of one session at once cost one look-up.
func TestBurst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}")
	w.records(assume(t, user("alice"), "Dev", "x", "ASIABURST"))
	var burst []*cloudtrail.Event
	for i := range 100 {
		burst = append(burst, table(t, session("Dev", "x", "ASIABURST"), fmt.Sprint("t", i)))
	}
	w.Find(context.Background(), w.plans(burst...))
	if n, what := w.asked(); n != 1 {
		t.Errorf("asked %s", what)
	}
}

// TestBeginnings: who is named, by how the chain begins.
func TestBeginnings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}\ntags: {created-via: true, created-by-arn: true}")
	w.records(
		record(t, noon.Add(-time.Minute), "sts", "AssumeRoleWithWebIdentity",
			object{"type": "WebIdentityUser", "userName": "repo:org/app:ref:refs/heads/main", "principalId": "arn:aws:iam::" + account + ":oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:repo:org/app:ref:refs/heads/main"},
			object{"roleArn": "arn:aws:iam::" + account + ":role/Deploy", "roleSessionName": "GitHubActions"},
			object{"credentials": object{"accessKeyId": id("ASIAGITHUB")}, "subjectFromWebIdentityToken": "repo:org/app:ref:refs/heads/main", "provider": "token.actions.githubusercontent.com"}),
		assume(t, session("AWSReservedSSO_Admin_0123456789abcdef", "dora@example.com", "ASIASSO"), "Ops", "1234567890", "ASIAOPS"),
		assume(t, session("web", "i-0abcdef1234567890", "ASIAWEB"), "Task", "job", "ASIATASK"),
		assume(t, session("Gone", "carol", "ASIAGONE"), "Next", "1234567890", "ASIANEXT"),
		record(t, noon.Add(-time.Minute), "sts", "AssumeRole", object{"type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDAEXAMPLE"},
			object{"roleArn": "arn:aws:iam::" + account + ":role/Shared", "roleSessionName": "1234567890"}, object{"credentials": object{"accessKeyId": id("ASIASHARED")}}),
	)
	with := func(id object, context object) object {
		for k, v := range context {
			id["sessionContext"].(object)[k] = v
		}
		return id
	}
	scoped := func(id object) object { id["inScopeOf"] = object{"issuerType": "AWS::Lambda::Function"}; return id }
	for name, c := range map[string]struct {
		by                 object
		creator, arn, path string
		missing            string
	}{
		"pipeline":                   {session("Deploy", "GitHubActions", "ASIAGITHUB"), "repo:org/app:ref:refs/heads/main", "assumed-role/Deploy/GitHubActions", "role/Deploy", ""},
		"Identity Center":            {session("Ops", "1234567890", "ASIAOPS"), "dora@example.com", "assumed-role/AWSReservedSSO_Admin_0123456789abcdef/dora@example.com", "role/AWSReservedSSO_Admin_0123456789abcdef role/Ops", ""},
		"instance, then a name":      {session("Task", "job", "ASIATASK"), "job", "assumed-role/Task/job", "role/web role/Task", "session " + id("ASIAWEB")},
		"a person, then nothing":     {session("Next", "1234567890", "ASIANEXT"), "carol", "assumed-role/Gone/carol", "role/Gone role/Next", "session " + id("ASIAGONE")},
		"another account":            {session("Shared", "1234567890", "ASIASHARED"), "Shared", "assumed-role/Shared/1234567890", "role/Shared", "caller of session " + id("ASIASHARED")},
		"unknown session":            {session("Dev", "erin", "ASIANOBODY"), "erin", "assumed-role/Dev/erin", "", "session " + id("ASIANOBODY")},
		"function":                   {scoped(session("fn", "my-function", "ASIAFN")), "fn", "assumed-role/fn/my-function", "", ""},
		"delivered to an instance":   {with(session("web", "frank", "ASIAWEB2"), object{"ec2RoleDelivery": "2.0"}), "web", "assumed-role/web/frank", "", ""},
		"source identity":            {with(session("Dev", "x", "ASIANOBODY"), object{"sourceIdentity": "ada"}), "ada", "assumed-role/Dev/x", "", ""},
		"no session context":         {object{"type": "AssumedRole", "arn": "arn:aws:sts::" + account + ":assumed-role/Dev/gina", "accountId": account}, "gina", "assumed-role/Dev/gina", "", ""},
		"user":                       {user("henry"), "henry", "user/henry", "", ""},
		"nobody":                     {object{"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}, "", "", "", ""},
		"long-term key of a session": {session("Dev", "ivan", "AKIADEV"), "ivan", "assumed-role/Dev/ivan", "", ""},
	} {
		p, f := w.find(table(t, c.by, "t"))
		tags := p.Resources[0].Tags
		arn := tags["created-by-arn"]
		if len(arn) > len(account) {
			arn = arn[len("arn:aws:sts::123456789012:"):]
		}
		if tags["creator"] != c.creator || arn != c.arn || tags["created-via"] != c.path || f.Missing != c.missing {
			t.Errorf("%s: tags %v, missing %q until %v, steps %v", name, tags, f.Missing, f.Until, f.Steps)
		}
		if f.Missing != "" && !f.Until.Equal(noon.Add(2*time.Minute)) {
			t.Errorf("%s: until %v", name, f.Until)
		}
	}
}

// TestCircle: chains that go in a circle, and those without end, end with the best name.
func TestCircle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}")
	w.records(
		assume(t, session("B", "1", "ASIAB"), "A", "1", "ASIAA"),
		assume(t, session("A", "1", "ASIAA"), "B", "1", "ASIAB"),
		assume(t, session("Self", "1", "ASIASELF"), "Self", "1", "ASIASELF"),
	)
	for i := range 20 {
		w.records(assume(t, session("L", "1", fmt.Sprint("ASIAL", i+1)), "L", "1", fmt.Sprint("ASIAL", i)))
	}
	for key, most := range map[string]int{"ASIAA": 2, "ASIASELF": 1, "ASIAL0": 10} {
		w.forget()
		_, f := w.find(table(t, session("End", "1", key), "t"))
		n, what := w.asked()
		if f.Creator == nil || f.Missing != "" || n != most || len(f.Steps) != most+1 {
			t.Errorf("%s: %+v, asked %s", key, f, what)
		}
	}
}

// TestLateLink: a link that comes later is found then, not minutes after.
func TestLateLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}")
	e := table(t, session("Dev", "1234567890", "ASIALATE"), "t")
	_, f := w.find(e)
	if f.Creator != nil || f.Missing != "session "+id("ASIALATE") || !f.Until.Equal(noon.Add(2*time.Minute)) {
		t.Fatalf("%+v", f)
	}
	w.records(assume(t, user("alice"), "Dev", "1234567890", "ASIALATE"))
	if _, f := w.find(e); f.Missing == "" {
		t.Errorf("asked again at once: %+v", f)
	}
	w.pass(10 * time.Second)
	if _, f := w.find(e); f.Missing != "" || f.Creator == nil || f.Creator.Name != "alice" {
		t.Errorf("ten seconds later %+v", f)
	}
}

// TestSessionTags: the tags of a session give the cost center, those nearest to the call
// first, also of one whose name is final; that name stays.
func TestSessionTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "look-ups: {ledger: true}\ncost-center: [{session-tag: cc}]")
	tagged := func(e *cloudtrail.Event, tags string) *cloudtrail.Event {
		e.Request = decoded(t, `{"roleArn":"arn:aws:iam::123456789012:role/R","roleSessionName":"x","tags":[`+tags+`]}`)
		return e
	}
	first := session("First", "bob", "ASIAFIRST")
	ada := session("Dev", "x", "ASIASOURCE")
	ada["sessionContext"].(object)["sourceIdentity"] = "ada"
	w.records(
		tagged(assume(t, user("bob"), "First", "bob", "ASIAFIRST"), `{"key":"cc","value":"far"},{"key":"team","value":"far"}`),
		tagged(assume(t, first, "Dev", "x", "ASIASECOND"), `{"key":"cc","value":"near"}`),
		tagged(assume(t, first, "Dev", "x", "ASIASOURCE"), `{"key":"cc","value":"source"}`),
		tagged(assume(t, object{"type": "SAMLUser", "userName": "someone else"}, "AWSReservedSSO_X_0", "erin", "ASIASSOTAGS"), `{"key":"cc","value":"sso"}`),
	)
	for name, c := range map[string]struct {
		by                  object
		creator, costCenter string
		also                string
	}{
		"chain":           {session("Dev", "x", "ASIASECOND"), "bob", "near", "far"},
		"source identity": {ada, "ada", "source", "far"},
		"Identity Center": {session("AWSReservedSSO_X_0", "erin", "ASIASSOTAGS"), "erin", "sso", ""},
	} {
		p, f := w.find(table(t, c.by, "t"))
		if tags := p.Resources[0].Tags; tags["creator"] != c.creator || tags["cost-center"] != c.costCenter || f.Session["team"] != c.also {
			t.Errorf("%s: %v, %v, %v", name, tags, f.Session, f.Steps)
		}
	}
}

// decoded is JSON as a record has it.
func decoded(t *testing.T, text string) cloudtrail.Value {
	t.Helper()
	e, err := cloudtrail.Decode(`{"eventSource":"s3.amazonaws.com","eventName":"X","requestParameters":` + text + `}`)
	if err != nil {
		t.Fatal(err)
	}
	return e.Request
}

// TestElsewhere: the name of a session in an account that sends no events counts as any
// other's, and so not in strict mode.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for config, want := range map[string][2]string{"": {"mallory", "mallory"}, "sessions: {strict: true}": {"Shared", "444455556666"}} {
		w := newWorld(t, "look-ups: {ledger: true}\n"+config)
		w.records(assume(t, object{"type": "AWSAccount", "accountId": "444455556666", "principalId": "AROAEXAMPLE:mallory"}, "Shared", "1234567890", "ASIAELSEWHERE"))
		if p, f := w.find(table(t, session("Shared", "1234567890", "ASIAELSEWHERE"), "t")); p.Creator.Name != want[0] {
			t.Errorf("%s: %s, %v", config, p.Creator.Name, f.Steps)
		}
		if p, f := w.find(table(t, object{"type": "AWSAccount", "accountId": "444455556666", "principalId": "AROAEXAMPLE:mallory"}, "t")); p.Creator.Name != want[1] {
			t.Errorf("%s: its own call is %s's, %v", config, p.Creator.Name, f.Steps)
		}
		// A machine's there says less than a person's session here.
		w.records(assume(t, object{"type": "AWSAccount", "accountId": "444455556666", "principalId": "AROAEXAMPLE:i-0123456789abcdef0"}, "Deploy", "alice", "ASIAMACHINE"))
		if p, f := w.find(table(t, session("Deploy", "alice", "ASIAMACHINE"), "t")); p.Creator.Name != map[bool]string{true: "alice", false: "Deploy"}[config == ""] {
			t.Errorf("%s: %s, %v", config, p.Creator.Name, f.Steps)
		}
	}
}
