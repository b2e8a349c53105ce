package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"quamina.net/go/quamina"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/policy"
)

// organisation is the settings of an organisation's hub.
func organisation(t *testing.T) Settings {
	t.Helper()
	s, err := testSettings(testConfig, bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Organization, s.Units, s.Companions = testOrganization, []string{"r-ab12", "ou-ab12-c3d4e5f6"}, true
	s.Regions = []string{"us-west-2", "eu-central-1"}
	return s
}

// spokeTemplates are the templates of the stack sets, by their names.
func spokeTemplates(t *testing.T) (texts map[string]string, templates map[string]template) {
	t.Helper()
	texts, templates = map[string]string{}, map[string]template{}
	for _, sp := range []spoke{rolesSpoke(organisation(t), rowsOn(t)), rulesSpoke(organisation(t), rowsOn(t)), companionSpoke(organisation(t), rowsOn(t))} {
		text, err := sp.template()
		if err != nil {
			t.Fatal(err)
		}
		var tpl template
		if err := json.Unmarshal([]byte(text), &tpl); err != nil {
			t.Fatal(err)
		}
		texts[sp.set], templates[sp.set] = text, tpl
	}
	return texts, templates
}

// A stack set takes the text of a template, and an account needs nothing to
// receive it: no bootstrap, no assets, no parameter but the hub.
func TestSpokeTemplates(t *testing.T) {
	texts, _ := spokeTemplates(t)
	for name, text := range texts {
		if len(text) > maxTemplate {
			t.Errorf("%s has %d bytes, at most %d", name, len(text), maxTemplate)
		}
		t.Logf("%s: %d bytes", name, len(text))
		var parts map[string]map[string]json.RawMessage
		var whole map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &whole); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal([]byte(text), &parts) // Description is no object
		if got := slices.Sorted(maps.Keys(whole)); !slices.Equal(got, []string{"Description", "Parameters", "Resources"}) {
			t.Errorf("%s has %v", name, got)
		}
		if got := slices.Sorted(maps.Keys(parts["Parameters"])); !slices.Equal(got, []string{hubParameter}) {
			t.Errorf("%s wants the parameters %v", name, got)
		}
		for _, word := range []string{"cdk-hnb659fds", "aws:cdk:path", "aws:asset", testAccount, testRegion} {
			if strings.Contains(text, word) {
				t.Errorf("%s has %s in it", name, word)
			}
		}
	}
}

// All services together must fit too, with the longest keys that there can be:
// what doesn't says by how much.
func TestSpokeTemplatesFit(t *testing.T) {
	all, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	enabled := strings.Repeat("k", 128)
	p, err := policy.Parse("test.yaml", []byte("cors: off\ntags: {creator: "+enabled+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := organisation(t)
	s.Policy = p
	for _, sp := range []spoke{rolesSpoke(s, p.RowsOn(all)), rulesSpoke(s, p.RowsOn(all))} {
		text, err := sp.template()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", sp.set, len(text))
	}
	bulky := spoke{set: "bulky", add: func(stack awscdk.Stack, _ *string) error {
		awscdk.NewCfnOutput(stack, jsii.String("Bulk"), &awscdk.CfnOutputProps{Value: jsii.String(strings.Repeat("x", maxTemplate))})
		return nil
	}}
	if _, err := bulky.template(); err == nil || !strings.Contains(err.Error(), "more than CloudFormation takes") {
		t.Errorf("the error is %v", err)
	}
}

// The same templates as plain stacks must fit as the CDK's command line sends
// them, or their regions would need a bootstrap.
func TestPlainTemplatesFit(t *testing.T) {
	cdk, err := filepath.Abs("../node_modules/.bin/cdk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cdk); err != nil {
		t.Fatalf("run npm ci: %v", err)
	}
	config, err := os.ReadFile("../" + defaultConfig)
	if err != nil {
		t.Fatal(err)
	}
	s, err := testSettings(string(config), bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Organization, s.Hub, s.Companions = testOrganization, testHub, true
	out := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(out), PostCliContext: &map[string]any{
		"aws:cdk:enable-path-metadata": true, // as the command line has it
	}})
	if err := newApp(app, s, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	app.Synth(nil)
	const largest = "Autotagger-rules-eu-west-1"
	cmd := exec.Command(cdk, "synth", "--app", out, "--no-notices", largest)
	cmd.Dir = t.TempDir()
	var faults bytes.Buffer
	cmd.Stderr = &faults
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, faults.String())
	}
	t.Logf("%s: %d bytes", largest, len(text))
	if len(text) > maxTemplate || !strings.Contains(string(text), "Resources:") {
		t.Errorf("%s has %d bytes as the CDK sends it, at most %d", largest, len(text), maxTemplate)
	}
}

// patternOf is a rule's pattern, which is an object or the text of one.
func patternOf(t *testing.T, pattern json.RawMessage) []byte {
	t.Helper()
	var text string
	if err := json.Unmarshal(pattern, &text); err == nil {
		return []byte(text)
	}
	return pattern
}

// A spoke forwards what the catalogue's rows are for, and its alarms; each rule
// with a role, retries and a dead-letter queue. A companion forwards what global
// services do and nothing else.
func TestForwarding(t *testing.T) {
	_, templates := spokeTemplates(t)
	for name, rows := range map[string][]*catalogue.Row{
		deployment.RulesStackSet: rowsOn(t), deployment.CompanionStackSet: catalogue.Global(rowsOn(t)),
	} {
		tpl := templates[name]
		patterns, err := catalogue.Patterns(rows)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, p := range patterns {
			want = append(want, canonical(t, []byte(p.JSON())))
		}
		want = append(want, `{"detail":{"alarmName":[{"prefix":"autotagger-forward-"}],"state":{"value":["ALARM","OK"]}},"detail-type":["CloudWatch Alarm State Change"],"source":["aws.cloudwatch"]}`)
		var got []string
		queues := all[queue](t, tpl, "AWS::SQS::Queue")
		roles := all[forwardRole](t, tpl, "AWS::IAM::Role")
		for id, r := range all[rule](t, tpl, "AWS::Events::Rule") {
			got = append(got, canonical(t, patternOf(t, r.EventPattern)))
			if !strings.HasPrefix(r.Name, "autotagger-forward-") || r.EventBusName.Ref != "" || r.State == "DISABLED" || len(r.Targets) != 1 {
				t.Errorf("%s: %s: %+v", name, id, r)
				continue
			}
			to := r.Targets[0]
			if to.Arn.Ref != hubParameter || to.Input != "" || to.InputPath != "" {
				t.Errorf("%s: %s sends to %+v", name, id, to)
			}
			if _, ok := roles[to.RoleArn.id()]; !ok {
				t.Errorf("%s: %s has no role", name, id)
			}
			if q, ok := queues[to.DeadLetterConfig.Arn.id()]; !ok || q.MessageRetentionPeriod != 14*day || !q.SqsManagedSseEnabled {
				t.Errorf("%s: %s leaves what it can't deliver in %+v", name, id, q)
			}
			if to.RetryPolicy.MaximumEventAgeInSeconds != day || to.RetryPolicy.MaximumRetryAttempts != 185 {
				t.Errorf("%s: %s retries %+v", name, id, to.RetryPolicy)
			}
			if !slices.ContainsFunc(tpl.Resources[id].DependsOn, func(d string) bool { return tpl.Resources[d].Type == "AWS::SQS::QueuePolicy" }) {
				t.Errorf("%s: %s doesn't wait for the queue's policy", name, id)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s forwards\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(roles) != 1 || len(queues) != 1 || len(all[alarmProps](t, tpl, "AWS::CloudWatch::Alarm")) != 1 {
			t.Errorf("%s has %d roles, %d queues", name, len(roles), len(queues))
		}
		for _, r := range roles {
			checkForwardRole(t, r)
		}
		for _, p := range all[policies](t, tpl, "AWS::SQS::QueuePolicy") {
			text := string(p.PolicyDocument)
			for _, want := range []string{`"aws:SecureTransport":"false"`, `"Service":"events.amazonaws.com"`, `:rule/autotagger-forward-*`, `"aws:SourceAccount":{"Ref":"AWS::AccountId"}`} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the queue's policy lacks %s: %s", name, want, text)
				}
			}
		}
	}
}

type forwardRole struct {
	RoleName                 json.RawMessage
	AssumeRolePolicyDocument document
	ManagedPolicyArns        []any
	Policies                 []struct {
		PolicyDocument struct {
			Statement []struct {
				Effect    string
				Action    texts
				Resource  ref
				Condition any
			}
		}
	}
}

// checkForwardRole: a rule's role may put events on the hub's bus, that is all,
// and only our rules of this account may take it.
func checkForwardRole(t *testing.T, r forwardRole) {
	t.Helper()
	if want := `{"Fn::Join":["",["autotagger-forward-",{"Ref":"AWS::Region"}]]}`; string(r.RoleName) != want {
		t.Errorf("the role is %s, want %s", r.RoleName, want)
	}
	if len(r.Policies) != 1 || len(r.Policies[0].PolicyDocument.Statement) != 1 || len(r.ManagedPolicyArns) > 0 {
		t.Fatalf("the role has %+v", r)
	}
	s := r.Policies[0].PolicyDocument.Statement[0]
	if s.Effect != "Allow" || !slices.Equal(s.Action, texts{"events:PutEvents"}) || s.Resource.Ref != hubParameter {
		t.Errorf("the role may %+v", s)
	}
	trust := r.AssumeRolePolicyDocument.Statement
	source, _ := json.Marshal(trust[0].Condition["ArnLike"]["aws:SourceArn"])
	if len(trust) != 1 || !isService(trust[0], "events.amazonaws.com") ||
		!strings.Contains(string(source), ":rule/autotagger-forward-*") || trust[0].Condition["StringEquals"]["aws:SourceAccount"] == nil {
		t.Errorf("the role trusts %+v", trust)
	}
}

// The spoke's rules let through what the hub's do of one account, and the hub's
// bus lets through what they forward: each sample event by the same way.
func TestForwardedEventsArrive(t *testing.T) {
	_, templates := spokeTemplates(t)
	forwarding, bus, cors := quaminaOf(t, templates[deployment.RulesStackSet], ""), quaminaOf(t, theTemplate(t), "autotagger-tagger-bus"), quaminaOf(t, theTemplate(t), "autotagger-cors-bus")
	direct, directCORS := matcher(t, "tagger"), matcher(t, "cors")
	arrived := 0
	for _, file := range samples(t) {
		for i, event := range file.events {
			count := func(q *quamina.Quamina) int {
				m, err := q.MatchesForEvent(event)
				if err != nil {
					t.Fatalf("%s, event %d: %v", file.path, i, err)
				}
				return len(m)
			}
			want := count(direct)
			if got := count(forwarding); got != want {
				t.Errorf("%s, event %d: forwarded by %d rules, one account has %d", file.path, i, got, want)
			}
			if want == 0 {
				continue
			}
			arrived++
			if count(bus) != 1 {
				t.Errorf("%s, event %d: forwarded, and no rule of the bus takes it", file.path, i)
			}
			if got, want := count(cors), count(directCORS); got != want {
				t.Errorf("%s, event %d: %d rules of the bus send it to cors, want %d", file.path, i, got, want)
			}
		}
	}
	if arrived == 0 {
		t.Error("no event arrives")
	}
	for name, event := range map[string]string{
		"another source":      `{"source":"mine","detail-type":"AWS API Call via CloudTrail","detail":{}}`,
		"another detail type": `{"source":"aws.s3","detail-type":"Object Created","detail":{}}`,
		"an alarm":            `{"source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","detail":{"alarmName":"autotagger-forward-undelivered","state":{"value":"ALARM"}}}`,
	} {
		if m, err := bus.MatchesForEvent([]byte(event)); err != nil || len(m) > 0 {
			t.Errorf("%s gets through the bus to the tagger: %v, %v", name, m, err)
		}
	}
}

// quaminaOf is the rules of a template whose names begin with a prefix.
func quaminaOf(t *testing.T, tpl template, prefix string) *quamina.Quamina {
	t.Helper()
	q, err := quamina.New()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range all[struct {
		Name         string
		EventPattern json.RawMessage
	}](t, tpl, "AWS::Events::Rule") {
		if !strings.HasPrefix(r.Name, prefix) {
			continue
		}
		n++
		if err := q.AddPattern(r.Name, string(patternOf(t, r.EventPattern))); err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		t.Fatalf("no rule is named %s…", prefix)
	}
	return q
}

// A spoke's role may do what the function of one account may do itself, no more
// and no less, and trusts that function of the hub alone.
func TestSpokeRoles(t *testing.T) {
	_, templates := spokeTemplates(t)
	tpl := templates[deployment.RolesStackSet]
	hubAccount := `{"Fn::Select":[4,{"Fn::Split":[":",{"Ref":"Hub"}]}]}`
	hubRegion := `{"Fn::Select":[3,{"Fn::Split":[":",{"Ref":"Hub"}]}]}`
	names := map[string]string{"Tagger": "autotagger-tagger-spoke", "Cors": "autotagger-cors-spoke"}
	roles := all[role](t, tpl, "AWS::IAM::Role")
	if len(roles) != len(names) {
		t.Errorf("%d roles", len(roles))
	}
	for id, r := range roles {
		job := "Tagger"
		if strings.HasPrefix(id, "Cors") {
			job = "Cors"
		}
		if r.RoleName != names[job] || !policy.Default().IsOwnRole(r.RoleName) {
			t.Errorf("%s is named %s", id, r.RoleName)
		}
		trust := r.AssumeRolePolicyDocument.Statement
		if len(trust) != 1 || !slices.Equal(trust[0].Action, texts{"sts:AssumeRole"}) || trust[0].Effect != "Allow" {
			t.Fatalf("%s trusts %+v", id, trust)
		}
		principal, _ := json.Marshal(trust[0].Principal)
		if want := `{"AWS":{"Fn::Join":["",["arn:",{"Ref":"AWS::Partition"},":iam::",` + hubAccount + `,":root"]]}}`; string(principal) != want {
			t.Errorf("%s trusts %s, want %s", id, principal, want)
		}
		condition, _ := json.Marshal(trust[0].Condition)
		want := `{"ArnEquals":{"aws:PrincipalArn":{"Fn::Join":["",["arn:",{"Ref":"AWS::Partition"},":iam::",` + hubAccount + `,":role/autotagger-` + strings.ToLower(job) + `-",` + hubRegion + `]]}},"StringEquals":{"aws:PrincipalOrgID":"` + testOrganization + `"}}`
		if string(condition) != want {
			t.Errorf("%s asks for\n%s, want\n%s", id, condition, want)
		}
		got, direct := documents(t, tpl, job), documents(t, theTemplate(t), job+"Role")
		if got, want := tagging(t, got), tagging(t, direct); len(got) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s may\n%s, the function of one account\n%s", id, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// tagging are the statements of policies, one an action, but for those by which a
// function runs. None removes a tag.
func tagging(t *testing.T, policies []string) []string {
	t.Helper()
	var out []string
	for _, text := range policies {
		var d document
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Statement {
			for _, a := range s.Action {
				if strings.Contains(strings.ToLower(a), "untag") || strings.Contains(a, "RemoveTag") || strings.Contains(a, "DeleteTag") {
					t.Errorf("%s removes tags", a)
				}
				service, _, _ := strings.Cut(a, ":")
				if s.Sid == "Logs" && slices.Contains(ownLogs, a) || service == "sqs" && (s.Sid == "" || s.Sid == "Send") || slices.Contains(ownParameters, a) {
					continue
				}
				condition, _ := json.Marshal(s.Condition)
				out = append(out, s.Effect+" "+a+" "+string(s.Resource)+" "+string(condition))
			}
		}
	}
	slices.Sort(out)
	return out
}

type stackSet struct {
	StackSetName, PermissionModel, CallAs, TemplateBody string
	Capabilities                                        []string
	AutoDeployment                                      struct{ Enabled, RetainStacksOnAccountRemoval bool }
	ManagedExecution                                    struct{ Active bool }
	OperationPreferences                                map[string]any
	Parameters                                          []struct {
		ParameterKey   string
		ParameterValue ref
	}
	StackInstancesGroup []struct {
		DeploymentTargets struct{ OrganizationalUnitIds []string }
		Regions           []string
	}
}

func TestStackSets(t *testing.T) {
	s := organisation(t)
	tpl, _, err := makeHub(s)
	if err != nil {
		t.Fatal(err)
	}
	bodies, _ := spokeTemplates(t)
	regions := map[string][]string{
		"autotagger-roles":     {"eu-west-1"},
		"autotagger-rules":     {"eu-west-1", "us-west-2", "eu-central-1"},
		"autotagger-companion": {"us-east-1"},
	}
	got := map[string][]string{}
	for id, set := range all[stackSet](t, tpl, "AWS::CloudFormation::StackSet") {
		group := set.StackInstancesGroup[0]
		got[set.StackSetName] = group.Regions
		if set.PermissionModel != "SERVICE_MANAGED" || set.CallAs != "DELEGATED_ADMIN" || !slices.Equal(set.Capabilities, []string{"CAPABILITY_NAMED_IAM"}) ||
			!set.AutoDeployment.Enabled || set.AutoDeployment.RetainStacksOnAccountRemoval || !set.ManagedExecution.Active ||
			!slices.Equal(group.DeploymentTargets.OrganizationalUnitIds, s.Units) {
			t.Errorf("%s: %+v", id, set)
		}
		if want := map[string]any{"RegionConcurrencyType": "PARALLEL", "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE", "MaxConcurrentPercentage": 100., "FailureTolerancePercentage": 100.}; !maps.Equal(set.OperationPreferences, want) {
			t.Errorf("%s goes on by %v, want %v", id, set.OperationPreferences, want)
		}
		if len(set.Parameters) != 1 || set.Parameters[0].ParameterKey != hubParameter || tpl.Resources[set.Parameters[0].ParameterValue.id()].Type != "AWS::Events::EventBus" {
			t.Errorf("%s gets %+v", id, set.Parameters)
		}
		if set.TemplateBody != bodies[set.StackSetName] {
			t.Errorf("%s has another template", id)
		}
		// Their events' way is open before them and after them.
		waits := tpl.Resources[id].DependsOn
		for other, r := range tpl.Resources {
			if (r.Type == "AWS::Events::Rule" || r.Type == "AWS::Events::EventBusPolicy") && !slices.Contains(waits, other) {
				t.Errorf("%s doesn't wait for %s", id, other)
			}
		}
	}
	if !reflect.DeepEqual(got, regions) {
		t.Errorf("stack sets in %v, want %v", got, regions)
	}
	s.Units = nil
	tpl, _, err = makeHub(s)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all[stackSet](t, tpl, "AWS::CloudFormation::StackSet")); n > 0 {
		t.Errorf("%d stack sets without a unit", n)
	}
}

// The hub of an organisation takes nothing from its own account's default bus and
// does nothing as itself: spokes forward, and are acted in.
func TestOrganisationHub(t *testing.T) {
	s := organisation(t)
	tpl, _, err := makeHub(s)
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range all[rule](t, tpl, "AWS::Events::Rule") {
		if tpl.Resources[r.EventBusName.id()].Type != "AWS::Events::EventBus" {
			t.Errorf("%s is on the bus %+v", id, r.EventBusName)
		}
	}
	for id, p := range all[policies](t, tpl, "AWS::SQS::QueuePolicy") {
		if strings.Contains(string(p.PolicyDocument), ":rule/autotagger-") {
			t.Errorf("%s lets in rules of the default bus", id)
		}
	}
	values := map[string]string{}
	for _, p := range all[parameter](t, tpl, "AWS::SSM::Parameter") {
		values[p.Name] = p.Value
	}
	if want := map[string]string{"/autotagger/writing": "off", "/autotagger/configuration": "deployed"}; !maps.Equal(values, want) {
		t.Errorf("parameters %v, want %v", values, want)
	}
	for _, f := range all[function](t, tpl, "AWS::Lambda::Function") {
		want := f.variables(t, tpl, map[string]any{"AUTOTAGGER_SPOKE_ROLE": f.FunctionName + "-spoke"})
		if !reflect.DeepEqual(f.Environment.Variables, want) {
			t.Errorf("%s runs with %v, want %v", f.FunctionName, f.Environment.Variables, want)
		}
	}
	for _, job := range []string{"tagger", "cors"} {
		got := tagging(t, documents(t, tpl, strings.ToUpper(job[:1])+job[1:]+"Role"))
		want := `Allow sts:AssumeRole "arn:aws:iam::*:role/autotagger-` + job + `-spoke" {"StringEquals":{"aws:ResourceOrgID":"` + testOrganization + `"}}`
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s may\n%s\nwant\n%s", job, strings.Join(got, "\n"), want)
		}
	}
	if n := len(all[policies](t, tpl, "AWS::IAM::ManagedPolicy")); n > 0 {
		t.Errorf("%d managed policies", n)
	}
}

// The bus lets in rules of the organisation's accounts by their role; of one
// account it lets in nobody else.
func TestBusPolicy(t *testing.T) {
	tpl, _, err := makeHub(organisation(t))
	if err != nil {
		t.Fatal(err)
	}
	all1 := all[struct {
		EventBusName, Principal any
		Statement               statement
	}](t, tpl, "AWS::Events::EventBusPolicy")
	if len(all1) != 1 {
		t.Fatalf("%d policies", len(all1))
	}
	for id, p := range all1 {
		s := p.Statement
		condition, _ := json.Marshal(s.Condition)
		want := `{"ArnLike":{"aws:PrincipalArn":{"Fn::Join":["",["arn:",{"Ref":"AWS::Partition"},":iam::*:role/autotagger-forward-*"]]}},"StringEquals":{"aws:PrincipalOrgID":"` + testOrganization + `"}}`
		if s.Effect != "Allow" || !slices.Equal(s.Action, texts{"events:PutEvents"}) || string(condition) != want || p.Principal != nil {
			t.Errorf("%s: %+v under %s, want %s", id, s, condition, want)
		}
	}
	if n := len(all[any](t, theTemplate(t), "AWS::Events::EventBusPolicy")); n > 0 {
		t.Errorf("the bus of one account has %d policies", n)
	}
}

// stacks are the stacks of an app: their regions by their names.
func stacks(t *testing.T, s Settings) (map[string]string, awscdk.App) {
	t.Helper()
	app := awscdk.NewApp(nil)
	if err := newApp(app, s, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, child := range *app.Node().Children() {
		if stack, ok := child.(awscdk.Stack); ok {
			out[*stack.StackName()] = *stack.Region()
		}
	}
	return out, app
}

func TestStacks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Settings)
		want   map[string]string
	}{
		"one account": {func(s *Settings) {}, map[string]string{
			"Autotagger": "eu-west-1", "Autotagger-companion-us-east-1": "us-east-1", "Autotagger-companion-us-west-2": "us-west-2",
		}},
		"no companions":   {func(s *Settings) { s.Companions = false }, map[string]string{"Autotagger": "eu-west-1"}},
		"at home":         {func(s *Settings) { s.Region, s.Regions = "us-east-1", []string{"us-east-1", "us-west-2"} }, map[string]string{"Autotagger": "us-east-1", "Autotagger-rules-us-west-2": "us-west-2"}},
		"GovCloud":        {func(s *Settings) { s.Region = "us-gov-east-1" }, map[string]string{"Autotagger": "us-gov-east-1", "Autotagger-companion-us-gov-west-1": "us-gov-west-1"}},
		"China":           {func(s *Settings) { s.Region = "cn-north-1" }, map[string]string{"Autotagger": "cn-north-1", "Autotagger-companion-cn-northwest-1": "cn-northwest-1"}},
		"an organisation": {func(s *Settings) { s.Organization = testOrganization }, map[string]string{"Autotagger": "eu-west-1"}},
		"spokes": {func(s *Settings) { s.Organization, s.Hub = testOrganization, testHub }, map[string]string{
			"Autotagger-roles-eu-west-1": "eu-west-1", "Autotagger-rules-eu-west-1": "eu-west-1",
			"Autotagger-companion-us-east-1": "us-east-1", "Autotagger-companion-us-west-2": "us-west-2",
		}},
		"spokes of one account": {func(s *Settings) {
			s.Hub, s.Companions = strings.ReplaceAll(testHub, "222233334444", testAccount), false
		}, map[string]string{"Autotagger-rules-eu-west-1": "eu-west-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := testSettings(testConfig, bootstraps(t))
			if err != nil {
				t.Fatal(err)
			}
			s.Companions = true
			c.change(&s)
			if got, _ := stacks(t, s); !maps.Equal(got, c.want) {
				t.Errorf("stacks %v, want %v", got, c.want)
			}
		})
	}
}

// What isn't covered is said.
func TestRegionWarnings(t *testing.T) {
	for name, c := range map[string]struct{ region, want string }{
		"unknown":      {"", "only the hub is made"},
		"no companion": {"us-iso-east-1", "partition aws-iso isn't known"},
	} {
		s, err := testSettings("cors: off", bootstraps(t))
		if err != nil {
			t.Fatal(err)
		}
		s.Region, s.Account, s.Companions = c.region, "", true
		got, app := stacks(t, s)
		if len(got) != 1 {
			t.Errorf("%s: stacks %v", name, got)
		}
		w := warnings(app.Node().FindChild(jsii.String("Autotagger")).(awscdk.Stack))
		if len(w) != 1 || !strings.Contains(w[0], c.want) {
			t.Errorf("%s: warnings %v, want one with %q", name, w, c.want)
		}
	}
}

// A plain spoke of an account that isn't known forwards to its own account.
func TestPlainSpoke(t *testing.T) {
	s, err := testSettings(testConfig, bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Companions = true
	_, app := stacks(t, s)
	tpl, err := templateOf(app.Node().FindChild(jsii.String("Autotagger-companion-us-east-1")).(awscdk.Stack))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for id, r := range tpl.Resources {
		if r.Type != "AWS::Events::Rule" {
			continue
		}
		n++
		if !strings.Contains(string(r.Properties), `"Arn":"arn:aws:events:eu-west-1:`+testAccount+`:event-bus/autotagger"`) {
			t.Errorf("%s: %s", id, r.Properties)
		}
	}
	if n == 0 {
		t.Error("it has no rules")
	}
}

// Calls that take tags away are forwarded and taken where they are to be reported,
// beside the same rules as else.
func TestRemovals(t *testing.T) {
	with, err := testSettings(testConfig+"report-removed-tags: true\n", bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	with.Companions = true
	_, app := stacks(t, with)
	const event = `{"source":"aws.sqs","detail-type":"AWS API Call via CloudTrail","detail":{"eventSource":"sqs.amazonaws.com","eventName":"UntagQueue"}}`
	for stack, prefix := range map[string]string{"Autotagger": "autotagger-tagger-", "Autotagger-companion-us-east-1": "autotagger-forward-"} {
		tpl, err := templateOf(app.Node().FindChild(jsii.String(stack)).(awscdk.Stack))
		if err != nil {
			t.Fatal(err)
		}
		names, err := quaminaOf(t, tpl, prefix+"removals").MatchesForEvent([]byte(event))
		if err != nil || len(names) != 1 {
			t.Errorf("%s: %v, %v", stack, names, err)
		}
	}
	if m, err := matcher(t, "tagger").MatchesForEvent([]byte(event)); err != nil || len(m) > 0 {
		t.Errorf("it arrives where it isn't to be reported: %v, %v", m, err)
	}
}
