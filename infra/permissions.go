package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/deployment"
)

// Limits of IAM. Tagging every service takes more than the 10,240 characters
// of a role's inline policies, so that its actions go into managed policies:
// the 366 actions that write tags and the 486 that read some have 25,000
// characters, which six policies hold.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxManagedPolicy   = 6144
	maxManagedPolicies = 10 // attached to a role, by default
)

// anyKey holds the tagging actions that don't know the condition key
// aws:TagKeys, by the tables of the Service Authorization Reference, read
// 2026-09-26:
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
// Under a condition on the key they would be refused always.
//
// tag:TagResources is harmless: it needs the service's own action as well.
func anyKey(action string) bool {
	switch action {
	case "chime:TagAttendee",
		"clouddirectory:TagResource",
		"cloudsearch:AddTags",
		"codedeploy:AddTagsToOnPremisesInstances",
		"dax:TagResource",
		"discovery:CreateTags",
		"end-user-messaging:TagResource",
		"glacier:AddTagsToVault",
		"honeycode:TagResource",
		"inspector:SetTagsForResource",
		"iotthingsgraph:TagResource",
		"lakeformation:AddLFTagsToResource",
		"machinelearning:AddTags",
		"opsworks-cm:TagResource",
		"opsworks:TagResource",
		"polly:TagResource",
		"route53:ChangeTagsForResource",
		"route53domains:UpdateTagsForDomain",
		"s3-object-lambda:PutObjectTagging",
		"s3-object-lambda:PutObjectVersionTagging",
		"s3-outposts:PutBucketTagging",
		"s3-outposts:PutObjectTagging",
		"s3-outposts:PutObjectVersionTagging",
		"s3-outposts:ReplicateTags",
		"s3:PutBucketTagging",
		"s3:PutObjectTagging",
		"s3:PutObjectVersionTagging",
		"s3:ReplicateTags",
		"securityhub:TagResource",
		"tag:TagResources":
		return true
	}
	return false
}

// reads reports whether an action only reads, by its verb.
func reads(action string) bool {
	_, name, _ := strings.Cut(strings.ToLower(action), ":")
	for _, verb := range []string{"get", "list", "describe", "batchget"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}

// wildcard is cdk-nag's rule against wildcards in policies.
const wildcard = "AwsSolutions-IAM5"

// grant is one statement.
type grant struct {
	sid     string
	actions []string
	keys    []string // the only tag keys; nil: no condition
	// tagged demands that the request has tags: of actions that change more than
	// those.
	tagged bool
	// tags restricts API Gateway's actions to its paths of tags.
	tags bool
}

// grants divides tagging actions by how far each can be restricted. Whatever
// can be, may write the given tag keys only. API Gateway's actions are those of
// HTTP, so that they are for the paths of tags only. CodeBuild has no action for
// tags: what the Resource Groups Tagging API needs may change the whole project,
// and is for requests with our tags only.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodebuild.html
func grants(actions, keys []string) []grant {
	read, own, anything := grant{sid: "Read"}, grant{sid: "WriteOwnKeys", keys: keys}, grant{sid: "WriteAnyKey"}
	update := grant{sid: "UpdateWithOwnKeys", keys: keys, tagged: true}
	web, webRead := grant{sid: "WriteApiGatewayTags", keys: keys, tags: true}, grant{sid: "ReadApiGatewayTags", tags: true}
	for _, a := range actions {
		switch {
		case a == "apigateway:GET":
			webRead.actions = append(webRead.actions, a)
		case strings.HasPrefix(a, "apigateway:"):
			web.actions = append(web.actions, a)
		case strings.HasPrefix(a, "codebuild:Update"):
			update.actions = append(update.actions, a)
		case reads(a):
			read.actions = append(read.actions, a)
		case anyKey(a):
			anything.actions = append(anything.actions, a)
		default:
			own.actions = append(own.actions, a)
		}
	}
	var all []grant
	for _, g := range []grant{own, update, web, anything, read, webRead} {
		if len(g.actions) > 0 {
			all = append(all, g)
		}
	}
	return all
}

// condition restricts the tag keys of a request. A request that names no keys
// passes ForAllValues, and that is meant: one without tags does nothing, and
// demanding the key (Null) would forbid the whole call where a service does not
// fill it in, as CloudWatch Logs' documentation says of TagLogGroup.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagLogGroup.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition_examples-multi-valued-context-keys.html
func (g grant) condition() map[string]any {
	if g.keys == nil {
		return nil
	}
	c := map[string]any{
		"ForAllValues:StringEquals": map[string]any{"aws:TagKeys": g.keys},
	}
	if g.tagged {
		c["Null"] = map[string]any{"aws:TagKeys": "false"}
	}
	return c
}

// resources are what a grant is for.
func (g grant) resources(stack awscdk.Stack) *[]*string {
	if !g.tags {
		return jsii.Strings("*")
	}
	return &[]*string{stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("apigateway"), Region: jsii.String("*"), Account: jsii.String(""),
		Resource: jsii.String("/tags"), ResourceName: jsii.String("*"),
	})}
}

// size is how many characters a policy of this grant alone has.
func (g grant) size() int {
	statement := map[string]any{"Sid": g.sid, "Effect": "Allow", "Action": g.actions, "Resource": "*"}
	if c := g.condition(); c != nil {
		statement["Condition"] = c
	}
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}}) // strings only
	return len(b)
}

// split divides a grant into such that fit into a managed policy each.
func (g grant) split() ([]grant, error) {
	var all []grant
	part := g
	part.actions = nil
	for _, a := range g.actions {
		longer := part
		longer.actions = append(part.actions[:len(part.actions):len(part.actions)], a)
		if longer.size() <= maxManagedPolicy {
			part = longer
			continue
		}
		if len(part.actions) == 0 {
			return nil, fmt.Errorf("granting %s: the tag keys alone are too long for a policy", a)
		}
		all = append(all, part)
		part.actions = []string{a}
	}
	return append(all, part), nil
}

// allowTagging lets a role take tagging actions, with the given tag keys. The role
// names its policies, not they the role, so that they are there before it and thus
// before the function.
func allowTagging(role awsiam.Role, actions, keys []string) error {
	for _, k := range keys {
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names
		if strings.ContainsFunc(k, func(r rune) bool { return r > 0xff }) {
			return fmt.Errorf("the tag key %q can't be deployed: IAM policies hold only characters up to U+00FF", k)
		}
	}
	count := 0
	for _, g := range grants(actions, keys) {
		parts, err := g.split()
		if err != nil {
			return err
		}
		for i, p := range parts {
			count++
			statement := awsiam.PolicyStatementProps{
				Sid:       jsii.String(p.sid),
				Actions:   jsii.Strings(p.actions...),
				Resources: p.resources(awscdk.Stack_Of(role)),
			}
			if c := p.condition(); c != nil {
				statement.Conditions = &c
			}
			policy := awsiam.NewManagedPolicy(role, jsii.String(fmt.Sprintf("%s%d", p.sid, i+1)), &awsiam.ManagedPolicyProps{
				Statements: &[]awsiam.PolicyStatement{awsiam.NewPolicyStatement(&statement)},
			})
			excuse(policy, wildcard, "Which resources there will be isn't known: what is new is tagged. The actions are those of the catalogue, none with a wildcard.")
			role.AddManagedPolicy(policy)
		}
	}
	if count > maxManagedPolicies {
		return fmt.Errorf("the catalogue's actions take %d managed policies; a role has at most %d", count, maxManagedPolicies)
	}
	return nil
}

// allowCORS lets a role read and put the cross-origin rules of buckets.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func allowCORS(role awsiam.Role) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("CORS"),
		Actions:   jsii.Strings("s3:GetBucketCORS", "s3:PutBucketCORS"),
		Resources: &[]*string{bucketArn(awscdk.Stack_Of(role), "*")},
	}))
	excuse(policyOf(role), wildcard, "Which buckets there will be isn't known.", "arn:<AWS::Partition>:s3:::*")
}

// allowHistory lets a role see which calls an account has made: whether what an old
// event is about was made anew since. The action knows no resources.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html
func allowHistory(role awsiam.Role) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("History"), Actions: jsii.Strings("cloudtrail:LookupEvents"), Resources: jsii.Strings("*"),
	}))
	excuse(policyOf(role), wildcard, "CloudTrail's look-up knows no resources.", "*")
}

// bucketArn is the ARN of a bucket, or of objects as bucket/key.
func bucketArn(stack awscdk.Stack, name string) *string {
	return stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("s3"), Region: jsii.String(""), Account: jsii.String(""), Resource: jsii.String(name),
	})
}

// allowAssuming lets a function's role take the role of its job in the accounts
// of the organisation, and in no others.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceorgid
func (h *hub) allowAssuming(role awsiam.Role, function string) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:     jsii.String("AssumeSpokeRoles"),
		Actions: jsii.Strings("sts:AssumeRole"),
		Resources: &[]*string{h.stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("iam"), Region: jsii.String(""), Account: jsii.String("*"),
			Resource: jsii.String("role"), ResourceName: jsii.String(deployment.SpokeRole(function)),
		})},
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:ResourceOrgID": h.settings.Organization}},
	}))
	excuse(policyOf(role), wildcard, "Accounts join and leave: the role is named, and the condition holds it to the organisation.",
		"arn:<AWS::Partition>:iam::*:role/"+deployment.SpokeRole(function))
}

// parameterArn is the ARN of a parameter, whose name begins with a slash.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
func parameterArn(stack awscdk.Stack, name string) *string {
	return stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ssm"), Resource: jsii.String("parameter"), ResourceName: jsii.String(strings.TrimPrefix(name, "/")),
	})
}

// allowConfiguration lets a function's role read what can be changed without a
// deployment.
func (h *hub) allowConfiguration(role awsiam.Role) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("Parameters"),
		Actions:   jsii.Strings("ssm:GetParameters"),
		Resources: &[]*string{parameterArn(h.stack, deployment.ParameterWriting), parameterArn(h.stack, deployment.ParameterConfiguration)},
	}))
	bucket := h.settings.ConfigBucket
	if bucket == "" {
		return
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("Configuration"),
		Actions:   jsii.Strings("s3:GetObject", "s3:GetObjectVersion"),
		Resources: &[]*string{bucketArn(h.stack, bucket+"/*")},
	}))
	excuse(policyOf(role), wildcard, "Which object is the configuration, a parameter says; the bucket is for it.", "arn:<AWS::Partition>:s3:::"+bucket+"/*")
	// Without ListBucket an object that was deleted looks like one that may not be read.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("ConfigurationVersions"),
		Actions:   jsii.Strings("s3:ListBucket", "s3:ListBucketVersions"),
		Resources: &[]*string{bucketArn(h.stack, bucket)},
	}))
}

// allowSending lets a function's role send dead letters with their reason, which the
// queue itself can't give, and put what AWS denied anew into its own queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#send-to-encrypted-queue
func (h *hub) allowSending(role awsiam.Role, j *job) {
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("Send"), Actions: jsii.Strings("sqs:SendMessage"), Resources: &[]*string{j.queue.QueueArn(), j.dead.QueueArn()},
	}))
	if h.key != nil {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("Key"), Actions: jsii.Strings("kms:GenerateDataKey", "kms:Decrypt"), Resources: &[]*string{h.key.KeyArn()},
		}))
	}
}
