package iampolicy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"autotagger/internal/iampolicy"
)

func parse(t interface {
	Helper()
	Fatal(...any)
}, text string) iampolicy.Document {
	t.Helper()
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// statement returns a policy of one statement, in the newer language.
func statement(members string) string {
	return `{"Version":"2012-10-17","Statement":{` + members + `}}`
}

const object = "arn:aws:s3:::photos/a.jpg"

func TestEvaluate(t *testing.T) {
	t.Parallel()
	allow := statement(`"Sid":"Allow","Effect":"Allow","Action":"s3:*","Resource":"*"`)
	deny := statement(`"Sid":"Deny","Effect":"Deny","Action":["s3:Delete*"],"Resource":["*"]`)
	maybe := statement(`"Sid":"Maybe","Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`)
	perhaps := statement(`"Sid":"Perhaps","Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":3600}}`)
	for _, c := range []struct {
		name   string
		action string
		docs   []string
		want   iampolicy.Decision
		sid    string
	}{
		{"no document", "s3:GetObject", nil, iampolicy.NotAllowed, ""},
		{"nothing for the action", "sqs:SendMessage", []string{allow}, iampolicy.NotAllowed, ""},
		{"an allow", "s3:GetObject", []string{allow, deny}, iampolicy.Allowed, "Allow"},
		{"a deny after an allow", "s3:DeleteObject", []string{allow, deny}, iampolicy.Denied, "Deny"},
		{"a deny before an allow", "s3:DeleteObject", []string{deny, allow}, iampolicy.Denied, "Deny"},
		{"a deny alone", "s3:DeleteObject", []string{deny}, iampolicy.Denied, "Deny"},
		{"an action in lower case", "S3:deleteobject", []string{allow, deny}, iampolicy.Denied, "Deny"},
		{"what may be denied", "s3:GetObject", []string{allow, maybe}, iampolicy.Unknown, "Maybe"},
		{"what is denied in any case", "s3:DeleteObject", []string{allow, maybe, deny}, iampolicy.Denied, "Deny"},
		{"what may be allowed", "sqs:SendMessage", []string{allow, perhaps}, iampolicy.Unknown, "Perhaps"},
		{"what is allowed in any case", "s3:GetObject", []string{perhaps, allow}, iampolicy.Allowed, "Allow"},
	} {
		var docs []iampolicy.Document
		for _, d := range c.docs {
			docs = append(docs, parse(t, d))
		}
		got := iampolicy.Evaluate(iampolicy.Request{Action: c.action, Resource: object}, docs...)
		if got.Decision != c.want || got.Sid != c.sid {
			t.Errorf("%s: %v by %q, want %v by %q", c.name, got.Decision, got.Sid, c.want, c.sid)
		}
		if (got.Why == "") == (c.want == iampolicy.Unknown) {
			t.Errorf("%s: %v because %q", c.name, got.Decision, got.Why)
		}
	}
}

// The rows on photos, accounts' users and test/ follow AWS's examples:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html
func TestResources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		element, pattern, resource string
		want                       bool
	}{
		{"Resource", "*", object, true},
		{"Resource", "*", "*", true},
		{"Resource", object, object, true},
		{"Resource", object, "*", false},
		{"Resource", "arn:aws:s3:::photos/?.jpg", object, true},
		{"Resource", "arn:aws:s3:::photos/??.jpg", object, false},
		{"Resource", "arn:aws:s3:::Photos/*", object, false},
		{"Resource", "arn:aws:iam::111122223333:user/accounting/*", "arn:aws:iam::111122223333:user/accounting/bob", true},
		{"Resource", "arn:aws:iam::111122223333:user/accounting/*", "arn:aws:iam::111122223333:user/bob", false},
		{"Resource", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/test/object.jpg", true},
		{"Resource", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/2/3/test/4/object.jpg", true},
		{"Resource", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b//test/object.jpg", true},
		{"Resource", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/test/", true},
		{"Resource", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1-test/object.jpg", false},
		{"Resource", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/test/object.jpg", false},
		// A * that ends a part goes on, one within a part doesn't.
		{"Resource", "arn:aws:sqs:eu-*", "arn:aws:sqs:eu-west-1:111122223333:q", true},
		{"Resource", "arn:aws:sqs:eu-*:q", "arn:aws:sqs:eu-west-1:111122223333:q", true},
		{"Resource", "arn:aws:sqs:e*1:111122223333:q", "arn:aws:sqs:eu-west-1:111122223333:q", true},
		{"Resource", "arn:aws:sqs:e*3:q", "arn:aws:sqs:eu-west-1:111122223333:q", false},
		{"Resource", "arn:aws:logs:*:*:log-group:/aws/*/x:*", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/l/a:b/x:*", true},
		{"NotResource", "arn:aws:s3:::hr/*", object, true},
		{"NotResource", "arn:aws:s3:::photos/*", object, false},
		// A variable's value, its default, and the characters themselves.
		{"Resource", "arn:aws:s3:::${aws:username}/*", object, true},
		{"Resource", "arn:aws:s3:::${AWS:UserName}/*", object, true},
		{"Resource", "arn:aws:s3:::${aws:PrincipalTag/team, 'photos'}/*", object, true},
		{"Resource", "arn:aws:s3:::photos/${*}", object, false},
		{"Resource", "arn:aws:s3:::photos/${*}${?}${$}", "arn:aws:s3:::photos/*?$", true},
	} {
		doc := parse(t, statement(fmt.Sprintf(`"Effect":"Allow","Action":"*","%s":%q`, c.element, c.pattern)))
		got := iampolicy.Evaluate(iampolicy.Request{Action: "s3:GetObject", Resource: c.resource, Context: map[string][]string{"aws:username": {"photos"}}}, doc)
		if (got.Decision == iampolicy.Allowed) != c.want || got.Decision == iampolicy.Unknown {
			t.Errorf("%s %s on %s: %v", c.element, c.pattern, c.resource, got.Decision)
		}
	}
	unresolved := parse(t, statement(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:PrincipalTag/team}/*"`))
	if got := iampolicy.Evaluate(iampolicy.Request{Action: "s3:GetObject", Resource: object}, unresolved); got.Decision != iampolicy.Unknown {
		t.Errorf("a variable without a value: %v", got.Decision)
	}
	old := parse(t, `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*"}]}`)
	got := iampolicy.Evaluate(iampolicy.Request{Action: "s3:GetObject", Resource: object, Context: map[string][]string{"aws:username": {"photos"}}}, old)
	if got.Decision != iampolicy.NotAllowed {
		t.Errorf("a variable in the older language: %v", got.Decision)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		element, pattern, action string
		want                     bool
	}{
		{"Action", `"*"`, "ec2:RunInstances", true},
		{"Action", `"ec2:*"`, "ec2:RunInstances", true},
		{"Action", `"EC2:runinstances"`, "ec2:RunInstances", true},
		{"Action", `"iam:*AccessKey*"`, "iam:CreateAccessKey", true},
		{"Action", `"iam:*AccessKey*"`, "iam:CreateUser", false},
		{"Action", `["s3:Get?cl","s3:Get?CL"]`, "s3:GetAcl", true},
		{"NotAction", `["iam:*","sts:*"]`, "ec2:RunInstances", true},
		{"NotAction", `["iam:*","sts:*"]`, "iam:CreateUser", false},
	} {
		doc := parse(t, statement(fmt.Sprintf(`"Effect":"Allow","%s":%s,"Resource":"*"`, c.element, c.pattern)))
		got := iampolicy.Evaluate(iampolicy.Request{Action: c.action, Resource: "*"}, doc)
		if (got.Decision == iampolicy.Allowed) != c.want {
			t.Errorf("%s %s on %s: %v", c.element, c.pattern, c.action, got.Decision)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func TestConditions(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/autotagger-tagger-spoke"
	type values = []string
	for _, c := range []struct {
		operator, wanted string
		has              values
		want             iampolicy.Decision
	}{
		{"StringEquals", `"a"`, values{"a"}, iampolicy.Allowed},
		{"StringEquals", `["a","b"]`, values{"b"}, iampolicy.Allowed},
		{"StringEquals", `"a"`, values{"A"}, iampolicy.NotAllowed},
		{"StringEquals", `"a*"`, values{"ab"}, iampolicy.NotAllowed},
		{"StringEquals", `"a*"`, values{"a*"}, iampolicy.Allowed},
		{"StringEquals", `"a"`, nil, iampolicy.NotAllowed},
		{"StringEquals", `"a"`, values{"a", "b"}, iampolicy.Unknown},
		{"StringEqualsIfExists", `"a"`, nil, iampolicy.Allowed},
		{"StringEqualsIfExists", `"a"`, values{"b"}, iampolicy.NotAllowed},
		{"StringEqualsIgnoreCase", `"a"`, values{"A"}, iampolicy.Allowed},
		{"StringNotEqualsIgnoreCase", `"a"`, values{"A"}, iampolicy.NotAllowed},
		{"StringNotEquals", `"a"`, values{"b"}, iampolicy.Allowed},
		{"StringNotEquals", `["a","b"]`, values{"b"}, iampolicy.NotAllowed},
		{"StringNotEquals", `"a"`, nil, iampolicy.Allowed},
		{"StringNotEqualsIfExists", `"a"`, nil, iampolicy.Allowed},
		{"StringLike", `"a?c*"`, values{"abcd"}, iampolicy.Allowed},
		{"StringLike", `"a?c"`, values{"ac"}, iampolicy.NotAllowed},
		{"StringLike", `"*"`, nil, iampolicy.NotAllowed},
		{"StringLike", `"${*}c"`, values{"bc"}, iampolicy.NotAllowed},
		{"StringNotLike", `"a*"`, values{"ab"}, iampolicy.NotAllowed},
		{"StringNotLike", `"a*"`, nil, iampolicy.Allowed},
		{"StringEquals", `"${aws:username}"`, values{"alice"}, iampolicy.Allowed},
		{"StringEquals", `"${aws:none}"`, values{"alice"}, iampolicy.Unknown},
		{"StringNotEquals", `"${aws:none}"`, values{"alice"}, iampolicy.Unknown},
		{"StringEquals", `["${aws:none}","alice"]`, values{"alice"}, iampolicy.Allowed},
		{"StringEquals", `"${aws:TagKeys}"`, values{"alice"}, iampolicy.Unknown},
		{"StringLike", `"${aws:wild}"`, values{"alice"}, iampolicy.Unknown},
		{"ArnEquals", `"arn:aws:iam::*:role/autotagger-*"`, values{role}, iampolicy.Allowed},
		{"ArnLike", `"arn:aws:iam::111122223333:role/autotagger-tagger-spoke"`, values{role}, iampolicy.Allowed},
		{"ArnLike", `"arn:aws:*:role/autotagger-tagger-spoke"`, values{role}, iampolicy.Unknown},
		{"ArnLike", `"arn:aws:iam:*:role/x:y"`, values{role}, iampolicy.NotAllowed},
		{"ArnLike", `"arn:aws:iam::*:role/*"`, values{"alice"}, iampolicy.NotAllowed},
		{"ArnLike", `"arn:aws:iam::*:role/*"`, nil, iampolicy.NotAllowed},
		{"ArnNotLike", `"arn:aws:iam::*:role/*"`, values{role}, iampolicy.NotAllowed},
		{"ArnNotLike", `"arn:aws:iam::*:role/*"`, nil, iampolicy.Allowed},
		{"ArnNotEquals", `["arn:aws:iam::*:role/x","arn:aws:iam::*:role/y"]`, values{role}, iampolicy.Allowed},
		{"ArnLikeIfExists", `"arn:aws:iam::*:role/x"`, nil, iampolicy.Allowed},
		{"Bool", `"true"`, values{"true"}, iampolicy.Allowed},
		{"Bool", `true`, values{"True"}, iampolicy.Allowed},
		{"Bool", `"true"`, values{"false"}, iampolicy.NotAllowed},
		{"Bool", `"false"`, nil, iampolicy.NotAllowed},
		{"BoolIfExists", `"false"`, nil, iampolicy.Allowed},
		{"BoolNot", `"false"`, values{"true"}, iampolicy.Unknown},
		{"Null", `"true"`, nil, iampolicy.Allowed},
		{"Null", `"true"`, values{"a"}, iampolicy.NotAllowed},
		{"Null", `false`, values{"a"}, iampolicy.Allowed},
		{"Null", `"false"`, nil, iampolicy.NotAllowed},
		{"NullIfExists", `"false"`, nil, iampolicy.Unknown},
		{"ForAnyValue:StringEquals", `["a","b"]`, values{"b", "c"}, iampolicy.Allowed},
		{"ForAnyValue:StringEquals", `["a","b"]`, values{"c"}, iampolicy.NotAllowed},
		{"ForAnyValue:StringEquals", `"a"`, nil, iampolicy.NotAllowed},
		{"ForAnyValue:StringEqualsIfExists", `"a"`, nil, iampolicy.Allowed},
		{"ForAnyValue:StringNotEquals", `"a"`, values{"a", "b"}, iampolicy.Allowed},
		{"ForAnyValue:StringNotEquals", `["a","b"]`, values{"a", "b"}, iampolicy.NotAllowed},
		{"ForAnyValue:StringNotEquals", `"a"`, nil, iampolicy.NotAllowed},
		{"ForAllValues:StringEquals", `["a","b"]`, values{"b"}, iampolicy.Allowed},
		{"ForAllValues:StringEquals", `["a","b"]`, values{"b", "c"}, iampolicy.NotAllowed},
		{"ForAllValues:StringEquals", `"a"`, nil, iampolicy.Allowed},
		{"ForAllValues:StringNotEquals", `"a"`, values{"b", "c"}, iampolicy.Allowed},
		{"ForAllValues:StringNotEquals", `"a"`, values{"a", "c"}, iampolicy.NotAllowed},
		{"ForAllValues:StringLike", `"key*"`, values{"key1", "key2"}, iampolicy.Allowed},
		{"ForAnyValue:ArnLike", `"arn:aws:iam::*:role/*"`, values{"alice", role}, iampolicy.Allowed},
		{"ForSomeValues:StringLike", `"key*"`, values{"key1"}, iampolicy.Unknown},
		{"NumericEquals", `"1"`, values{"1"}, iampolicy.Unknown},
		{"IpAddress", `"10.0.0.0/8"`, values{"10.1.1.1"}, iampolicy.Unknown},
		{"NotIpAddress", `"10.0.0.0/8"`, nil, iampolicy.Unknown},
		{"DateLessThan", `"2026-01-01T00:00:00Z"`, values{"2025-01-01T00:00:00Z"}, iampolicy.Unknown},
		{"BinaryEquals", `"QQ=="`, values{"QQ=="}, iampolicy.Unknown},
	} {
		doc := parse(t, statement(fmt.Sprintf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{%q:{"Test:Key":%s}}`, c.operator, c.wanted)))
		got := iampolicy.Evaluate(iampolicy.Request{Action: "s3:GetObject", Resource: object, Context: map[string][]string{
			"test:key": c.has, "aws:username": {"alice"}, "aws:TagKeys": {"x", "y"}, "aws:wild": {"a*"},
		}}, doc)
		if got.Decision != c.want {
			t.Errorf("%s %s, request %q: %v %s, want %v", c.operator, c.wanted, c.has, got.Decision, got.Why, c.want)
		}
	}
}

// TestAllConditionsHold: keys and operators are joined by "and", values by "or".
func TestAllConditionsHold(t *testing.T) {
	t.Parallel()
	doc := parse(t, statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{
		"StringEquals":{"k:a":["1","2"],"k:b":"3"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`))
	for _, c := range []struct {
		a, b string
		want iampolicy.Decision
	}{{"1", "3", iampolicy.Unknown}, {"2", "3", iampolicy.Unknown}, {"1", "4", iampolicy.NotAllowed}, {"3", "3", iampolicy.NotAllowed}} {
		r := iampolicy.Request{Action: "s3:GetObject", Resource: object, Context: map[string][]string{"k:a": {c.a}, "k:b": {c.b}}}
		if got := iampolicy.Evaluate(r, doc); got.Decision != c.want {
			t.Errorf("%s, %s: %v", c.a, c.b, got.Decision)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func TestPrincipals(t *testing.T) {
	t.Parallel()
	role := []string{"arn:aws:sts::111122223333:assumed-role/Tagger/s", "arn:aws:iam::111122223333:role/Tagger"}
	for _, c := range []struct {
		element, principals string
		principal           []string
		want                iampolicy.Decision
	}{
		{"Principal", `"*"`, role, iampolicy.Allowed},
		{"Principal", `{"AWS":"*"}`, role, iampolicy.Allowed},
		{"Principal", `{"AWS":"111122223333"}`, role, iampolicy.Allowed},
		{"Principal", `{"AWS":["arn:aws:iam::111122223333:root"]}`, role, iampolicy.Allowed},
		{"Principal", `{"AWS":"arn:aws:iam::999999999999:root"}`, role, iampolicy.NotAllowed},
		{"Principal", `{"AWS":"arn:aws:iam::111122223333:role/Tagger"}`, role, iampolicy.Allowed},
		{"Principal", `{"AWS":"arn:aws:iam::111122223333:role/Other"}`, role, iampolicy.NotAllowed},
		{"Principal", `{"Service":["sqs.amazonaws.com","events.amazonaws.com"]}`, []string{"events.amazonaws.com"}, iampolicy.Allowed},
		{"Principal", `{"Service":"events.amazonaws.com"}`, role, iampolicy.NotAllowed},
		{"Principal", `{"Service":"events.amazonaws.com"}`, nil, iampolicy.Unknown},
		{"NotPrincipal", `{"AWS":"111122223333"}`, role, iampolicy.NotAllowed},
		{"NotPrincipal", `{"AWS":"999999999999"}`, role, iampolicy.Allowed},
	} {
		doc := parse(t, statement(fmt.Sprintf(`"Effect":"Allow","Action":"sts:AssumeRole","%s":%s`, c.element, c.principals)))
		got := iampolicy.Evaluate(iampolicy.Request{Action: "sts:AssumeRole", Resource: "*", Principal: c.principal}, doc)
		if got.Decision != c.want {
			t.Errorf("%s %s, request %q: %v, want %v", c.element, c.principals, c.principal, got.Decision, c.want)
		}
	}
}

// TestMatchesAsRegexp: actions against Go's regular expressions.
func TestMatchesAsRegexp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab?*]{0,8}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "name")
		doc := parse(t, statement(fmt.Sprintf(`"Effect":"Allow","Action":"x:%s","Resource":"*"`, pattern)))
		got := iampolicy.Evaluate(iampolicy.Request{Action: "x:" + name, Resource: "*"}, doc).Decision == iampolicy.Allowed
		want := regexp.MustCompile("^" + strings.NewReplacer("?", ".", "*", ".*").Replace(pattern) + "$").MatchString(name)
		if got != want {
			t.Fatalf("%q on %q: %v", pattern, name, got)
		}
	})
}

// TestUnknownIsHonest: whatever an operator that isn't evaluated would say, a
// decision other than Unknown stays; and the order of statements doesn't matter.
func TestUnknownIsHonest(t *testing.T) {
	t.Parallel()
	condition := map[string]string{"unknown": `"NumericEquals":{"k:n":"1"}`, "true": `"Null":{"k:n":"true"}`, "false": `"Null":{"k:n":"false"}`}
	rapid.Check(t, func(t *rapid.T) {
		type part struct{ effect, action, condition string }
		parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) part {
			return part{
				rapid.SampledFrom([]string{"Allow", "Deny"}).Draw(t, "effect"),
				rapid.SampledFrom([]string{"x:A", "x:B", "*"}).Draw(t, "action"),
				rapid.SampledFrom([]string{"unknown", "true", "false"}).Draw(t, "condition"),
			}
		}), 1, 5).Draw(t, "statements")
		evaluate := func(parts []part, unknown string) iampolicy.Decision {
			var docs []iampolicy.Document
			for _, p := range parts {
				c := p.condition
				if c == "unknown" {
					c = unknown
				}
				docs = append(docs, parse(t, statement(fmt.Sprintf(`"Effect":%q,"Action":%q,"Resource":"*","Condition":{%s}`, p.effect, p.action, condition[c]))))
			}
			return iampolicy.Evaluate(iampolicy.Request{Action: "x:A", Resource: "*"}, docs...).Decision
		}
		got := evaluate(parts, "unknown")
		if holds, fails := evaluate(parts, "true"), evaluate(parts, "false"); got != iampolicy.Unknown && (got != holds || got != fails) {
			t.Fatalf("%v, but %v and %v", got, holds, fails)
		} else if got == iampolicy.Unknown && holds == fails && !slices.ContainsFunc(parts, func(p part) bool { return p.effect == "Allow" && p.condition == "unknown" }) {
			t.Fatalf("unknown, but %v in any case", holds)
		}
		turned := slices.Clone(parts)
		slices.Reverse(turned)
		if other := evaluate(turned, "unknown"); other != got {
			t.Fatalf("%v, in another order %v", got, other)
		}
	})
}
