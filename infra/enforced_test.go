package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/integration"
)

// TestPermissionsSuffice runs the functions' real bootstraps with what their
// roles are allowed by the template of the shipped configuration, and nothing
// else, on a resource of every kind that the emulator makes. A permission that
// goes missing from a catalogue row fails here.
func TestPermissionsSuffice(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile("../" + defaultConfig)
	if err != nil {
		t.Fatal(err)
	}
	tpl, _, err := makeStack(string(config), bootstraps(t))
	if err != nil {
		t.Fatal(err)
	}
	for job, id := range map[string]string{"tagger": "TaggerRole", "cors": "CorsRole"} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			d := integration.Deployed{Function: job, Config: string(config), Policies: documents(t, tpl, id)}
			if len(d.Policies) == 0 {
				t.Fatal("the role has no policies")
			}
			d.Enforce(t)
		})
	}
}

// TestLookUpPermissionsSuffice does the same for all look-ups of one account, and takes the
// actions out of the tagger's policies in turn.
func TestLookUpPermissionsSuffice(t *testing.T) {
	tpl := must(t, lookingTemplate)
	t.Parallel()
	integration.EnforceLookUps(t,
		integration.Deployed{Function: "ledger", Policies: documents(t, tpl, "LedgerRole")},
		integration.Deployed{Function: "tagger", Config: lookingConfig, Policies: documents(t, tpl, "TaggerRole")},
		"autoscaling:DescribeTags", "cloudformation:DescribeStacks", "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query",
		"ec2:DescribeInstances", "iam:GetRole", "identitystore:DescribeUser", "organizations:ListParents", "organizations:ListTagsForResource")
}

// documents are the policies of the role whose logical id begins with prefix.
func documents(t *testing.T, tpl template, prefix string) []string {
	t.Helper()
	var docs []string
	managed := all[policies](t, tpl, "AWS::IAM::ManagedPolicy")
	for id, r := range all[role](t, tpl, "AWS::IAM::Role") {
		if !strings.HasPrefix(id, prefix) {
			continue
		}
		for _, arn := range r.ManagedPolicyArns {
			docs = append(docs, resolved(t, managed[arn.id()].PolicyDocument))
		}
		for _, p := range all[policies](t, tpl, "AWS::IAM::Policy") {
			if slices.ContainsFunc(p.Roles, func(to ref) bool { return to.id() == id }) {
				docs = append(docs, resolved(t, p.PolicyDocument))
			}
		}
	}
	return docs
}

// resolved is a policy document with texts for its intrinsic functions. What
// only a deployment knows becomes a wildcard.
func resolved(t *testing.T, document json.RawMessage) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(texted(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func texted(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = texted(v[i])
		}
	case map[string]any:
		if name, ok := v["Ref"]; ok {
			if name == "AWS::Partition" {
				return "aws"
			}
			return "*"
		}
		if _, ok := v["Fn::GetAtt"]; ok {
			return "*"
		}
		if join, ok := v["Fn::Join"].([]any); ok && len(join) == 2 {
			var text []string
			parts, _ := texted(join[1]).([]any)
			for _, part := range parts {
				s, _ := part.(string)
				text = append(text, s)
			}
			separator, _ := join[0].(string)
			return strings.Join(text, separator)
		}
		for key := range v {
			v[key] = texted(v[key])
		}
	}
	return v
}
