package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"autotagger/internal/policy"
)

func parsed(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tags are pairs of key and value.
func tags(key, value string) map[string]string { return map[string]string{key: value} }

// TestLookedUpSources: each source answers from its own tags, in the list's order.
func TestLookedUpSources(t *testing.T) {
	t.Parallel()
	p := parsed(t, `look-ups: {ledger: true, parents: true}
cost-center:
  - tag: cc
  - parent-tag: [a, cc]
  - session-tag: cc
  - principal-tag: cc
  - account-tag: cc
  - organizational-unit: {ou-ab12-11111111: near, r-ab12: root}
  - default: none`)
	all := policy.Known{
		Resource: tags("cc", "own"), Parent: tags("CC", "parent"), Session: tags("cc", "session"), Principal: tags("cc", "principal"),
		Account: tags("cc", "account"), OUs: []string{"ou-ab12-99999999", "ou-ab12-11111111", "r-ab12"},
	}
	for _, c := range []struct {
		drop          func()
		value, source string
	}{
		{func() {}, "own", "tag cc"},
		{func() { all.Resource = nil }, "parent", "parent-tag CC"},
		{func() { all.Parent = tags("cc", " ") }, "session", "session-tag cc"},
		{func() { all.Session = nil }, "principal", "principal-tag cc"},
		{func() { all.Principal = nil }, "account", "account-tag cc"},
		{func() { all.Account = nil }, "near", "organizational-unit ou-ab12-11111111"},
		{func() { all.OUs = []string{"r-ab12"} }, "root", "organizational-unit r-ab12"},
		{func() { all.OUs = nil }, "none", "default"},
	} {
		c.drop()
		if value, source := p.CostCenterFor(policy.Subject{}, all); value != c.value || source != c.source {
			t.Errorf("%q from %q, want %q from %q", value, source, c.value, c.source)
		}
	}
	if !p.AsksPrincipals() || !p.AsksAccounts() || !p.AsksOUs() || !p.Asks() || policy.Default().Asks() {
		t.Error("what is asked doesn't follow from the sources")
	}
}

func TestLookUpFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cost-center: [{parent-tag: a}]":                                     "needs look-ups.parents: true",
		"cost-center: [{session-tag: a}]":                                    "needs look-ups.ledger: true",
		"cost-center: [{parent-tag: 'a,b'}]":                                 "a tag key holds",
		"cost-center: [{organizational-unit: {ou-x: '1'}}]":                  "looks like ou-ab12-c3d4e5f6",
		"restore-removed-tags: true":                                         "needs report-removed-tags: true",
		"{report-removed-tags: true, restore-removed-tags: true}":            "needs look-ups.ledger: true",
		"sessions: {trusted-roles: [a]}":                                     "is for strict: true only",
		"sessions: {verify: true}":                                           "is for strict: true only",
		"look-ups: {wait: 901s}":                                             "30s to 900s",
		"cost-centers: {values: ['1'], fallback: '2'}":                       "isn't among the valid ones",
		"cost-centers: {values: ['1']}\ncost-center: [{default: '2'}]":       "isn't among the valid cost centers",
		"sessions: {strict: true, trusted-roles: ['arn:aws:iam::1:role/x']}": "it is a role's name",
		"cost-centers: {fallback: '1'}":                                      "give values or an object",
		"cost-centers: {object: valid.txt}":                                  "it is written s3://bucket/key",
		"look-ups: {wait: 1h}":                                               "30s to 900s or 1m to 15m",
		"look-ups: {identity-store: {account: '1', region: eu-west-1}}":      "an account is twelve digits",
		"look-ups: {identity-store: {account: '111122223333'}}":              "region is missing",
		"look-ups: {ledgers: true}":                                          `did you mean "ledger"?`,
	} {
		if _, err := policy.Parse("test.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if p := parsed(t, "look-ups: {wait: 45s}"); p.LookUps.Wait != 45*time.Second {
		t.Errorf("waits %v", p.LookUps.Wait)
	}
}

func TestTrustsSession(t *testing.T) {
	t.Parallel()
	if !policy.Default().TrustsSession("Any") {
		t.Error("without strict every session counts")
	}
	p := parsed(t, "sessions: {strict: true, trusted-roles: [Dev-*]}")
	if p.TrustsSession("Any") || !p.TrustsSession("Dev-1") {
		t.Error("strict: only listed roles count")
	}
}

func TestCostCenters(t *testing.T) {
	t.Parallel()
	p := parsed(t, "cost-centers: {values: ['0', '1', '2'], fallback: '0'}")
	for value, want := range map[string]string{"1": "1", "3": "0", "": ""} {
		if got, valid := p.CheckCostCenter(value); got != want || valid != (value == want) {
			t.Errorf("%q becomes %q, %t", value, got, valid)
		}
	}
	if got, valid := parsed(t, "cost-centers: {values: ['1']}").CheckCostCenter("3"); got != "" || valid {
		t.Errorf("without a fallback: %q, %t", got, valid)
	}
	unread := parsed(t, "cost-centers: {values: ['1'], object: 's3://bucket/valid'}")
	if got, valid := unread.CheckCostCenter("3"); got != "3" || !valid {
		t.Errorf("unread: %q, %t", got, valid)
	}
	if got, _ := unread.WithCostCenters([]string{"3"}).CheckCostCenter("3"); got != "3" {
		t.Errorf("read: %q", got)
	}
	values, err := policy.ParseCostCenters([]byte("\n# a\r\n 1 \r\nMünchen 2"))
	if err != nil || !slices.Equal(values, []string{"1", "München 2"}) {
		t.Errorf("%q, %v", values, err)
	}
	for _, text := range []string{"", "# a\n", "1\n2,3\n", "\xff", strings.Repeat("1", 257)} {
		if values, err := policy.ParseCostCenters([]byte(text)); err == nil {
			t.Errorf("%q gives %q", text, values)
		}
	}
}

// TestBeyondLookUps: what a deployment can't do isn't taken without one.
func TestBeyondLookUps(t *testing.T) {
	t.Parallel()
	base := parsed(t, "cors: off\nsessions: {strict: true}")
	for text, want := range map[string]string{
		"look-ups: {ledger: true}":                              "look-ups.ledger",
		"look-ups: {parents: true}":                             "look-ups.parents",
		"look-ups: {children: true}":                            "look-ups.children",
		"look-ups: {identity-store: {region: eu-west-1}}":       "identity-store",
		"cost-center: [{principal-tag: a}]":                     "principal-tag",
		"cost-center: [{account-tag: a}]":                       "account-tag",
		"cost-center: [{organizational-unit: {r-ab12: a}}]":     "organizational-unit",
		"sessions: {strict: false}":                             "sessions.strict",
		"sessions: {strict: true, trusted-roles: [a]}":          "sessions.trusted-roles",
		"sessions: {strict: true}\ncost-centers: {values: [a]}": "",
	} {
		if !strings.Contains(text, "sessions") {
			text += "\nsessions: {strict: true}"
		}
		beyond := strings.Join(parsed(t, "cors: off\n"+text).Beyond(base), "; ")
		if (want == "") != (beyond == "") || !strings.Contains(beyond, want) {
			t.Errorf("%s: %q, want %q", text, beyond, want)
		}
	}
	const store = "cors: off\nlook-ups: {identity-store: {region: eu-west-1, account: '111122223333'}}\n"
	for text, want := range map[string]string{
		store: "",
		strings.Replace(store, "eu-west-1", "eu-west-2", 1):        "",
		strings.Replace(store, "1111", "4444", 1):                  "look-ups.identity-store.account",
		strings.Replace(store, ", account: '111122223333'", "", 1): "look-ups.identity-store.account",
		store + "tags: {creator: {value: email}}":                  "tags.creator.value: email",
		"cors: off\ntags: {creator: {value: email}}":               "",
	} {
		beyond := strings.Join(parsed(t, text).Beyond(parsed(t, store)), "; ")
		if (want == "") != (beyond == "") || !strings.Contains(beyond, want) {
			t.Errorf("%s: %q, want %q", text, beyond, want)
		}
	}
}
