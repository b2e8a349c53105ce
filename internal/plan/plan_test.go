package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/quick"
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
	for in, want := range map[string]string{
		"alice@example.com":      "alice@example.com",
		" Ünal, Ada \U0001F600 ": "Ünal_ Ada _",
		"a\nb\x00c":              "a_b_c",
		"":                       "",
		"   ":                    "",
		"\xff":                   "_",
		"repo:org/app:ref=x+y-z": "repo:org/app:ref=x+y-z",
		strings.Repeat("é", 300): strings.Repeat("é", 256),
	} {
		if got := plan.Value(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	err := quick.Check(func(s string) bool {
		v := plan.Value(s)
		return utf8.ValidString(v) && utf8.RuneCountInString(v) <= plan.MaxValue && v == strings.TrimSpace(v) && plan.Value(v) == v
	}, nil)
	if err != nil {
		t.Error(err)
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
