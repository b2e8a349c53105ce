package scp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/iampolicy"
	"autotagger/internal/models"
	"autotagger/internal/policy"
	"autotagger/internal/scp"
)

var update = flag.Bool("update", false, "write the section of docs/security.md")

// reference reads IAM's reference once.
var reference = sync.OnceValues(func() (map[string]*models.IAMService, error) {
	return models.ReadIAM(context.Background(), "../../build/inputs")
})

func cover(t *testing.T) scp.Coverage {
	t.Helper()
	iam, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	return scp.Cover(iam, catalogue.Actions(rows))
}

// organization is what holds in an account: the policies beside FullAWSAccess.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
func organization(t *testing.T, c scp.Coverage, o scp.Options) []iampolicy.Document {
	t.Helper()
	policies, err := c.Policies(o)
	if err != nil {
		t.Fatal(err)
	}
	policies = append(policies, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	var docs []iampolicy.Document
	for _, p := range policies {
		doc, err := iampolicy.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	return docs
}

const (
	account  = "arn:aws:iam::111122223333:role/"
	stranger = account + "Developer"
)

// call is a request: for tags of a resource, by a role.
type call struct {
	action, role string
	set          map[string]string // tags of the request
	remove       []string          // keys of the request
	stands       map[string]string // tags of the resource
	resource     string
}

func (c call) request() iampolicy.Request {
	r := iampolicy.Request{Action: c.action, Resource: c.resource, Context: map[string][]string{"aws:PrincipalArn": {c.role}}}
	for k, v := range c.set {
		r.Context["aws:RequestTag/"+k] = []string{v}
		r.Context["aws:TagKeys"] = append(r.Context["aws:TagKeys"], k)
	}
	if c.remove != nil {
		r.Context["aws:TagKeys"] = c.remove
	}
	for k, v := range c.stands {
		r.Context["aws:ResourceTag/"+k] = []string{v}
	}
	if r.Resource == "" {
		r.Resource = "*"
	}
	return r
}

type tags = map[string]string

func TestProtects(t *testing.T) {
	t.Parallel()
	c := cover(t)
	docs := organization(t, c, scp.Options{Keys: policy.Default().Keys(), BreakGlass: "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Tags_*"})
	const (
		no  = iampolicy.Denied
		may = iampolicy.Allowed
	)
	type row struct {
		what string
		call
		want iampolicy.Decision
	}
	others := []string{
		account + deployment.FunctionRole("tagger", "eu-west-1"), account + deployment.SpokeRole("tagger"), account + deployment.SpokeRole("cors"),
		account + "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Tags_0123456789abcdef",
	}
	var rows []row
	for _, action := range c.Set {
		rows = append(rows,
			row{"a change", call{action: action, set: tags{"creator": "eve"}, stands: tags{"creator": "alice"}}, no},
			row{"a change among other tags", call{action: action, set: tags{"cost-center": "1", "a": "b"}, stands: tags{"creator": "alice", "cost-center": "2"}}, no},
			row{"a change by the root user", call{action: action, set: tags{"creator": "eve"}, stands: tags{"creator": "alice"}, role: "arn:aws:iam::111122223333:root"}, no},
			row{"an empty value", call{action: action, set: tags{"creator": ""}, stands: tags{"creator": "alice"}}, no},
			row{"the same value", call{action: action, set: tags{"creator": "alice", "a": "c"}, stands: tags{"creator": "alice", "a": "b"}}, may},
			row{"a first tag", call{action: action, set: tags{"creator": "eve"}, stands: tags{"a": "b"}}, may},
			row{"a first tag beside another of ours", call{action: action, set: tags{"cost-center": "1"}, stands: tags{"creator": "alice"}}, may},
			row{"another tag", call{action: action, set: tags{"a": "c"}, stands: tags{"creator": "alice", "a": "b"}}, may},
			row{"a tag at creation", call{action: action, set: tags{"creator": "eve", "cost-center": "1"}}, may},
		)
		for _, role := range others {
			rows = append(rows, row{"a change by " + role, call{action: action, set: tags{"creator": "eve"}, stands: tags{"creator": "alice"}, role: role}, may})
		}
	}
	for _, action := range c.Remove {
		resource := "*"
		if action == "apigateway:DELETE" {
			resource = "arn:aws:apigateway:eu-west-1::/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fa"
		}
		rows = append(rows,
			row{"a removal", call{action: action, remove: []string{"creator"}, stands: tags{"creator": "alice"}, resource: resource}, no},
			row{"a removal where the resource's tags aren't told", call{action: action, remove: []string{"a", "cost-center"}, resource: resource}, no},
			row{"a removal of another tag", call{action: action, remove: []string{"a"}, stands: tags{"creator": "alice"}, resource: resource}, may},
		)
		for _, role := range others {
			rows = append(rows, row{"a removal by " + role, call{action: action, remove: []string{"creator"}, stands: tags{"creator": "alice"}, role: role, resource: resource}, may})
		}
	}
	rows = append(rows,
		row{"all tags removed", call{action: "ec2:DeleteTags", stands: tags{"creator": "alice"}}, no},
		row{"all tags removed", call{action: "ec2:DeleteTags", stands: tags{"cost-center": "1"}}, no},
		row{"all tags removed, none of them ours", call{action: "ec2:DeleteTags", stands: tags{"a": "b"}}, may},
		row{"a method of an API removed", call{action: "apigateway:DELETE", stands: tags{"creator": "alice"}, resource: "arn:aws:apigateway:eu-west-1::/restapis/a"}, may},
		// Of what is copied, and of what a thing is put in, the tags are seen too.
		row{"a snapshot of a tagged volume", call{action: "ec2:CreateSnapshot", set: tags{"creator": "eve"}, stands: tags{"creator": "alice"}}, may},
		row{"an instance in a tagged subnet", call{action: "ec2:RunInstances", set: tags{"creator": "eve"}, stands: tags{"creator": "alice"}}, may},
		row{"a tagged resource deleted", call{action: "s3:DeleteBucket", stands: tags{"creator": "alice"}}, may},
	)
	for _, r := range rows {
		if r.role == "" {
			r.role = stranger
		}
		if got := iampolicy.Evaluate(r.request(), docs...); got.Decision != r.want {
			t.Errorf("%s, %s: %v by %s %s, want %v", r.action, r.what, got.Decision, got.Sid, got.Why, r.want)
		}
	}
}

// TestHoldsNothingElse tries every action that IAM knows, with a request that would
// be denied of an action for tags.
func TestHoldsNothingElse(t *testing.T) {
	t.Parallel()
	c := cover(t)
	docs := organization(t, c, scp.Options{Keys: []string{"creator"}})
	iam, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	held := slices.Concat(c.Set, c.Remove)
	seen := 0
	for prefix, service := range iam {
		for _, a := range service.Actions {
			action := prefix + ":" + a.Name
			r := call{action: action, role: stranger, set: tags{"creator": "eve"}, stands: tags{"creator": "alice"}, resource: "arn:aws:apigateway:eu-west-1::/tags/x"}.request()
			got := iampolicy.Evaluate(r, docs...)
			if slices.Contains(held, action) {
				seen++
				if got.Decision != iampolicy.Denied {
					t.Errorf("%s: %v", action, got.Decision)
				}
				continue
			}
			// A wildcard may reach an action for tags that tells less than was made up
			// here: it stays a gap.
			gap := slices.ContainsFunc(c.Gaps, func(g scp.Gap) bool { return g.Action == action })
			if got.Decision != iampolicy.Allowed && !gap {
				t.Errorf("%s: %v by %s", action, got.Decision, got.Sid)
			}
		}
	}
	if seen < 500 {
		t.Errorf("%d actions for tags were tried", seen)
	}
}

func TestRolesAreGuarded(t *testing.T) {
	t.Parallel()
	const elsewhere = "arn:aws:iam::444455556666:role/"
	cdk := "cdk-hnb659fds-cfn-exec-role-111122223333-us-east-1"
	tagger, exec := deployment.SpokeRole("tagger"), "stacksets-exec-0123456789abcdef"
	type row struct {
		action, role, by string
		want             iampolicy.Decision
	}
	rows := []row{
		{"iam:CreateRole", account + tagger, stranger, iampolicy.Denied},
		{"iam:PassRole", account + deployment.FunctionRole("cors", "us-east-1"), stranger, iampolicy.Denied},
		{"iam:UpdateAssumeRolePolicy", account + tagger, account + tagger, iampolicy.Denied},
		{"iam:GetRole", account + tagger, stranger, iampolicy.Allowed},
		{"iam:CreateRole", account + "Developer2", stranger, iampolicy.Allowed},
		{"iam:CreateRole", account + tagger, account + exec, iampolicy.Allowed},
		{"iam:CreateRole", account + scp.BreakGlass, account + exec, iampolicy.Allowed},
		{"iam:DeleteRole", account + tagger, account + scp.BreakGlass, iampolicy.Allowed},
		{"iam:UpdateRole", account + exec, account + exec, iampolicy.Denied},
		{"iam:UpdateRole", account + exec, account + scp.BreakGlass, iampolicy.Allowed},
		// Elsewhere the CDK is for everybody's stacks, and its bootstrap must work.
		{"iam:CreateRole", elsewhere + tagger, elsewhere + cdk, iampolicy.Denied},
		{"iam:CreateRole", elsewhere + cdk, elsewhere + "Developer", iampolicy.Allowed},
	}
	for _, c := range []struct {
		hub  string
		rows []row
	}{
		{"111122223333", []row{
			{"iam:CreateRole", account + deployment.FunctionRole("tagger", "us-east-1"), account + cdk, iampolicy.Allowed},
			{"iam:CreateRole", account + cdk, stranger, iampolicy.Denied},
			{"iam:CreateRole", account + cdk, account + scp.BreakGlass, iampolicy.Allowed},
		}},
		{"", []row{
			{"iam:CreateRole", account + tagger, account + cdk, iampolicy.Denied},
			{"iam:CreateRole", account + cdk, stranger, iampolicy.Allowed},
		}},
	} {
		docs := organization(t, cover(t), scp.Options{Keys: []string{"creator"}, Hub: c.hub})
		for _, r := range append(c.rows, rows...) {
			request := iampolicy.Request{Action: r.action, Resource: r.role, Context: map[string][]string{"aws:PrincipalArn": {r.by}}}
			if got := iampolicy.Evaluate(request, docs...); got.Decision != r.want {
				t.Errorf("hub %q: %s of %s by %s: %v", c.hub, r.action, r.role, r.by, got.Decision)
			}
		}
	}
}

// TestExemptIsGuarded: no role of a name that any statement lets through can be made
// or taken over.
func TestExemptIsGuarded(t *testing.T) {
	t.Parallel()
	const sso = "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Tags_*"
	docs := organization(t, cover(t), scp.Options{Keys: []string{"creator"}, Hub: "111122223333", BreakGlass: sso})
	exempt := map[string]bool{}
	for _, d := range docs {
		for _, s := range d.Statements {
			for _, c := range s.Conditions {
				if strings.EqualFold(c.Key, "aws:PrincipalArn") {
					for _, pattern := range c.Values {
						exempt[strings.ReplaceAll(strings.Replace(pattern, "::*:", "::444455556666:", 1), "*", "x")] = true
					}
				}
			}
		}
	}
	for _, want := range []string{"autotagger-tagger-x", "autotagger-cors-x", "stacksets-exec-x", "sso.amazonaws.com/xAWSReservedSSO_Tags_x", "cdk-x-cfn-exec-role-x"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(exempt)), func(arn string) bool { return strings.HasSuffix(arn, want) }) {
			t.Errorf("%s isn't let through", want)
		}
	}
	for role := range exempt {
		for _, action := range []string{
			"AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DetachRolePolicy", "PassRole",
			"PutRolePermissionsBoundary", "PutRolePolicy", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription",
		} {
			r := iampolicy.Request{Action: "iam:" + action, Resource: role, Context: map[string][]string{"aws:PrincipalArn": {stranger}}}
			if got := iampolicy.Evaluate(r, docs...); got.Decision != iampolicy.Denied {
				t.Errorf("iam:%s of %s by anybody: %v", action, role, got.Decision)
			}
		}
	}
}

// long returns n keys of the greatest length.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
func long(n int) []string {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("%d%s", i, strings.Repeat("k", 127)))
	}
	return keys
}

func TestSize(t *testing.T) {
	t.Parallel()
	c := cover(t)
	for _, r := range []struct {
		name string
		scp.Options
		files int // at most
	}{
		// With FullAWSAccess one target takes them.
		{"the default", scp.Options{Keys: policy.Default().Keys()}, scp.MaxAttached - 1},
		{"a hub", scp.Options{Keys: policy.Default().Keys(), Hub: "111122223333"}, scp.MaxAttached - 1},
		{"in China", scp.Options{Keys: policy.Default().Keys(), Partition: "aws-cn"}, scp.MaxAttached - 1},
		{"the newer limit", scp.Options{Keys: policy.Default().Keys(), Size: 2 * scp.MaxSize}, 2},
		{"one key", scp.Options{Keys: []string{"creator"}}, 3},
		{"all keys, as long as can be", scp.Options{Keys: long(5), BreakGlass: strings.Repeat("r", 64)}, 12},
	} {
		policies, err := c.Policies(r.Options)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		limit := r.Size
		if limit == 0 {
			limit = scp.MaxSize
		}
		for i, p := range policies {
			if len(p) > limit {
				t.Errorf("%s: policy %d has %d characters", r.name, i+1, len(p))
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, p); err != nil || compact.Len() != len(p) {
				t.Errorf("%s: policy %d isn't compact JSON: %v", r.name, i+1, err)
			}
			sids := map[string]bool{}
			for _, s := range parse(t, p).Statements {
				if sids[s.Sid] || s.Sid == "" || len(s.Actions) == 0 {
					t.Errorf("%s: policy %d has %q twice, or without actions", r.name, i+1, s.Sid)
				}
				sids[s.Sid] = true
			}
		}
		if len(policies) > r.files {
			t.Errorf("%s: %d policies, want %d at most", r.name, len(policies), r.files)
		}
		t.Logf("%s: %d policies", r.name, len(policies))
	}
	for size := 2000; size < 2020; size++ {
		policies, err := c.Policies(scp.Options{Keys: []string{"creator"}, Size: size})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range policies {
			if len(p) > size {
				t.Errorf("policy %d has %d characters of %d", i+1, len(p), size)
			}
		}
	}
}

func parse(t *testing.T, data []byte) iampolicy.Document {
	t.Helper()
	doc, err := iampolicy.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	c := cover(t)
	for want, o := range map[string]scp.Options{
		"no tag key":             {},
		`key "a${b}"`:            {Keys: []string{"a${b}"}},
		`role "*"`:               {Keys: []string{"a"}, BreakGlass: "*"},
		`role "a:b"`:             {Keys: []string{"a"}, BreakGlass: "a:b"},
		`hub "111"`:              {Keys: []string{"a"}, Hub: "111"},
		`partition "mars"`:       {Keys: []string{"a"}, Partition: "mars"},
		"size is too small":      {Keys: []string{"a"}, Size: 10},
		"keys are too long":      {Keys: long(1), Size: 500},
		"statement Change takes": {Keys: long(1), Size: 700},
	} {
		if _, err := c.Policies(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}

// TestCoverage holds on to services that matter, both ways.
func TestCoverage(t *testing.T) {
	t.Parallel()
	c := cover(t)
	for _, a := range []string{"ec2:CreateTags", "rds:AddTagsToResource", "lambda:TagResource", "iam:TagRole", "s3:TagResource", "dynamodb:TagResource"} {
		if !slices.Contains(c.Set, a) {
			t.Errorf("%s isn't held", a)
		}
	}
	for _, a := range []string{"ec2:DeleteTags", "rds:RemoveTagsFromResource", "lambda:UntagResource", "s3:UntagResource"} {
		if !slices.Contains(c.Remove, a) {
			t.Errorf("%s isn't held", a)
		}
	}
	for _, a := range []string{"s3:PutBucketTagging", "route53:ChangeTagsForResource", "dax:UntagResource", "codebuild:*"} {
		if !slices.ContainsFunc(c.Gaps, func(g scp.Gap) bool { return g.Action == a }) {
			t.Errorf("%s isn't among the gaps", a)
		}
	}
	// Whatever the functions may write with is held, or named.
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range catalogue.Actions(rows) {
		prefix, name, _ := strings.Cut(a, ":")
		if prefix == "tag" || !strings.Contains(name, "Tag") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "Describe") {
			continue
		}
		if !slices.Contains(c.Set, a) && !slices.ContainsFunc(c.Gaps, func(g scp.Gap) bool { return g.Action == a || g.Action == prefix+":*" }) {
			t.Errorf("%s is neither held nor named", a)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	stale := filepath.Join(folder, "scp-9.json")
	if err := os.WriteFile(stale, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	if err := cover(t).Write(folder, scp.Options{Keys: []string{"creator"}}, &report); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("an older policy is still there: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		parse(t, data)
		if want := fmt.Sprintf("%s: %d characters", name, len(data)); !strings.Contains(report.String(), want) {
			t.Errorf("the report doesn't say %q", want)
		}
	}
	if !strings.Contains(report.String(), "`s3:PutBucketTagging") {
		t.Error("the report lacks what can't be held")
	}
}

// TestDocumented: docs/security.md has the report.
func TestDocumented(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../docs/security.md", "<!-- written by: go test ./internal/scp -run Documented -update -->\n", "<!-- end -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no section between %q and %q", file, begin, end)
	}
	want := before + begin + cover(t).Report() + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s isn't what the report says; write it with -update", file)
	}
}
