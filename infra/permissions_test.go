package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

// texts is a string or a list of strings, as IAM writes both.
type texts []string

func (l *texts) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		*l = make(texts, 1)
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]string)(l))
}

type statement struct {
	Sid, Effect string
	Action      texts
	Resource    json.RawMessage
	Condition   map[string]map[string]any
	Principal   any
}

// isService reports whether a statement is for a service and for nobody else.
func isService(s statement, service string) bool {
	return reflect.DeepEqual(s.Principal, map[string]any{"Service": service})
}

type document struct{ Statement []statement }

type role struct {
	RoleName                 string
	AssumeRolePolicyDocument document
	ManagedPolicyArns        []ref
}

// policies is a policy resource, managed or inline.
type policies struct {
	PolicyDocument json.RawMessage
	Roles          []ref
	Queues         []ref
}

// ofRole returns the statements of a function's role, and checks that each
// policy fits.
func ofRole(t *testing.T, job string) []statement {
	t.Helper()
	tpl := theTemplate(t)
	var statements []statement
	add := func(id string, p policies) {
		var d document
		if err := json.Unmarshal(p.PolicyDocument, &d); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		statements = append(statements, d.Statement...)
	}
	managed := all[policies](t, tpl, "AWS::IAM::ManagedPolicy")
	for id, r := range all[role](t, tpl, "AWS::IAM::Role") {
		if !strings.HasPrefix(id, job) {
			continue
		}
		if n := len(r.ManagedPolicyArns); n > 10 {
			t.Errorf("%s has %d managed policies, at most 10", id, n)
		}
		for _, arn := range r.ManagedPolicyArns {
			p, ok := managed[arn.id()]
			if !ok || !sameJob(id, arn.id()) {
				t.Fatalf("%s has the policy %+v, which is not its own", id, arn)
			}
			if len(p.PolicyDocument) > 6144 {
				t.Errorf("%s has %d characters; a managed policy has at most 6144", arn.id(), len(p.PolicyDocument))
			}
			add(arn.id(), p)
		}
	}
	inline := 0
	for id, p := range all[policies](t, tpl, "AWS::IAM::Policy") {
		if len(p.Roles) == 1 && sameJob(p.Roles[0].id(), job) {
			inline += len(p.PolicyDocument)
			add(id, p)
		}
	}
	if inline > 10240 {
		t.Errorf("the role of %s has %d characters of inline policies, at most 10240", job, inline)
	}
	return statements
}

// What a function needs for itself: its log group and its queue.
var (
	ownLogs       = []string{"logs:CreateLogStream", "logs:PutLogEvents"}
	ownSending    = []string{"sqs:SendMessage"}
	ownParameters = []string{"ssm:GetParameters"}
	ownQueue      = []string{"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"}
)

// divide sorts a role's statements: those for the function itself are checked
// and taken out.
func divide(t *testing.T, job string) []statement {
	t.Helper()
	var rest []statement
	own := 0
	for _, s := range ofRole(t, job) {
		if s.Effect != "Allow" {
			t.Errorf("%s: %s %v", job, s.Effect, s.Action)
		}
		for _, a := range s.Action {
			if strings.ContainsAny(a, "*?") {
				t.Errorf("%s: the action %s is open", job, a)
			}
		}
		actions := slices.Sorted(slices.Values(s.Action))
		var r ref
		_ = json.Unmarshal(s.Resource, &r) // other forms don't name one resource
		switch {
		case slices.Equal(actions, ownParameters):
			for _, name := range []string{"/autotagger/writing", "/autotagger/configuration"} {
				if want := `:ssm:` + testRegion + `:` + testAccount + `:parameter` + name + `"`; strings.Count(string(s.Resource), want) != 1 || strings.Count(string(s.Resource), ":ssm:") != 2 {
					t.Errorf("%s reads the parameters %s, want %s", job, s.Resource, want)
				}
			}
			own++
		case slices.Equal(actions, []string{"cloudtrail:LookupEvents"}) && string(s.Resource) == `"*"`:
			own++
		case slices.Equal(actions, ownSending):
			var to []ref
			if err := json.Unmarshal(s.Resource, &to); err != nil || len(to) != 2 || !strings.HasPrefix(to[0].id(), job+"Queue") || !strings.HasPrefix(to[1].id(), job+"DeadLetters") {
				t.Errorf("%s sends to %s, want its queue and its dead letters", job, s.Resource)
			}
			own++
		case slices.Equal(actions, ownLogs) && strings.HasPrefix(r.id(), job+"Logs"),
			slices.Equal(actions, ownQueue) && strings.HasPrefix(r.id(), job+"Queue"):
			own++
		default:
			rest = append(rest, s)
		}
	}
	if own != 5 {
		t.Errorf("%s: %d statements for its own logs, parameters, queues and history, want 5", job, own)
	}
	return rest
}

func TestTaggerPermissions(t *testing.T) {
	rows := rowsOn(t)
	var keys []any
	for _, k := range testPolicy(t).Keys() {
		keys = append(keys, k)
	}
	ownKeys := map[string]map[string]any{
		"ForAllValues:StringEquals": {"aws:TagKeys": keys},
	}
	var got []string
	for _, s := range divide(t, "Tagger") {
		got = append(got, s.Action...)
		for _, a := range s.Action {
			// API Gateway's actions are those of HTTP: they are for its tags only.
			resource := `"*"`
			if strings.HasPrefix(a, "apigateway:") {
				resource = `{"Fn::Join":["",["arn:",{"Ref":"AWS::Partition"},":apigateway:*::/tags/*"]]}`
			}
			if string(s.Resource) != resource {
				t.Errorf("%s on %s, want %s", a, s.Resource, resource)
			}
			// CodeBuild's change more than tags: they are for requests with tags.
			restricted := reflect.DeepEqual(s.Condition, ownKeys)
			if strings.HasPrefix(a, "codebuild:") {
				restricted = reflect.DeepEqual(s.Condition, map[string]map[string]any{
					"ForAllValues:StringEquals": ownKeys["ForAllValues:StringEquals"], "Null": {"aws:TagKeys": "false"},
				})
			}
			switch {
			case reads(a) || anyKey(a):
				if s.Condition != nil {
					t.Errorf("%s is granted under %v; it doesn't know the key", a, s.Condition)
				}
			case !restricted:
				t.Errorf("%s is granted under %v, want %v", a, s.Condition, ownKeys)
			}
		}
	}
	slices.Sort(got)
	if want := catalogue.Actions(rows); !slices.Equal(got, want) {
		t.Errorf("the tagger may\n%v, the catalogue needs\n%v", got, want)
	}
}

func TestCORSPermissions(t *testing.T) {
	rest := divide(t, "Cors")
	if len(rest) != 1 {
		t.Fatalf("cors may also %v", rest)
	}
	if s := rest[0]; !slices.Equal(s.Action, texts{"s3:GetBucketCORS", "s3:PutBucketCORS"}) || !strings.Contains(string(s.Resource), `":s3:::*"`) {
		t.Errorf("cors may %v on %s", s.Action, s.Resource)
	}
}

// The policy must know the functions' own calls by their roles' names.
func TestRoles(t *testing.T) {
	names := []string{}
	for id, r := range all[role](t, theTemplate(t), "AWS::IAM::Role") {
		names = append(names, r.RoleName)
		if !policy.Default().IsOwnRole(r.RoleName) {
			t.Errorf("the policy doesn't know the role %s as its own", r.RoleName)
		}
		trust := r.AssumeRolePolicyDocument.Statement
		if len(trust) != 1 || !isService(trust[0], "lambda.amazonaws.com") {
			t.Errorf("%s trusts %+v", id, trust)
		}
	}
	slices.Sort(names)
	if want := []string{"autotagger-cors-" + testRegion, "autotagger-tagger-" + testRegion}; !slices.Equal(names, want) {
		t.Errorf("roles %v, want %v", names, want)
	}
}

// The function must wait for its permissions: a call that is denied for lack
// of them isn't tried again for long. Managed policies come before the role
// that names them.
func TestFunctionsWaitForPermissions(t *testing.T) {
	tpl := theTemplate(t)
	for id := range all[policies](t, tpl, "AWS::IAM::Policy") {
		waits := false
		for f, r := range tpl.Resources {
			waits = waits || r.Type == "AWS::Lambda::Function" && sameJob(f, id) && slices.Contains(r.DependsOn, id)
		}
		if !waits {
			t.Errorf("no function waits for %s", id)
		}
	}
	for id, p := range all[policies](t, tpl, "AWS::IAM::ManagedPolicy") {
		if len(p.Roles) > 0 {
			t.Errorf("%s is attached after the role is there", id)
		}
	}
}

// Every writing action of the catalogue is one that AWS lists, and the condition
// on tag keys stands just where AWS knows it: for rows that are off too, and for
// services that the catalogue doesn't have yet.
func TestTagKeysTable(t *testing.T) {
	known, err := taggingActions()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range catalogue.Actions(rows) {
		if reads(a) {
			continue
		}
		if _, ok := known[a]; !ok {
			t.Errorf("the catalogue needs %s, which AWS doesn't list as a tagging action; if it is one, add it to testdata/tagging-actions.txt", a)
			continue
		}
	}
	anyKeys := 0
	for a, withKeys := range known {
		if anyKey(a) == withKeys {
			t.Errorf("%s: restricted to own keys: %v; AWS knows aws:TagKeys for it: %v", a, !anyKey(a), withKeys)
		}
		if anyKey(a) {
			anyKeys++
		}
		if reads(a) {
			t.Errorf("%s is taken for an action that reads, and granted without a condition", a)
		}
	}
	if anyKeys == 0 || anyKeys > len(known)/10 {
		t.Errorf("%d of %d actions are granted for any key", anyKeys, len(known))
	}
}

// taggingActions reads which tagging actions there are and whether each knows
// aws:TagKeys.
func taggingActions() (map[string]bool, error) {
	const name = "testdata/tagging-actions.txt"
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	known := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		action, key, _ := strings.Cut(lines.Text(), " ")
		if action != "#" {
			known[action] = key == "aws:TagKeys"
		}
	}
	if len(known) < 300 {
		return nil, fmt.Errorf("%s has %d actions", name, len(known))
	}
	return known, nil
}

// A catalogue of every tagging action there is must still fit, each with two
// that read and with as many and as long tag keys as there can be.
func TestPoliciesAreSplit(t *testing.T) {
	known, err := taggingActions()
	if err != nil {
		t.Fatal(err)
	}
	actions := slices.Sorted(maps.Keys(known))
	for _, a := range slices.Clone(actions) {
		service, _, _ := strings.Cut(a, ":")
		actions = append(actions, service+":ListTagsForResource", service+":DescribeResource")
	}
	var keys []string
	for _, letter := range "abcde" {
		keys = append(keys, strings.Repeat(string(letter), 128))
	}
	var got []string
	policies := 0
	for _, g := range grants(actions, keys) {
		parts, err := g.split()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			policies++
			got = append(got, p.actions...)
			if n := p.size(); n > maxManagedPolicy {
				t.Errorf("a policy of %d characters", n)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(actions)
	if !slices.Equal(got, actions) {
		t.Errorf("%d actions became %d", len(actions), len(got))
	}
	if policies > maxManagedPolicies {
		t.Errorf("%d managed policies", policies)
	}
	t.Logf("%d actions in %d managed policies", len(actions), policies)
}

// The policies of the queues let in these rules and nobody else, and nothing
// unencrypted.
func TestQueuePolicies(t *testing.T) {
	tpl := theTemplate(t)
	senders := map[string]string{"TaggerQueue": "autotagger-tagger-*", "CorsQueue": "autotagger-cors-*", "Undelivered": "autotagger-*"}
	byQueue := map[string]document{}
	for id, p := range all[policies](t, tpl, "AWS::SQS::QueuePolicy") {
		var d document
		if err := json.Unmarshal(p.PolicyDocument, &d); err != nil || len(p.Queues) != 1 {
			t.Fatalf("%s: %v", id, err)
		}
		byQueue[p.Queues[0].id()] = d
	}
	for id := range all[queue](t, tpl, "AWS::SQS::Queue") {
		var sender string
		for prefix, s := range senders {
			if strings.HasPrefix(id, prefix) {
				sender = s
			}
		}
		var allowed []statement
		ssl := false
		for _, s := range byQueue[id].Statement {
			switch s.Effect {
			case "Allow":
				allowed = append(allowed, s)
			case "Deny":
				ssl = ssl || reflect.DeepEqual(s.Condition, map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}}) && slices.Equal(s.Action, texts{"sqs:*"})
			}
		}
		if !ssl {
			t.Errorf("%s takes unencrypted calls", id)
		}
		if sender == "" {
			if len(allowed) > 0 {
				t.Errorf("%s lets others in: %+v", id, allowed)
			}
			continue
		}
		if len(allowed) != 1 {
			t.Errorf("%s has %d statements that allow, want 1 for all rules", id, len(allowed))
			continue
		}
		s := allowed[0]
		arns, _ := s.Condition["ArnLike"]["aws:SourceArn"].([]any)
		for i, bus := range []string{"autotagger/", ""} {
			arn, _ := json.Marshal(arns[i])
			if want := `:events:` + testRegion + `:` + testAccount + `:rule/` + bus + sender + `"`; !strings.Contains(string(arn), want) {
				t.Errorf("%s lets in %s, want %s", id, arn, want)
			}
		}
		if !slices.Equal(s.Action, texts{"sqs:SendMessage"}) || !isService(s, "events.amazonaws.com") || len(arns) != 2 || s.Condition["StringEquals"]["aws:SourceAccount"] != testAccount {
			t.Errorf("%s lets in %+v", id, s)
		}
	}
}
