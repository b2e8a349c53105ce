package lookup_test

import (
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/lookup"
	"autotagger/internal/policy"
)

func parsed(t testing.TB, config string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("test", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestActions(t *testing.T) {
	t.Parallel()
	for config, want := range map[string][2]string{
		"{}":                         {},
		"look-ups: {ledger: true}":   {},
		"look-ups: {children: true}": {"ec2:DescribeImages ec2:DescribeInstances"},
		"look-ups: {parents: true}": {"autoscaling:DescribeTags cloudformation:DescribeStacks dlm:ListTagsForResource ec2:DescribeTags ecs:ListTagsForResource " +
			"eks:ListTagsForResource elasticbeanstalk:DescribeEnvironments elasticbeanstalk:ListTagsForResource elasticmapreduce:DescribeCluster rds:ListTagsForResource tag:GetResources"},
		"look-ups: {identity-store: {region: eu-west-1}}":                                                           {"", "identitystore:DescribeUser"},
		"look-ups: {identity-store: {account: '111122223333', region: eu-west-1}}\ntags: {creator: {value: email}}": {"identitystore:DescribeUser identitystore:GetUserId sso:ListInstances"},
		"sessions: {strict: true, verify: true}":                                                                    {"iam:GetRole iam:GetUser"},
		"cost-center: [{principal-tag: CC}, {account-tag: CC}, {organizational-unit: {r-ab12: '1'}}]":               {"iam:GetRole iam:GetUser", "organizations:ListParents organizations:ListTagsForResource"},
	} {
		spoke, own, err := lookup.Actions(catalogue.Default(), parsed(t, config))
		if got := [2]string{strings.Join(spoke, " "), strings.Join(own, " ")}; err != nil || got != want {
			t.Errorf("%s\ntakes %q %v\n want %q", config, got, err, want)
		}
	}
}
