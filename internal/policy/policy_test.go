package policy_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/policy"
)

func TestDefault(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	if got, want := p.Keys(), []string{"cost-center", "creator"}; !slices.Equal(got, want) {
		t.Errorf("Keys = %v, want %v", got, want)
	}
	if got := p.ModeFor("111122223333", "eu-west-1"); got != policy.Enforce {
		t.Errorf("ModeFor = %v", got)
	}
	if p.CORS.Declared {
		t.Error("Default declares cors, so that a deployment need not")
	}
	rules, ok := p.CORSFor("my-bucket")
	want := []policy.CORSRule{{AllowedMethods: []string{"GET", "HEAD"}, AllowedOrigins: []string{"*"}, MaxAgeSeconds: 3000}}
	if !ok || !reflect.DeepEqual(rules, want) {
		t.Errorf("CORSFor = %+v, %v, want %+v", rules, ok, want)
	}
	if why, excluded := p.Excluded(policy.Subject{Account: "111122223333", Service: "s3", Name: "cdk-hnb659fds-assets-1-2"}); excluded {
		t.Errorf("excluded: %s", why)
	}
	p.CORS.Rules[0].AllowedMethods[0] = "PUT"
	p.OwnRoles[0] = "changed"
	if reflect.DeepEqual(p, policy.Default()) {
		t.Error("two defaults share memory")
	}
}

func TestModeFor(t *testing.T) {
	t.Parallel()
	p := parse(t, `
mode: observe
overrides:
  - {accounts: ["1111*"], regions: [eu-*], mode: "off"}
  - {accounts: ["1111*"], mode: enforce}
  - {regions: [us-east-1], mode: "off"}
`)
	for _, tt := range []struct {
		account, region string
		want            policy.Mode
	}{
		{"111122223333", "eu-west-1", policy.Off},
		{"111122223333", "us-east-1", policy.Enforce},
		{"999922223333", "us-east-1", policy.Off},
		{"999922223333", "eu-west-1", policy.Observe},
		{"", "", policy.Observe},
	} {
		if got := p.ModeFor(tt.account, tt.region); got != tt.want {
			t.Errorf("ModeFor(%q, %q) = %v, want %v", tt.account, tt.region, got, tt.want)
		}
	}
}

func TestExcluded(t *testing.T) {
	t.Parallel()
	p := parse(t, `
exclude:
  accounts: ["444455556666", "7*"]
  regions: [ap-*]
  services: [s3, logs]
  types: ["AWS::Glue::*"]
  creators: ["*@Contractor.example.com"]
  names: ["tmp-*", 'lit\*eral']
`)
	for _, tt := range []struct {
		subject policy.Subject
		want    string
	}{
		{policy.Subject{}, ""},
		{policy.Subject{Account: "111122223333", Region: "eu-west-1", Service: "ec2", Type: "AWS::EC2::Instance", Creator: "alice@example.com", Name: "i-1"}, ""},
		{policy.Subject{Account: "444455556666"}, `account "444455556666"`},
		{policy.Subject{Account: "777777777777"}, `account "777777777777" (7*)`},
		{policy.Subject{Region: "ap-south-1", Service: "s3"}, `region "ap-south-1" (ap-*)`},
		{policy.Subject{Service: "s3"}, `service "s3"`},
		{policy.Subject{Service: "S3"}, ""},
		{policy.Subject{Type: "AWS::Glue::Job"}, `type "AWS::Glue::Job" (AWS::Glue::*)`},
		{policy.Subject{Creator: "Bob@contractor.EXAMPLE.com"}, `creator "Bob@contractor.EXAMPLE.com" (*@Contractor.example.com)`},
		{policy.Subject{Name: "tmp-1"}, `name "tmp-1" (tmp-*)`},
		{policy.Subject{Name: "a-tmp-1"}, ""},
		{policy.Subject{Name: "lit*eral"}, `name "lit*eral" (lit\*eral)`},
		{policy.Subject{Name: "literal"}, ""},
	} {
		why, excluded := p.Excluded(tt.subject)
		if why != tt.want || excluded != (tt.want != "") {
			t.Errorf("Excluded(%+v) = %q, %v, want %q", tt.subject, why, excluded, tt.want)
		}
	}
}

func TestOptOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		yaml string
		tags map[string]string
		want bool
	}{
		{"", nil, false},
		{"", map[string]string{"autotagger:skip": ""}, true},
		{"", map[string]string{"autotagger:skip": "false"}, true},
		{"", map[string]string{"Autotagger:Skip": "yes"}, false},
		{"exclude: {tag: {key: managed, value: by-*}}", map[string]string{"managed": "by-hand"}, true},
		{"exclude: {tag: {key: managed, value: by-*}}", map[string]string{"managed": "no"}, false},
		{"exclude: {tag: false}", map[string]string{"autotagger:skip": "yes"}, false},
	} {
		if got := parse(t, tt.yaml).OptOut(tt.tags); got != tt.want {
			t.Errorf("%s: OptOut(%v) = %v", tt.yaml, tt.tags, got)
		}
	}
}

func TestCostCenterFor(t *testing.T) {
	t.Parallel()
	p := parse(t, `
cost-center:
  - tag: [cost-center, billing]
  - rule: {accounts: ["1111*"], services: [s3, glue], value: "data"}
  - rule: {creators: ["*@ML.example.com"], value: "ml"}
  - rule: {roles: [Deploy*], regions: [eu-*], value: "platform"}
  - account: {"222233334444": "7100"}
  - unit: {web: "web", two: "two"}
  - default: "0000"
units: {two: ["2*"], web: ["22224*", "333344445555"]}
`)
	tags := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, tt := range []struct {
		name          string
		subject       policy.Subject
		tags          map[string]string
		value, source string
	}{
		{"exact tag", policy.Subject{}, tags("cost-center", "1", "Cost-Center", "2"), "1", "tag cost-center"},
		{"another case", policy.Subject{}, tags("COST-Center", "2"), "2", "tag COST-Center"},
		{"two other cases", policy.Subject{}, tags("Cost-center", "2", "COST-CENTER", "3"), "3", "tag COST-CENTER"},
		{"second key", policy.Subject{}, tags("Billing", "4"), "4", "tag Billing"},
		{"first key wins", policy.Subject{}, tags("Billing", "4", "Cost-Center", "5"), "5", "tag Cost-Center"},
		{"blank is no answer", policy.Subject{}, tags("cost-center", " ", "billing", "4"), "4", "tag billing"},
		{"trimmed", policy.Subject{}, tags("cost-center", " 7 "), "7", "tag cost-center"},
		{"tag before rule", policy.Subject{Account: "111122223333", Service: "s3"}, tags("billing", "4"), "4", "tag billing"},
		{"rule", policy.Subject{Account: "111122223333", Service: "glue"}, nil, "data", "rule 2"},
		{"half a rule", policy.Subject{Account: "111122223333", Service: "ec2"}, nil, "0000", "default"},
		{"creators fold", policy.Subject{Creator: "EVE@ml.example.com"}, nil, "ml", "rule 3"},
		{"role and region", policy.Subject{Role: "DeployBot", Region: "eu-west-1"}, nil, "platform", "rule 4"},
		{"account", policy.Subject{Account: "222233334444"}, nil, "7100", "account"},
		{"the first unit", policy.Subject{Account: "222244445555"}, nil, "web", "unit web"},
		{"another unit", policy.Subject{Account: "222255556666"}, nil, "two", "unit two"},
		{"default", policy.Subject{}, nil, "0000", "default"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			value, source := p.CostCenterFor(tt.subject, policy.Known{Resource: tt.tags})
			if value != tt.value || source != tt.source {
				t.Errorf("CostCenterFor = %q, %q, want %q, %q", value, source, tt.value, tt.source)
			}
		})
	}
	if value, source := policy.Default().CostCenterFor(policy.Subject{}, policy.Known{Resource: tags("team", "x")}); value != "" || source != "" {
		t.Errorf("without an answer: %q, %q", value, source)
	}
}

func TestSourceKind(t *testing.T) {
	t.Parallel()
	for want, s := range map[policy.SourceKind]policy.Source{
		policy.SourceTag:     {Tag: []string{"a"}},
		policy.SourceRule:    {Rule: &policy.Rule{}},
		policy.SourceDefault: {Default: "a"},
	} {
		if got := s.Kind(); got != want {
			t.Errorf("Kind(%+v) = %v", s, got)
		}
	}
}

func TestCORSFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		yaml, bucket string
		want         bool
	}{
		{"", "my-bucket", true},
		{"", "my-terraform-state", true},
		{"", "sagemaker-experiments", true},
		{"", "cdk-hnb659fds-assets-111122223333-eu-west-1", false},
		{"", "cf-templates-1abc2def3ghi-eu-west-1", false},
		{"", "aws-cloudtrail-logs-111122223333-abcdef01", false},
		{"", "aws-waf-logs-mine", false},
		{"", "aws-logs-111122223333-eu-west-1", false},
		{"", "config-bucket-111122223333", false},
		{"", "elasticbeanstalk-eu-west-1-111122223333", false},
		{"", "aws-glue-assets-111122223333-eu-west-1", false},
		{"", "aws-athena-query-results-111122223333-eu-west-1", false},
		{"", "aws-sam-cli-managed-default-samclisourcebucket-1abc", false},
		{"", "shop-prod-serverlessdeploymentbucket-1abc", false},
		{"", "amplify-shop-dev-12345-deployment", false},
		{"", "codepipeline-eu-west-1-123456789012", false},
		{"", "sagemaker-eu-west-1-111122223333", false},
		{"", "fast--euw1-az1--x-s3", false},
		{"cors: off", "my-bucket", false},
		{"cors: {exclude: [my-*]}", "my-bucket", false},
		{"cors: {exclude: [my-*]}", "cf-templates-1-eu-west-1", false},
		{"cors: {exclude-service-buckets: false}", "cf-templates-1-eu-west-1", true},
		{"cors: {exclude-service-buckets: false}", "fast--euw1-az1--x-s3", false},
		{"exclude: {names: [my-*]}", "my-bucket", false},
	} {
		if rules, got := parse(t, tt.yaml).CORSFor(tt.bucket); got != tt.want || got != (len(rules) > 0) {
			t.Errorf("%s: CORSFor(%q) = %v, %v, want %v", tt.yaml, tt.bucket, rules, got, tt.want)
		}
	}
	p := policy.Default()
	rules, _ := p.CORSFor("my-bucket")
	rules[0].AllowedOrigins[0] = "https://changed.example.com"
	if !reflect.DeepEqual(p, policy.Default()) {
		t.Error("a caller can change the policy through its rules")
	}
}

func TestIsOwnRole(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	for role, want := range map[string]bool{"autotagger-tagger-eu-west-1": true, "autotagger-cors-eu-west-1": true, "Autotagger-tagger-eu-west-1": false, "autotagger-ci": false, "deploy": false, "": false} {
		if got := p.IsOwnRole(role); got != want {
			t.Errorf("IsOwnRole(%q) = %v", role, got)
		}
	}
}

func TestFormatCreator(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com"
	for _, tt := range []struct {
		form            policy.CreatorForm
		name, arn, want string
	}{
		{policy.CreatorName, "alice@example.com", arn, "alice@example.com"},
		{policy.CreatorEmail, "alice@example.com", arn, "alice@example.com"},
		{policy.CreatorEmail, "DeployBot", arn, "DeployBot"},
		{policy.CreatorLocalPart, "alice@example.com", arn, "alice"},
		{policy.CreatorLocalPart, "DeployBot", arn, "DeployBot"},
		{policy.CreatorLocalPart, "@example.com", arn, "@example.com"},
		{policy.CreatorLocalPart, "alice@", arn, "alice@"},
		{policy.CreatorLocalPart, "a@b@c", arn, "a@b@c"},
		{policy.CreatorARN, "alice@example.com", arn, arn},
		{policy.CreatorARN, "unknown", "", "unknown"},
		{policy.CreatorHash, "alice@example.com", arn, "f3d6ddc7dbf9be2eb667360a5a9a4343"},
		{policy.CreatorHash, "root", "", "root"},
		{policy.CreatorHash, "unknown", "", "unknown"},
		{policy.CreatorHash, "", "", ""},
	} {
		p := policy.Default()
		p.Tags.CreatorForm, p.Tags.HashKey = tt.form, "0123456789abcdef"
		if got := p.FormatCreator(tt.name, tt.arn); got != tt.want {
			t.Errorf("%s: FormatCreator(%q) = %q, want %q", tt.form, tt.name, got, tt.want)
		}
	}
	p := policy.Default()
	p.Tags.CreatorForm, p.Tags.HashKey = policy.CreatorHash, "0123456789abcdef"
	if p.FormatCreator("Alice@Example.com", "") != p.FormatCreator("alice@example.com", "") {
		t.Error("the hash depends on case")
	}
	before := p.FormatCreator("alice@example.com", "")
	p.Tags.HashKey = "another key, as long"
	if before == p.FormatCreator("alice@example.com", "") {
		t.Error("the hash doesn't depend on its key")
	}
}

// A glob of many stars against a long name must not hold the function up.
func TestGlobIsBounded(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	p.Exclude.Names = []string{strings.Repeat("*a", 100) + "?*b*"}
	p.Excluded(policy.Subject{Name: strings.Repeat("a", 2048)})
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	err := &policy.Error{Name: "a.yaml", Faults: []policy.Fault{{Line: 1, Message: "is a list"}, {Line: 12, Path: "cors.rules[0]", Message: "is empty"}}}
	if got, want := err.Error(), "a.yaml:1: is a list\na.yaml:12: cors.rules[0]: is empty"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

// TestBeyond: what a deployment was not made for takes another one, everything else
// can change without.
func TestBeyond(t *testing.T) {
	t.Parallel()
	deployed := parse(t, "cors: {}\ntags: {created-via: true}\ncatalogue: {enable: ['ecs:RunTask'], disable: ['sqs:*']}\n")
	for config, want := range map[string]string{
		"cors: off\ntags: {created-via: true}\ncatalogue: {enable: ['ecs:RunTask'], disable: ['sqs:*', 'sns:*']}\nmode: observe\n": "",
		"cors: {}\ncatalogue: {disable: ['sqs:*']}\n":                             "",
		"cors: {}\ncatalogue: {disable: ['sqs:*']}\ntags: {creator: owner}\n":     "tags: the functions may not write the key \"owner\"",
		"cors: {}\ncatalogue: {disable: ['sqs:*'], enable: ['glue:StartJob*']}\n": "catalogue.enable: there are no rules and permissions for \"glue:StartJob*\"",
		"cors: {}\n":                        "catalogue.disable: there are no rules and permissions for \"sqs:*\", which it no longer names",
		"catalogue: {disable: ['sqs:*']}\n": "cors: is missing; a deployment has to say which rules buckets get, or off",
	} {
		if got := strings.Join(parse(t, config).Beyond(deployed), "; "); got != want {
			t.Errorf("%q is beyond by %q, want %q", config, got, want)
		}
	}
	if got := deployed.Beyond(parse(t, "cors: off\ntags: {created-via: true}\ncatalogue: {enable: ['ecs:RunTask']}\n")); len(got) != 1 || !strings.Contains(got[0], "there is no function") {
		t.Errorf("without the function it is beyond by %q", got)
	}
}

// TestBeyondWidens: who may write the live configuration can't make of it what the
// deployment didn't mean; less of it is always possible.
func TestBeyondWidens(t *testing.T) {
	t.Parallel()
	const wide = "existing: replace\ncatalogue: {last-resort: true}\nown-roles: [replay-*]\ncors: {exclude-service-buckets: false}\n"
	const narrow = "exclude: {names: [tmp-*]}\ncors: {exclude: [private-*]}\n"
	for _, c := range []struct{ deployed, config, want string }{
		{wide, wide, ""},
		{wide, "cors: {}\n", ""},
		{wide, "cors: {exclude: [a]}\n", ""},
		{wide, "cors: off\n", ""},
		{narrow, narrow, ""},
		{narrow, "cors: off\n", ""},
		{narrow, "cors: {exclude: [private-*, tmp-*]}\n", ""},
		{"cors: {}\n", "cors: {rules: [{allowed-methods: [GET, HEAD], allowed-origins: ['*'], max-age-seconds: 3000}]}\n", ""},
		{"cors: {}\n", "cors: {}\nexisting: replace\n", "existing: the deployment keeps tags that stand"},
		{"cors: {}\n", "cors: {}\ncatalogue: {last-resort: true}\n", "catalogue.last-resort: it is off in the deployment"},
		{wide, "cors: {}\nown-roles: [replay-*, '*']\n", `own-roles: the deployment doesn't have "*"`},
		{"cors: {}\n", "cors: {exclude-service-buckets: false}\n", "cors.exclude-service-buckets: the deployment leaves them alone"},
		{"cors: {}\n", "cors: {rules: [{allowed-methods: [PUT, DELETE], allowed-origins: ['https://evil.example']}]}\n", "cors.rules: the deployment has others"},
		{"cors: {exclude-service-buckets: false, exclude: [cf-templates-*]}\n", wide[strings.Index(wide, "cors"):], `cors.exclude: the deployment leaves "cf-templates-*" alone`},
		{narrow, "cors: {}\n", `cors.exclude: the deployment leaves "private-*" alone; cors.exclude: the deployment leaves "tmp-*" alone`},
	} {
		if got := strings.Join(parse(t, c.config).Beyond(parse(t, c.deployed)), "; "); got != c.want {
			t.Errorf("%q deployed: %q is beyond by %q, want %q", c.deployed, c.config, got, c.want)
		}
	}
}

// TestBeyondHashes: names that are hashed don't come to light without a deployment.
func TestBeyondHashes(t *testing.T) {
	t.Parallel()
	hashed := "cors: off\ntags: {creator: {value: hash, hash-key: 0123456789abcdef-}}\n"
	for config, want := range map[string]int{"cors: off\n": 1, hashed: 0} {
		if got := parse(t, config).Beyond(parse(t, hashed)); len(got) != want {
			t.Errorf("%q is beyond by %q", config, got)
		}
	}
}

func TestObserving(t *testing.T) {
	t.Parallel()
	p := parse(t, "overrides: [{accounts: ['1*'], mode: off}, {accounts: ['2*'], mode: enforce}]\n")
	o := p.Observing()
	for account, want := range map[string]policy.Mode{"111122223333": policy.Off, "222233334444": policy.Observe, "333344445555": policy.Observe} {
		if got := o.ModeFor(account, "eu-west-1"); got != want {
			t.Errorf("the mode for %s is %s, want %s", account, got, want)
		}
	}
	if p.ModeFor("222233334444", "") != policy.Enforce || p.Mode != policy.Enforce {
		t.Error("the policy itself has changed")
	}
}
