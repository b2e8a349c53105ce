package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/ledger"
	"autotagger/internal/lookup"
	"autotagger/internal/policy"
)

// addTable makes the ledger's table, where the configuration wants one. What it holds is
// of use for days: it goes with the stack.
func (h *hub) addTable() {
	if !h.settings.Policy.LookUps.Ledger {
		return
	}
	text := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
	}
	props := &awsdynamodb.TableProps{
		TableName:    jsii.String(deployment.Table),
		PartitionKey: text("id"), SortKey: text("at"), TimeToLiveAttribute: jsii.String("expires"),
		BillingMode:                      awsdynamodb.BillingMode_PAY_PER_REQUEST,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
		RemovalPolicy:                    awscdk.RemovalPolicy_DESTROY,
	}
	if h.key != nil {
		props.Encryption, props.EncryptionKey = awsdynamodb.TableEncryption_CUSTOMER_MANAGED, h.key
	}
	h.table = awsdynamodb.NewTable(h.stack, jsii.String("Table"), props)
}

// allowTable lets a role do something with the table.
func (h *hub) allowTable(role awsiam.Role, sid string, actions []string, conditions map[string]any) {
	props := &awsiam.PolicyStatementProps{Sid: jsii.String(sid), Actions: jsii.Strings(actions...), Resources: &[]*string{h.table.TableArn()}}
	if conditions != nil {
		props.Conditions = &conditions
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(props))
}

// allowTableKey lets a role use the table's key, through DynamoDB.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
func (h *hub) allowTableKey(role awsiam.Role) {
	if h.key == nil {
		return
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("TableKey"),
		Actions:   jsii.Strings("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
		Resources: &[]*string{h.key.KeyArn()},
		// The service's name ends otherwise in China.
		Conditions: &map[string]any{"StringLike": map[string]any{"kms:ViaService": "dynamodb.*"}},
	}))
}

// allowRecording lets the role of the ledger's function write to the table.
func (h *hub) allowRecording(role awsiam.Role) error {
	h.allowTable(role, "Record", ledger.WriterActions(), nil)
	h.allowTableKey(role)
	return nil
}

// allowOwnLookUps lets the tagger's role do what isn't done in an event's account: read
// the table, keep what it wrote itself, and ask where only the hub's account may.
//
// Of the table it writes no sessions and no stacks: who took the function over couldn't
// make up a history. A request that named no key would pass ForAllValues, so that Null
// demands one.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (h *hub) allowOwnLookUps(role awsiam.Role) error {
	if h.table != nil {
		h.allowTable(role, "Look", ledger.ReaderActions(), nil)
		const keys = "dynamodb:LeadingKeys"
		h.allowTable(role, "Keep", ledger.KeeperActions(), map[string]any{
			"ForAllValues:StringLike": map[string]any{keys: ledger.KeeperKeys()},
			"Null":                    map[string]any{keys: "false"},
		})
		h.allowTableKey(role)
	}
	_, own, err := lookup.Actions(catalogue.Default(), h.settings.Policy)
	if err != nil {
		return err
	}
	allowReading(role, "OwnLookUps", own, nil)
	return nil
}

// allowLookUps lets the role that tags in an account, the function's own or a spoke's,
// read there what look-ups ask for.
//
// Spokes' roles are alike in all accounts, since a stack set has one template: the
// identity store may be asked by the one in its account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalaccount
func allowLookUps(role awsiam.Role, p *policy.Policy) error {
	all, _, err := lookup.Actions(catalogue.Default(), p)
	if err != nil {
		return err
	}
	var people, rest []string
	for _, a := range all {
		if strings.HasPrefix(a, "identitystore:") || strings.HasPrefix(a, "sso:") {
			people = append(people, a)
		} else {
			rest = append(rest, a)
		}
	}
	allowReading(role, "LookUps", rest, nil)
	if len(people) > 0 {
		allowReading(role, "IdentityStore", people, map[string]any{
			"StringEquals": map[string]any{"aws:PrincipalAccount": p.LookUps.IdentityStore.Account},
		})
	}
	return nil
}

// allowReading lets a role read, of all resources: which will be asked for isn't known.
func allowReading(role awsiam.Role, sid string, actions []string, conditions map[string]any) {
	if len(actions) == 0 {
		return
	}
	props := &awsiam.PolicyStatementProps{Sid: jsii.String(sid), Actions: jsii.Strings(actions...), Resources: jsii.Strings("*")}
	if conditions != nil {
		props.Conditions = &conditions
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(props))
	excuse(policyOf(role), wildcard, "Whom and what look-ups will ask for isn't known: they only read.", "*")
}
