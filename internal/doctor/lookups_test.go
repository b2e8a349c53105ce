package doctor_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"autotagger/internal/deployment"
	"autotagger/internal/doctor"
)

// looking is a configuration with a ledger, and tags and units of accounts.
const looking = `
cors: {rules: [{allowed-methods: [GET], allowed-origins: ["*"]}]}
look-ups: {ledger: true, children: true}
cost-center: [{account-tag: cc}, {organizational-unit: {r-ab12: "1"}}]
`

func (w *world) file(text string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "autotagger.yaml")
	w.must(os.WriteFile(path, []byte(text), 0o644))
	return path
}

// withLedger writes the hub's template with a ledger's parts in it.
func (w *world) withLedger() string {
	w.t.Helper()
	text, err := os.ReadFile("testdata/hub.json")
	w.must(err)
	var hub struct {
		Description        string
		Resources, Outputs map[string]any
	}
	w.must(json.Unmarshal(text, &hub))
	rule := func(name, bus string) map[string]any {
		r := map[string]any{
			"Name": name, "State": deployment.StateReadOnly, "EventPattern": map[string]any{"source": []string{"aws.sts"}},
		}
		if bus != "" {
			r["EventBusName"] = bus
		}
		return map[string]any{"Type": "AWS::Events::Rule", "Properties": r, "DependsOn": "Bus"}
	}
	role := maps.Clone(hub.Resources["CorsRole"].(map[string]any))
	role["Properties"] = maps.Clone(role["Properties"].(map[string]any))
	role["Properties"].(map[string]any)["RoleName"] = "autotagger-ledger-eu-west-1"
	function := maps.Clone(hub.Resources["CorsFunction"].(map[string]any))
	function["Properties"] = maps.Clone(function["Properties"].(map[string]any))
	function["Properties"].(map[string]any)["FunctionName"] = "autotagger-ledger"
	function["Properties"].(map[string]any)["Role"] = map[string]any{"Fn::GetAtt": []string{"LedgerRole", "Arn"}}
	maps.Copy(hub.Resources, map[string]any{
		"LedgerQueue": map[string]any{"Type": "AWS::SQS::Queue"}, "LedgerDeadLetters": map[string]any{"Type": "AWS::SQS::Queue"},
		"LedgerRole": role, "LedgerFunction": function,
		"LedgerMapping": map[string]any{"Type": "AWS::Lambda::EventSourceMapping", "Properties": map[string]any{
			"EventSourceArn": map[string]any{"Fn::GetAtt": []string{"LedgerQueue", "Arn"}}, "FunctionName": map[string]any{"Ref": "LedgerFunction"},
		}},
		"LedgerRuleSessions": rule("autotagger-ledger-sessions", ""), "LedgerRuleFederation": rule("autotagger-ledger-federation", ""),
		"LedgerBusRuleSessions": rule("autotagger-ledger-bus-sessions", "autotagger"), "LedgerBusRuleFederation": rule("autotagger-ledger-bus-federation", "autotagger"),
		"Table": map[string]any{"Type": "AWS::DynamoDB::Table", "Properties": map[string]any{
			"TableName": deployment.Table, "BillingMode": "PAY_PER_REQUEST",
			"KeySchema":               []any{map[string]string{"AttributeName": "id", "KeyType": "HASH"}},
			"AttributeDefinitions":    []any{map[string]string{"AttributeName": "id", "AttributeType": "S"}},
			"TimeToLiveSpecification": map[string]any{"AttributeName": "expires", "Enabled": true},
		}},
	})
	for output, of := range map[string]string{"LedgerFunctionName": "LedgerFunction", "LedgerQueueUrl": "LedgerQueue", "LedgerDeadLetterQueueUrl": "LedgerDeadLetters"} {
		hub.Outputs[output] = map[string]any{"Value": map[string]any{"Ref": of}}
	}
	text, err = json.Marshal(hub)
	w.must(err)
	path := filepath.Join(w.t.TempDir(), "hub.json")
	w.must(os.WriteFile(path, text, 0o644))
	return path
}

// TestNoLedger: a configuration that asks for a ledger, and a deployment without one.
func TestNoLedger(t *testing.T) {
	t.Parallel()
	w := deployed(t)
	findings := w.examine(doctor.Options{File: w.file(looking)})
	want(t, findings, "look-ups", doctor.Fail, "ledger", "the deployment has none", "make deploy")
	want(t, findings, "rules", doctor.Warn, "eu-west-1 default", "no rules for federation, sessions", "make deploy")
	want(t, findings, "regions", doctor.Warn, "us-east-1 default", "no rules for federation, sessions", "make deploy")
	if some := of(w.examine(doctor.Options{}), "look-ups"); len(some) > 0 {
		t.Errorf("without look-ups there are findings of them:\n%s", text(some))
	}
}

// TestLookUps: a deployment with a ledger, healthy and then not.
func TestLookUps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trail := w.trail()
	w.stack("CDKToolkit", "testdata/toolkit.json")
	w.stack("Autotagger", w.withLedger())
	events := func(region string) *eventbridge.Client {
		return eventbridge.NewFromConfig(w.cfg, func(o *eventbridge.Options) { o.Region = region })
	}
	put := func(region, name string, state eventbridgetypes.RuleState) {
		_, err := events(region).PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &name, State: state, EventPattern: aws.String(`{"source":["aws.sts"]}`)})
		w.must(err)
	}
	for _, region := range []string{"us-east-1", "us-west-2"} {
		for _, label := range []string{"sessions", "federation"} {
			put(region, "autotagger-forward-"+label, deployment.StateReadOnly)
		}
	}
	w.json("ListParents", `{"Parents":[{"Id":"r-ab12","Type":"ROOT"}]}`)
	w.json("ListTagsForResource", `{"Tags":[]}`)
	w.json("DescribeTimeToLive", `{"TimeToLiveDescription":{"AttributeName":"expires","TimeToLiveStatus":"ENABLED"}}`)
	config := w.file(looking)
	var mu sync.Mutex
	var asked []string
	w.simulation(func(action string) string {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, action)
		return "allowed"
	})
	findings := w.examine(doctor.Options{File: config})
	want(t, findings, "look-ups", doctor.OK, deployment.Table, "is there", "")
	want(t, findings, "look-ups", doctor.OK, "organisation", "may ask", "")
	want(t, findings, "functions", doctor.OK, "autotagger-ledger", "", "")
	want(t, findings, "permissions", doctor.OK, "autotagger-ledger-eu-west-1", "1 actions of 1 services are allowed", "")
	if !doctor.Healthy(findings) {
		t.Errorf("with all that look-ups need, something is wrong:\n%s", text(findings))
	}
	for _, f := range findings {
		if f.Status == doctor.Warn && (f.Check == "look-ups" || f.Check == "rules" || f.Check == "trail" || f.Check == "regions") {
			t.Errorf("with all that look-ups need: %+v", f)
		}
	}
	for _, action := range []string{"dynamodb:BatchWriteItem", "dynamodb:Query", "ec2:DescribeInstances", "organizations:ListParents"} {
		if !slices.Contains(asked, action) {
			t.Errorf("%s isn't simulated", action)
		}
	}

	w.json("DescribeTimeToLive", `{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}`)
	w.refuse("ListParents", "AccessDeniedException")
	put(home, "autotagger-ledger-sessions", eventbridgetypes.RuleStateEnabled)
	_, err := events("us-west-2").DeleteRule(t.Context(), &eventbridge.DeleteRuleInput{Name: aws.String("autotagger-forward-federation")})
	w.must(err)
	_, err = cloudtrail.NewFromConfig(w.cfg).PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: &trail, EventSelectors: []cloudtrailtypes.EventSelector{
		{ReadWriteType: cloudtrailtypes.ReadWriteTypeWriteOnly, IncludeManagementEvents: aws.Bool(true)},
	}})
	w.must(err)
	findings = w.examine(doctor.Options{File: config})
	want(t, findings, "look-ups", doctor.Warn, deployment.Table, "nothing expires", "update-time-to-live")
	want(t, findings, "look-ups", doctor.Warn, "organisation", "doesn't answer", "organizations:ListParents")
	want(t, findings, "rules", doctor.Warn, "eu-west-1 default", "autotagger-ledger-sessions gets no read-only calls", deployment.StateReadOnly)
	want(t, findings, "regions", doctor.Warn, "us-west-2 default", "no rules for federation", "")
	want(t, findings, "trail", doctor.Warn, home, "read-only calls", "ReadWriteType All")

	w.refuse("DescribeTable", "ResourceNotFoundException")
	w.refuse("ListParents", "AWSOrganizationsNotInUseException")
	findings = w.examine(doctor.Options{File: config})
	want(t, findings, "look-ups", doctor.Fail, deployment.Table, "the table is gone", "--revert-drift")
	want(t, findings, "look-ups", doctor.Warn, "organisation", "in none", "cost-center")
	w.refuse("DescribeTable", "AccessDeniedException")
	want(t, w.examine(doctor.Options{File: config}), "look-ups", doctor.Unknown, deployment.Table, "can't be seen", "dynamodb:DescribeTable")
}
