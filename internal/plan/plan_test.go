package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

func bucket(t *testing.T, name, more string) *cloudtrail.Event {
	t.Helper()
	e, err := cloudtrail.Decode(`{"eventSource":"s3.amazonaws.com","eventName":"CreateBucket","awsRegion":"eu-west-1","recipientAccountId":"111122223333","eventTime":"2026-11-21T10:00:00Z",
		"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com","invokedBy":"cloudformation.amazonaws.com"},
		"requestParameters":{"bucketName":"` + name + `"` + more + `}}`)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func planned(t *testing.T, config string, e *cloudtrail.Event) plan.Plan {
	t.Helper()
	p := policy.Default()
	if config != "" {
		var err error
		if p, err = policy.Parse("test.yaml", []byte(config)); err != nil {
			t.Fatal(err)
		}
	}
	made, err := (&plan.Planner{Catalogue: catalogue.Default(), Policy: p}).Plan(e)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestTags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, more, want string }{
		"default":           {"", "", "creator=alice@example.com"},
		"all":               {"tags: {created-at: true, created-by-arn: true, created-via: true}\ncost-center: [{default: '7'}]", "", "cost-center=7 created-at=2026-11-21T10:00:00Z created-by-arn=arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com created-via=cloudformation.amazonaws.com creator=alice@example.com"},
		"keys":              {"tags: {creator: owner, cost-center: cc}\ncost-center: [{default: '7'}]", "", "cc=7 owner=alice@example.com"},
		"local part":        {"tags: {creator: {key: creator, value: local-part}}", "", "creator=alice"},
		"requested tag":     {"", `,"createBucketConfiguration":{"tags":[{"key":"cost-center","value":"1234"}]}`, "cost-center=1234 creator=alice@example.com"},
		"requested creator": {"", `,"createBucketConfiguration":{"tags":[{"key":"creator","value":"the team, all"}]}`, "creator=the team, all"},
		"replaced creator":  {"existing: replace", `,"createBucketConfiguration":{"tags":[{"key":"creator","value":"the team"}]}`, "creator=alice@example.com"},
		"rule by role":      {"cost-center: [{rule: {roles: [Dev], value: 'role'}}, {default: 'd'}]", "", "cost-center=role creator=alice@example.com"},
		"rule that doesn't": {"cost-center: [{rule: {services: [ec2], value: 'ec2'}}, {default: 'd'}]", "", "cost-center=d creator=alice@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := planned(t, c.config, bucket(t, "pictures", c.more))
			if len(made.Resources) != 1 {
				t.Fatal(made)
			}
			if got := tags(made.Resources[0].Tags); got != c.want {
				t.Errorf("tags %s, want %s", got, c.want)
			}
		})
	}
}

func TestExclusions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config, bucket, more string
		want                 resolve.Reason
	}{
		"none":        {"", "pictures", "", ""},
		"account":     {"exclude: {accounts: ['1111*']}", "pictures", "", resolve.Excluded},
		"region":      {"exclude: {regions: ['eu-*']}", "pictures", "", resolve.Excluded},
		"own region":  {"exclude: {regions: ['eu-*']}", "pictures", `,"createBucketConfiguration":{"locationConstraint":"us-west-2"}`, ""},
		"service":     {"exclude: {services: [s3]}", "pictures", "", resolve.Excluded},
		"type":        {"exclude: {types: ['AWS::S3::*']}", "pictures", "", resolve.Excluded},
		"creator":     {"exclude: {creators: ['*@example.com']}", "pictures", "", resolve.Excluded},
		"name":        {"exclude: {names: ['pic*']}", "pictures", "", resolve.Excluded},
		"opt-out tag": {"", "pictures", `,"createBucketConfiguration":{"tags":[{"key":"autotagger:skip","value":"yes"}]}`, resolve.Excluded},
		"off":         {"mode: off", "pictures", "", resolve.Excluded},
		"own role":    {"own-roles: [Dev]", "pictures", "", resolve.OwnEvent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := planned(t, c.config, bucket(t, c.bucket, c.more))
			if made.Reason != c.want {
				t.Errorf("the reason is %q (%s), want %q", made.Reason, made.Detail, c.want)
			}
			if (made.Reason == "") != (len(made.Resources) > 0) {
				t.Errorf("reason %q with %d resources", made.Reason, len(made.Resources))
			}
		})
	}
}

// TestFailureComesFirst: a call of our own that failed is skipped because it
// failed.
func TestFailureComesFirst(t *testing.T) {
	t.Parallel()
	e := bucket(t, "pictures", "")
	e.ErrorCode = "AccessDenied"
	if made := planned(t, "own-roles: [Dev]", e); made.Reason != resolve.CallFailed {
		t.Errorf("the reason is %s", made.Reason)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config, bucket string
		want           bool
	}{
		"default":      {"", "pictures", true},
		"off":          {"cors: off", "pictures", false},
		"tool bucket":  {"", "cdk-hnb659fds-assets-111122223333-eu-west-1", false},
		"own excluded": {"cors: {exclude: ['pic*'], rules: [{allowed-methods: [GET], allowed-origins: ['*']}]}", "pictures", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := planned(t, c.config, bucket(t, c.bucket, ""))
			if got := len(made.Resources[0].CORS) > 0; got != c.want {
				t.Errorf("CORS is planned: %v, want %v", got, c.want)
			}
		})
	}
}

func TestUnknownCreator(t *testing.T) {
	t.Parallel()
	e := bucket(t, "pictures", "")
	e.Identity = cloudtrail.Identity{}
	if got := tags(planned(t, "", e).Resources[0].Tags); got != "" {
		t.Errorf("tags %s, want none", got)
	}
	if got := tags(planned(t, "tags: {creator: {unknown: true}}", e).Resources[0].Tags); got != "creator=unknown" {
		t.Errorf("tags %s, want creator=unknown", got)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ most, strict string }{
		"alice@example.com":             {"alice@example.com", "alice_example.com"},
		" Ünal, Ada \U0001F600 ":        {"Ünal_ Ada _", "_nal__Ada__"},
		"a,b;c":                         {"a_b_c", "a_b_c"},
		"a\nb\x00c":                     {"a_b_c", "a_b_c"},
		"\n team a\r\n":                 {"team a", "team_a"},
		"équipe\u00a0: 5":               {"équipe\u00a0: 5", "_quipe_:_5"},
		"a\u2028b":                      {"a_b", "a_b"},
		"\u200fשלום\u200f":              {"_שלום_", "______"},
		"":                              {"", ""},
		" \t\u3000 ":                    {"", ""},
		"\xff":                          {"_", "_"},
		"a\xff\xfeb":                    {"a__b", "a__b"},
		"repo:org/app:ref=x+y-z":        {"repo:org/app:ref=x+y-z", "repo:org/app:ref=x+y-z"},
		strings.Repeat("é", 300):        {strings.Repeat("é", 256), strings.Repeat("_", 40)},
		strings.Repeat("𝒳", 300):        {strings.Repeat("𝒳", 128), strings.Repeat("_", 40)},
		strings.Repeat("a", 255) + " b": {strings.Repeat("a", 255), strings.Repeat("a", 40)},
	} {
		if got := plan.Value(in, catalogue.Limit{}); got != want.most {
			t.Errorf("%q becomes %q, want %q", in, got, want.most)
		}
		if got := plan.Value(in, catalogue.Limit{ASCII: true, Max: 40, No: " @"}); got != want.strict {
			t.Errorf("%q becomes %q where little is taken, want %q", in, got, want.strict)
		}
	}
	if got := plan.Value("Ünal\u00a0Ada", catalogue.Limit{ASCII: true}); got != "_nal Ada" {
		t.Errorf("a space beyond ASCII becomes %q", got)
	}
}

// FuzzValue: whatever a service takes, a value made to fit is of that, and stays as it
// is when it is made to fit again.
func FuzzValue(f *testing.F) {
	for _, s := range []string{"alice@example.com", "a, b", "\U0001F600", strings.Repeat("é", 300), "a\nb", "\u202eabc", "a\x00", "\xff\xfe", "   ", "𝒳\u3000"} {
		f.Add(s, 0, 0, false, " @")
	}
	f.Fuzz(func(t *testing.T, s string, most, bytes int, ascii bool, no string) {
		l := catalogue.Limit{Max: max(0, most), Bytes: max(0, bytes), ASCII: ascii, No: no}
		if strings.Contains(no, "_") {
			t.Skip("every service takes an underscore")
		}
		v := plan.Value(s, l)
		for _, c := range v {
			if !l.Takes(c) {
				t.Errorf("%q has %q", v, c)
			}
		}
		units := len(utf16.Encode([]rune(v)))
		switch {
		case !utf8.ValidString(v), v != strings.TrimSpace(v), plan.Value(v, l) != v:
			t.Errorf("%q becomes %q, then %q", s, v, plan.Value(v, l))
		case l.Max > 0 && units > l.Max, l.Max == 0 && units > catalogue.MaxValue, l.Bytes > 0 && len(v) > l.Bytes:
			t.Errorf("%q is too long", v)
		}
	})
}

// TestServiceLimits: a value is made to fit the resource's own service, from wherever
// it comes, and a key that doesn't fit is left out and named.
func TestServiceLimits(t *testing.T) {
	t.Parallel()
	const config = "tags: {creator: 'Made by', cost-center: cc, created-by-arn: who@}\ncost-center: [{default: 'Größe 5'}]"
	strict, err := cloudtrail.Decode(`{"eventSource":"evs.amazonaws.com","eventName":"CreateEnvironment","awsRegion":"eu-west-1","recipientAccountId":"111122223333",
		"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com"},
		"responseElements":{"environment":{"environmentArn":"arn:aws:evs:eu-west-1:111122223333:environment/env-abcdef1234"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	made := planned(t, config, strict)
	if len(made.Resources) != 1 {
		t.Fatalf("%s %s", made.Reason, made.Detail)
	}
	got := made.Resources[0]
	if tags(got.Tags) != "cc=Gr__e_5 who@=arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com" {
		t.Errorf("tags %s", tags(got.Tags))
	}
	if len(got.Unfit) != 1 || got.Unfit[0] != `evs takes no ' ' in a tag's key: Made by` {
		t.Errorf("unfit %q", got.Unfit)
	}
	// Where nothing is changed, tags are the same, and can be written in one call.
	if a, b := tags(planned(t, "", strict).Resources[0].Tags), tags(planned(t, "", bucket(t, "pictures", "")).Resources[0].Tags); a != b || a != "creator=alice@example.com" {
		t.Errorf("%s and %s differ", a, b)
	}
	got = planned(t, config, bucket(t, "pictures", "")).Resources[0]
	if tags(got.Tags) != "Made by=alice@example.com cc=Größe 5 who@=arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com" || got.Unfit != nil {
		t.Errorf("a bucket's tags are %s, unfit %q", tags(got.Tags), got.Unfit)
	}
}

// tags writes tags as key=value, sorted.
func tags(m map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, key+"="+m[key])
	}
	return strings.Join(all, " ")
}

// TestCostCenterSource: a value that isn't valid is named with the source that gave it,
// whatever is written in its place.
func TestCostCenterSource(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"cost-center: [{default: '7'}]\ncost-centers: {values: ['7']}":                                    "default",
		"cost-center: [{account: {\"111122223333\": '8'}}]\ncost-centers: {values: ['7'], fallback: '7'}": `fallback, since account gives "8", which isn't valid`,
		"cost-center: [{account: {\"111122223333\": '8'}}]\ncost-centers: {values: ['7']}":                `nothing, since account gives "8", which isn't valid`,
	} {
		if got := planned(t, config, bucket(t, "pictures", "")).Resources[0].Sources()["cost-center"]; got != want {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
	made := planned(t, "", bucket(t, "pictures", `,"createBucketConfiguration":{"tags":[{"key":"creator","value":"the team"}]}`))
	if got := made.Resources[0].Sources()["creator"]; got != "the create request" {
		t.Errorf("the request's own creator is from %q", got)
	}
}

// TestSharedParent: what names no parent of its own has that of the call's other resources,
// where those agree.
func TestSharedParent(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	p.CostCenter = []policy.Source{{Parent: []string{"cc"}}}
	planner := &plan.Planner{Catalogue: catalogue.Default(), Policy: p}
	e, err := cloudtrail.Decode(`{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"eu-west-1","recipientAccountId":"111122223333",
		"userIdentity":{"type":"AWSService","invokedBy":"autoscaling.amazonaws.com"},
		"responseElements":{"instancesSet":{"items":[{"instanceId":"i-0123456789abcdef0"},{"instanceId":"i-0123456789abcdef1"},{"instanceId":"i-0123456789abcdef2"}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	made, err := planner.Plan(e)
	if err != nil || len(made.Resources) != 3 {
		t.Fatalf("%v, %+v", err, made)
	}
	volume := resolve.Resource{ARN: "arn:aws:ec2:eu-west-1:111122223333:volume/vol-0123456789abcdef0", Type: "AWS::EC2::Volume", API: "ec2", Account: "111122223333", Region: "eu-west-1"}
	carol := plan.ResourceFacts{Creator: "carol", From: "arn:group", Parent: map[string]string{"cc": "42"}}
	dora := plan.ResourceFacts{Creator: "dora", From: "arn:other", Parent: map[string]string{"cc": "43"}}
	for name, c := range map[string]struct {
		facts []plan.ResourceFacts
		want  string
	}{
		"one parent":  {[]plan.ResourceFacts{carol, {}, carol}, "carol 42, carol 42, carol 42, carol 42"},
		"two parents": {[]plan.ResourceFacts{carol, {}, dora}, "carol 42, autoscaling.amazonaws.com , dora 43, autoscaling.amazonaws.com "},
		"none":        {nil, "autoscaling.amazonaws.com , autoscaling.amazonaws.com , autoscaling.amazonaws.com , autoscaling.amazonaws.com "},
	} {
		var got []string
		for _, r := range planner.With(made, plan.Facts{Resources: c.facts, Children: []resolve.Resource{volume}}).Resources {
			got = append(got, r.Tags["creator"]+" "+r.Tags["cost-center"])
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
