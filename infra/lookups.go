package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/deployment"
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
func (h *hub) allowRecording(role awsiam.Role) {
	h.allowTable(role, "Record", []string{"dynamodb:BatchWriteItem"}, nil)
	h.allowTableKey(role)
}

// allowOwnLookUps lets the tagger's role do what isn't done in an event's account: read
// the table, keep what it wrote itself, and ask where only the hub's account may.
//
// Of the table it writes no sessions and no stacks: who took the function over couldn't
// make up a history. A request that named no key would pass ForAllValues, so that Null
// demands one.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (h *hub) allowOwnLookUps(role awsiam.Role) {
	if h.table != nil {
		h.allowTable(role, "Look", []string{"dynamodb:BatchGetItem", "dynamodb:Query"}, nil)
		const keys = "dynamodb:LeadingKeys"
		h.allowTable(role, "Keep", []string{"dynamodb:BatchWriteItem", "dynamodb:PutItem"}, map[string]any{
			"ForAllValues:StringLike": map[string]any{keys: []string{"written/*", "restored/*"}},
			"Null":                    map[string]any{keys: "false"},
		})
		h.allowTableKey(role)
	}
	_, own := lookUps(h.settings.Policy)
	if store := h.settings.Policy.LookUps.IdentityStore; store != nil && (h.settings.Organization == "" || store.Account == "") {
		own = append(own, identityActions()...)
	}
	allowReading(role, "OwnLookUps", own, nil)
}

// allowLookUps lets the role that tags in an account, the function's own or a spoke's,
// read there what look-ups ask for.
//
// Spokes' roles are alike in all accounts, since a stack set has one template: the
// identity store is for the one in its account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalaccount
func allowLookUps(role awsiam.Role, s Settings) {
	account, _ := lookUps(s.Policy)
	allowReading(role, "LookUps", account, nil)
	if store := s.Policy.LookUps.IdentityStore; store != nil && s.Organization != "" && store.Account != "" {
		allowReading(role, "IdentityStore", identityActions(), map[string]any{
			"StringEquals": map[string]any{"aws:PrincipalAccount": store.Account},
		})
	}
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

// lookUps are the actions that look-ups take in an event's account, and in the hub's.
func lookUps(p *policy.Policy) (account, own []string) {
	l := p.LookUps
	if l.Parents {
		account = append(account, "autoscaling:DescribeTags", "backup:ListTags", "batch:ListTagsForResource", "cloudformation:DescribeStacks",
			"dlm:ListTagsForResource", "ecs:ListTagsForResource", "eks:ListTagsForResource", "elasticbeanstalk:DescribeEnvironments",
			"elasticbeanstalk:ListTagsForResource", "elasticmapreduce:DescribeCluster")
	}
	if l.Children {
		account = append(account, "ec2:DescribeImages", "ec2:DescribeInstances")
	}
	if p.AsksPrincipals() {
		account = append(account, "iam:GetRole", "iam:GetUser")
	}
	if p.AsksAccounts() {
		own = append(own, "organizations:ListTagsForResource")
	}
	if p.AsksOUs() {
		own = append(own, "organizations:ListParents")
	}
	slices.Sort(account)
	return account, own
}

func identityActions() []string {
	return []string{"identitystore:DescribeUser", "identitystore:GetUserId"}
}
