package iampolicy_test

import (
	"testing"

	"autotagger/internal/iampolicy"
)

// TestDocumentedPolicies holds policies of the kinds that AWS's documentation
// explains against what it says of them.
func TestDocumentedPolicies(t *testing.T) {
	t.Parallel()
	type context = map[string][]string
	for _, c := range []struct {
		name, policy string
		action       string
		principal    string
		context      context
		want         iampolicy.Decision
	}{
		// A deny for keys of some beginnings, which Null keeps from requests without
		// keys.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition_examples-multi-valued-context-keys.html
		{"all keys begin so", denyKeys, "iam:TagRole", "", context{"aws:TagKeys": {"key1-a", "key2"}}, iampolicy.Denied},
		{"one key begins otherwise", denyKeys, "iam:UntagUser", "", context{"aws:TagKeys": {"key1", "other"}}, iampolicy.NotAllowed},
		{"no keys", denyKeys, "iam:TagRole", "", nil, iampolicy.NotAllowed},
		{"another action", denyKeys, "iam:GetRole", "", context{"aws:TagKeys": {"key1"}}, iampolicy.NotAllowed},
		// Tags are for an administrator and for those whose own tag is the resource's.
		// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_examples_tagging.html
		{"another project", guardProject, "ec2:CreateTags", "", context{"ec2:ResourceTag/project": {"a"}, "aws:PrincipalTag/project": {"b"}, "aws:PrincipalArn": {"arn:aws:iam::111122223333:role/dev"}}, iampolicy.Denied},
		{"the same project", guardProject, "ec2:CreateTags", "", context{"ec2:ResourceTag/project": {"a"}, "aws:PrincipalTag/project": {"a"}, "aws:PrincipalArn": {"arn:aws:iam::111122223333:role/dev"}}, iampolicy.NotAllowed},
		{"a resource without the tag", guardProject, "ec2:CreateTags", "", context{"aws:PrincipalTag/project": {"b"}}, iampolicy.NotAllowed},
		{"the administrator", guardProject, "ec2:DeleteTags", "", context{"ec2:ResourceTag/project": {"a"}, "aws:PrincipalTag/project": {"b"}, "aws:PrincipalArn": {"arn:aws:iam::111122223333:role/admins/iam-admin"}}, iampolicy.NotAllowed},
		// A service acts for our own rule only.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
		{"the rule", forRule, "sqs:SendMessage", "events.amazonaws.com", context{"aws:SourceArn": {"arn:aws:events:eu-west-1:111122223333:rule/ours-1"}, "aws:SourceAccount": {"111122223333"}}, iampolicy.Allowed},
		{"another account's rule", forRule, "sqs:SendMessage", "events.amazonaws.com", context{"aws:SourceArn": {"arn:aws:events:eu-west-1:999999999999:rule/ours-1"}, "aws:SourceAccount": {"999999999999"}}, iampolicy.NotAllowed},
		{"no rule", forRule, "sqs:SendMessage", "events.amazonaws.com", nil, iampolicy.NotAllowed},
		{"another service", forRule, "sqs:SendMessage", "sns.amazonaws.com", context{"aws:SourceArn": {"arn:aws:events:eu-west-1:111122223333:rule/ours-1"}, "aws:SourceAccount": {"111122223333"}}, iampolicy.NotAllowed},
		// Encrypted connections only: the deny is for everyone.
		// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-internetwork-traffic-privacy.html
		{"an open connection", tlsOnly, "sqs:ReceiveMessage", "arn:aws:iam::111122223333:role/x", context{"aws:SecureTransport": {"false"}}, iampolicy.Denied},
		{"an encrypted one", tlsOnly, "sqs:ReceiveMessage", "arn:aws:iam::111122223333:role/x", context{"aws:SecureTransport": {"true"}}, iampolicy.NotAllowed},
	} {
		r := iampolicy.Request{Action: c.action, Resource: "arn:aws:sqs:eu-west-1:111122223333:q", Context: c.context}
		if c.principal != "" {
			r.Principal = []string{c.principal}
		}
		if got := iampolicy.Evaluate(r, parse(t, c.policy)); got.Decision != c.want {
			t.Errorf("%s: %v %s, want %v", c.name, got.Decision, got.Why, c.want)
		}
	}
}

const (
	denyKeys = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["iam:Tag*","iam:UnTag*"],"Resource":["*"],
		"Condition":{"Null":{"aws:TagKeys":"false"},"ForAllValues:StringLike":{"aws:TagKeys":["key1*","key2*"]}}}]}`
	guardProject = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["ec2:CreateTags","ec2:DeleteTags"],"Resource":"*",
		"Condition":{"StringNotEquals":{"ec2:ResourceTag/project":"${aws:PrincipalTag/project}","aws:PrincipalArn":"arn:aws:iam::111122223333:role/admins/iam-admin"},
		"Null":{"ec2:ResourceTag/project":false}}}]}`
	forRule = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"arn:aws:sqs:eu-west-1:111122223333:q",
		"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:events:eu-west-1:111122223333:rule/ours-*"},"StringEquals":{"aws:SourceAccount":"111122223333"}}}]}`
	tlsOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"arn:aws:sqs:eu-west-1:111122223333:q",
		"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`
)
