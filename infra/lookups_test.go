package main

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/deployment"
	"autotagger/internal/iampolicy"
	"autotagger/internal/ledger"
	"autotagger/internal/lookup"
)

// lookingConfig asks for everything.
const lookingConfig = testConfig + `
look-ups: {ledger: true, parents: true, children: true, identity-store: {region: eu-west-1}}
report-removed-tags: true
restore-removed-tags: true
cost-center: [{parent-tag: cc}, {session-tag: cc}, {principal-tag: cc}, {account-tag: cc}, {organizational-unit: {r-ab12: "1"}}]
`

// lookingSettings are those of a deployment with all look-ups.
func lookingSettings(t *testing.T, config string) Settings {
	t.Helper()
	s, err := testSettings(config, bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lookingTemplate is the hub of one account with all look-ups.
var lookingTemplate = sync.OnceValues(func() (template, error) {
	return builtHub(lookingConfig, func(s *Settings) { s.AlarmEmail = "ops@example.com" })
})

// lookingHub is that of an organisation.
var lookingHub = sync.OnceValues(func() (template, error) {
	return builtHub(lookingConfig, func(s *Settings) { s.Organization, s.CustomerKey = testOrganization, true })
})

// must is what one of them gives.
func must(t *testing.T, made func() (template, error)) template {
	t.Helper()
	tpl, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// TestTable: the ledger's table is there where it is asked for, loses what has expired,
// can be restored, and goes with the stack.
func TestTable(t *testing.T) {
	type table struct {
		TableName, BillingMode  string
		KeySchema               []struct{ AttributeName, KeyType string }
		AttributeDefinitions    []struct{ AttributeName, AttributeType string }
		TimeToLiveSpecification struct {
			AttributeName string
			Enabled       bool
		}
		PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
		SSESpecification                 struct {
			SSEEnabled     bool
			SSEType        string
			KMSMasterKeyId ref
		}
	}
	for name, tpl := range map[string]template{"one account": must(t, lookingTemplate), "a customer key": must(t, lookingHub)} {
		tables := all[table](t, tpl, "AWS::DynamoDB::Table")
		if len(tables) != 1 {
			t.Fatalf("%s: %d tables", name, len(tables))
		}
		for id, got := range tables {
			key := got.SSESpecification.KMSMasterKeyId
			if custom := name == "a customer key"; custom != (tpl.Resources[key.id()].Type == "AWS::KMS::Key") || custom != got.SSESpecification.SSEEnabled {
				t.Errorf("%s: it is encrypted by %+v", name, got.SSESpecification)
			}
			want := table{TableName: deployment.Table, BillingMode: "PAY_PER_REQUEST", SSESpecification: got.SSESpecification}
			want.KeySchema = []struct{ AttributeName, KeyType string }{{"id", "HASH"}, {"at", "RANGE"}}
			want.AttributeDefinitions = []struct{ AttributeName, AttributeType string }{{"id", "S"}, {"at", "S"}}
			want.TimeToLiveSpecification.AttributeName, want.TimeToLiveSpecification.Enabled = "expires", true
			want.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled = true
			if !reflect.DeepEqual(got, want) || tpl.Resources[id].DeletionPolicy != "Delete" {
				t.Errorf("%s: it is\n%+v, to %s with the stack; want\n%+v", name, got, tpl.Resources[id].DeletionPolicy, want)
			}
			for _, f := range all[function](t, tpl, "AWS::Lambda::Function") {
				named := reflect.DeepEqual(f.Environment.Variables[deployment.EnvTable], map[string]any{"Ref": id})
				if named == (f.FunctionName == "autotagger-cors") {
					t.Errorf("%s: %s runs with %v", name, f.FunctionName, f.Environment.Variables)
				}
			}
		}
	}
	if n := len(all[table](t, theTemplate(t), "AWS::DynamoDB::Table")); n > 0 {
		t.Errorf("%d tables without look-ups", n)
	}
}

// TestLedgerFunction: it runs beside the others, with queues and alarms of its own and
// without the configuration, which it doesn't need.
func TestLedgerFunction(t *testing.T) {
	tpl := must(t, lookingTemplate)
	var found bool
	for _, f := range all[function](t, tpl, "AWS::Lambda::Function") {
		if f.FunctionName != "autotagger-ledger" {
			continue
		}
		found = true
		if got, want := slices.Sorted(maps.Keys(f.Environment.Variables)), []string{deployment.EnvAccount, deployment.EnvDeadLetters, deployment.EnvQueue, deployment.EnvTable}; !slices.Equal(got, want) {
			t.Errorf("it runs with %v, want %v", got, want)
		}
	}
	if !found {
		t.Error("there is no function")
	}
	fed := 0
	for _, m := range all[mapping](t, tpl, "AWS::Lambda::EventSourceMapping") {
		if strings.HasPrefix(m.FunctionName.id(), "Ledger") && strings.HasPrefix(m.EventSourceArn.id(), "LedgerQueue") {
			fed++
		}
	}
	if fed != 1 {
		t.Errorf("%d queues feed it", fed)
	}
	var alarms []string
	looks := false
	for _, a := range all[alarmProps](t, tpl, "AWS::CloudWatch::Alarm") {
		looks = looks || a.AlarmName == "autotagger-tagger-denied-look-ups" && a.MetricName == "LookUps" && len(a.Dimensions) == 2
		if name, ok := strings.CutPrefix(a.AlarmName, "autotagger-ledger-"); ok {
			alarms = append(alarms, name)
		}
		for _, m := range a.Metrics {
			if a.AlarmName == "autotagger-denied" && strings.Contains(m.Expression, "ledger") {
				t.Errorf("%s looks at %s", a.AlarmName, m.Expression)
			}
		}
	}
	for _, q := range all[struct {
		Name          string
		LogGroupNames []ref
	}](t, tpl, "AWS::Logs::QueryDefinition") {
		if want := map[bool]int{true: 3, false: 2}[q.Name == "autotagger-event"]; len(q.LogGroupNames) != want {
			t.Errorf("%s asks %d logs, want %d", q.Name, len(q.LogGroupNames), want)
		}
	}
	sections, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	if !looks || !strings.Contains(string(sections), "`autotagger-tagger-denied-look-ups`") {
		t.Error("no alarm looks at denied look-ups, or troubleshooting.md doesn't name it")
	}
	for _, name := range alarms {
		if !strings.Contains(string(sections), "`autotagger-ledger-"+name+"`") {
			t.Errorf("troubleshooting.md doesn't name autotagger-ledger-%s", name)
		}
	}
	slices.Sort(alarms)
	if want := []string{"age", "concurrency", "dead-letters", "errors", "refused", "throttled-writes"}; !slices.Equal(alarms, want) {
		t.Errorf("alarms %v, want %v", alarms, want)
	}
}

// named are the actions that policies name, none by a wildcard.
func named(t *testing.T, policies []iampolicy.Document) []string {
	t.Helper()
	var all []string
	for _, doc := range policies {
		for _, s := range doc.Statements {
			if len(s.NotActions) > 0 || slices.ContainsFunc(s.Actions, func(a string) bool { return strings.ContainsAny(a, "*?") }) {
				t.Errorf("%s is open: %v", s.Sid, s.Actions)
			}
			all = append(all, s.Actions...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// allowed are those of the actions that a role's policies allow for a request, but for
// those by which a function runs.
func allowed(t *testing.T, actions []string, context map[string][]string, policies []iampolicy.Document) []string {
	t.Helper()
	own := ownActions()
	var all []string
	for _, action := range actions {
		if slices.Contains(own, action) {
			continue
		}
		r := iampolicy.Evaluate(iampolicy.Request{Action: action, Resource: resourceFor(action), Context: context}, policies...)
		if r.Decision != iampolicy.NotAllowed {
			all = append(all, action)
		}
	}
	slices.Sort(all)
	return all
}

// TestLedgerMayOnlyWrite: the ledger's function writes to the table, and that is all; in
// an organisation it assumes nothing.
func TestLedgerMayOnlyWrite(t *testing.T) {
	for name, c := range map[string]struct {
		made func() (template, error)
		want []string
	}{
		"one account":     {lookingTemplate, []string{"dynamodb:BatchWriteItem"}},
		"an organisation": {lookingHub, []string{"dynamodb:BatchWriteItem", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}},
	} {
		policies := roleDocuments(t, must(t, c.made), "LedgerRole")
		if got := allowed(t, everyAction(t), map[string][]string{"kms:ViaService": {"dynamodb.eu-west-1.amazonaws.com"}, "aws:ResourceOrgID": {testOrganization}}, policies); !slices.Equal(got, c.want) {
			t.Errorf("%s: it may %v, want %v", name, got, c.want)
		}
		for _, text := range documents(t, must(t, c.made), "LedgerRole") {
			for _, action := range []string{"ssm:", "cloudtrail:", "s3:", "sts:"} {
				if strings.Contains(text, action) {
					t.Errorf("%s: it has a statement of %s: %s", name, action, text)
				}
			}
		}
	}
	tpl := must(t, lookingTemplate)
	for id, p := range all[policies](t, tpl, "AWS::IAM::Policy") {
		if text := string(p.PolicyDocument); strings.Contains(text, "dynamodb:") && strings.Contains(text, `"Resource":"*"`) && strings.HasPrefix(id, "Ledger") {
			t.Errorf("%s is for every table: %s", id, text)
		}
	}
}

// TestTaggerKeepsItsOwn: the tagger reads the table and writes what it keeps itself, and
// no sessions or stacks.
func TestTaggerKeepsItsOwn(t *testing.T) {
	for _, made := range []func() (template, error){lookingTemplate, lookingHub} {
		policies := roleDocuments(t, must(t, made), "TaggerRole")
		for _, c := range []struct {
			action string
			keys   []string
			want   iampolicy.Decision
		}{
			{"Query", []string{"session/ASIAEXAMPLE"}, iampolicy.Allowed},
			{"BatchGetItem", []string{"written/arn:aws:s3:::b"}, iampolicy.Allowed},
			{"PutItem", []string{"restored/arn:aws:s3:::b"}, iampolicy.Allowed},
			{"BatchWriteItem", []string{"written/arn:aws:s3:::b", "written/arn:aws:s3:::c"}, iampolicy.Allowed},
			{"BatchWriteItem", []string{"written/arn:aws:s3:::b", "session/ASIAEXAMPLE"}, iampolicy.NotAllowed},
			{"PutItem", []string{"stack/arn:aws:cloudformation:eu-west-1:111122223333:stack/web"}, iampolicy.NotAllowed},
			{"PutItem", nil, iampolicy.NotAllowed},
			{"DeleteItem", []string{"written/arn:aws:s3:::b"}, iampolicy.NotAllowed},
			{"UpdateItem", []string{"written/arn:aws:s3:::b"}, iampolicy.NotAllowed},
			{"Scan", nil, iampolicy.NotAllowed},
			{"DeleteTable", nil, iampolicy.NotAllowed},
		} {
			r := iampolicy.Evaluate(iampolicy.Request{
				Action: "dynamodb:" + c.action, Resource: "arn:aws:dynamodb:" + testRegion + ":" + testAccount + ":table/" + deployment.Table,
				Context: map[string][]string{"dynamodb:LeadingKeys": c.keys},
			}, policies...)
			if r.Decision != c.want {
				t.Errorf("%s of %v is %s by %q, want %s (%s)", c.action, c.keys, r.Decision, r.Sid, c.want, r.Why)
			}
		}
	}
}

// TestLookUpPermissions: each look-up brings the permissions that it takes and no others,
// to the role that makes it.
func TestLookUpPermissions(t *testing.T) {
	children, principals := []string{"ec2:DescribeImages", "ec2:DescribeInstances"}, []string{"iam:GetRole", "iam:GetUser"}
	for config, want := range map[string]struct{ spoke, elsewhere, own []string }{
		"mode: observe":                                                            {},
		"look-ups: {children: true}":                                               {spoke: children, elsewhere: children},
		"cost-center: [{principal-tag: cc}]":                                       {spoke: principals, elsewhere: principals},
		"sessions: {strict: true, verify: true}":                                   {spoke: principals, elsewhere: principals},
		"sessions: {strict: true}":                                                 {},
		"cost-center: [{account-tag: cc}]":                                         {own: []string{"organizations:ListTagsForResource"}},
		`cost-center: [{organizational-unit: {r-ab12: "1"}}]`:                      {own: []string{"organizations:ListParents"}},
		"look-ups: {identity-store: {region: eu-west-1}}":                          {own: []string{"identitystore:DescribeUser"}},
		`look-ups: {identity-store: {region: eu-west-1, account: "444455556666"}}`: {spoke: []string{"identitystore:DescribeUser"}},
		"look-ups: {ledger: true}":                                                 {own: []string{"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query"}},
	} {
		s := lookingSettings(t, testConfig+config+"\n")
		h := &hub{settings: s, stack: awscdk.NewStack(awscdk.NewApp(nil), jsii.String("S"), nil)}
		h.addTable()
		newRole := func(id string, allow func(awsiam.Role) error) {
			role := awsiam.NewRole(h.stack, jsii.String(id), &awsiam.RoleProps{AssumedBy: awsiam.NewAccountPrincipal(jsii.String(testAccount))})
			allowHistory(role) // so that there is a policy
			if err := allow(role); err != nil {
				t.Fatalf("%s: %v", config, err)
			}
		}
		newRole("Spoke", func(role awsiam.Role) error { return allowLookUps(role, s.Policy) })
		newRole("Own", h.allowOwnLookUps)
		tpl, err := templateOf(h.stack)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			role, account string
			want          []string
		}{
			"in the account 444455556666": {"Spoke", "444455556666", want.spoke},
			"in another account":          {"Spoke", "777788889999", want.elsewhere},
			"in the hub":                  {"Own", testAccount, want.own},
		} {
			policies := roleDocuments(t, tpl, c.role)
			got := allowed(t, named(t, policies), map[string][]string{"aws:PrincipalAccount": {c.account}, "dynamodb:LeadingKeys": {"written/a"}}, policies)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %s it may %v, want %v", config, name, got, c.want)
			}
		}
	}
}

// TestLookingTaggerMayNoMore: with all look-ups in one account the tagger may do what
// tagging and look-ups take, of all actions that IAM knows.
func TestLookingTaggerMayNoMore(t *testing.T) {
	s := lookingSettings(t, lookingConfig)
	catalogued, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	spoke, own, err := lookup.Actions(catalogue.Default(), s.Policy)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(spoke, own, catalogue.Actions(s.Policy.RowsOn(catalogued)),
		[]string{"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query"})
	slices.Sort(want)
	known := everyAction(t)
	want = slices.DeleteFunc(slices.Compact(want), func(a string) bool { return !slices.Contains(known, a) })
	context := taggingWith(s.Policy.Keys()...)
	context["dynamodb:LeadingKeys"] = []string{"written/a"}
	got := allowed(t, known, context, roleDocuments(t, must(t, lookingTemplate), "TaggerRole"))
	if !slices.Equal(got, want) {
		t.Errorf("it may also %v, and not %v", without(got, want), without(want, got))
	}
	if len(spoke) < 10 || len(own) < 3 {
		t.Errorf("look-ups take %v and %v", spoke, own)
	}
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(a string) bool { return slices.Contains(some, a) })
}

// ledgerEvents are sample events, by whether the ledger is to get them.
func ledgerEvents(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, file := range samples(t) {
		if !strings.HasPrefix(file.path, "ledger/") && !strings.HasPrefix(file.path, "cloudformation/") {
			continue
		}
		for _, event := range file.events {
			e, err := cloudtrail.Decode(string(event))
			if err != nil {
				t.Fatalf("%s: %v", file.path, err)
			}
			items, why := ledger.Read(e)
			if len(items) == 0 && !slices.Contains([]ledger.Reason{ledger.NotWanted, ledger.Failed, ledger.ByService, ledger.Own}, why) {
				continue
			}
			all[string(event)] = len(items) > 0
		}
	}
	wanted := slices.DeleteFunc(slices.Collect(maps.Values(all)), func(is bool) bool { return !is })
	if len(wanted) < 20 || len(wanted) > len(all)-3 {
		t.Fatalf("%d of %d events are wanted", len(wanted), len(all))
	}
	return all
}

// TestLedgerRules: what the ledger records reaches its queue in one account by the
// default bus, and from elsewhere by a spoke's rules and the hub's bus; the tagger gets
// none of it. The rules of sessions get read-only calls.
func TestLedgerRules(t *testing.T) {
	one, hub := must(t, lookingTemplate), must(t, lookingHub)
	s := lookingSettings(t, lookingConfig)
	s.Organization = testOrganization
	catalogued, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	rows := s.Policy.RowsOn(catalogued)
	spokes := map[string]template{}
	for _, sp := range []spoke{rulesSpoke(s, rows), companionSpoke(s, rows)} {
		text, err := sp.template()
		if err != nil {
			t.Fatal(err)
		}
		var tpl template
		if err := json.Unmarshal([]byte(text), &tpl); err != nil {
			t.Fatal(err)
		}
		spokes[sp.set] = tpl
	}
	for name, tpl := range map[string]template{"one account": one, "the hub": hub, "a spoke": spokes[deployment.RulesStackSet], "a companion": spokes[deployment.CompanionStackSet]} {
		states := 0
		for id, r := range all[rule](t, tpl, "AWS::Events::Rule") {
			session := strings.HasSuffix(r.Name, "-sessions") || strings.HasSuffix(r.Name, "-federation")
			if session {
				states++
			}
			if want := map[bool]string{true: deployment.StateReadOnly}[session]; r.State != want {
				t.Errorf("%s: %s is %q, want %q", name, id, r.State, want)
			}
		}
		if want := map[string]int{"one account": 4}[name]; states != max(want, 2) {
			t.Errorf("%s: %d rules of sessions", name, states)
		}
	}
	for name, c := range map[string]struct {
		tpl    template
		prefix string
		rules  int // that let through what is wanted
	}{
		"one account":             {one, "autotagger-ledger-", 2}, // of the default bus and of ours
		"the hub's bus":           {hub, "autotagger-ledger-bus", 1},
		"the bus, to the tagger":  {hub, "autotagger-tagger-bus", 0},
		"one account, the tagger": {one, "autotagger-tagger-", 0},
		"a hub without a ledger":  {theTemplate(t), "autotagger-tagger-bus", 0}, // a spoke may still forward
		"a spoke":                 {spokes[deployment.RulesStackSet], "autotagger-forward-", 1},
		"a companion":             {spokes[deployment.CompanionStackSet], "autotagger-forward-", 1},
	} {
		q := quaminaOf(t, c.tpl, c.prefix)
		for event, wanted := range ledgerEvents(t) {
			want := 0
			if wanted {
				want = c.rules
			}
			got, err := q.MatchesForEvent([]byte(event))
			if err != nil || len(got) != want {
				t.Errorf("%s: %v let through, want %d rules: %s (%v)", name, got, want, event, err)
			}
		}
	}
	// All else that is forwarded still reaches the tagger.
	const bucket = `{"source":"aws.s3","detail-type":"AWS API Call via CloudTrail","detail":{"eventSource":"s3.amazonaws.com","eventName":"CreateBucket"}}`
	if got, err := quaminaOf(t, hub, "autotagger-tagger-bus").MatchesForEvent([]byte(bucket)); err != nil || len(got) != 1 {
		t.Errorf("a bucket's event is let through by %v (%v)", got, err)
	}
}

// TestLookingSpokesFit: with all look-ups and all services the spokes' templates still
// need no bucket.
func TestLookingSpokesFit(t *testing.T) {
	s := lookingSettings(t, strings.Replace(lookingConfig, `catalogue: {disable: ["sqs:*"]}`, "", 1))
	s.Organization = testOrganization
	catalogued, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	for _, sp := range []spoke{rolesSpoke(s, s.Policy.RowsOn(catalogued)), rulesSpoke(s, s.Policy.RowsOn(catalogued))} {
		text, err := sp.template()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", sp.set, len(text))
	}
}

// TestLookingCompanions: sessions of STS's global endpoint are taken even where no global
// service is tagged.
func TestLookingCompanions(t *testing.T) {
	s := lookingSettings(t, lookingConfig)
	s.Companions = true
	for partition, c := range map[string]struct {
		region string
		want   []string
	}{"aws": {"eu-west-1", []string{"us-east-1"}}, "at home": {"us-east-1", nil}, "China": {"cn-north-1", nil}} {
		s.Region = c.region
		if _, got, _ := places(s, nil); !slices.Equal(got, c.want) {
			t.Errorf("%s: companions %v, want %v", partition, got, c.want)
		}
	}
}

// TestBlindLookUps: look-ups that the deployment can't make are refused, or warned of.
func TestBlindLookUps(t *testing.T) {
	object := lookingSettings(t, testConfig+"cost-centers: {object: s3://lists/cost-centers.txt}\n")
	if err := object.agree(); err == nil || !strings.Contains(err.Error(), "config-bucket=lists") {
		t.Errorf("an object of another bucket: %v", err)
	}
	object.ConfigBucket = "lists"
	if err := object.agree(); err != nil {
		t.Errorf("an object of the configuration's bucket: %v", err)
	}
	store := lookingSettings(t, testConfig+`look-ups: {identity-store: {region: eu-west-1, account: "444455556666"}}`)
	if w := store.blind(); len(w) != 1 || !strings.Contains(w[0], "444455556666") {
		t.Errorf("warnings %q", w)
	}
	tags := lookingSettings(t, testConfig+"cost-center: [{account-tag: cc}]\n")
	if w := tags.blind(); len(w) != 1 || !strings.Contains(w[0], "Organizations") {
		t.Errorf("warnings %q", w)
	}
	tags.Organization, tags.Units = testOrganization, []string{"r-ab12"}
	if w := tags.blind(); len(w) > 0 {
		t.Errorf("warnings %q", w)
	}
}

// look gives the settings a configuration with all look-ups.
func (s *Settings) look() {
	if looking, err := testSettings(lookingConfig, s.Build); err == nil {
		s.Policy, s.File = looking.Policy, looking.File
	}
}
