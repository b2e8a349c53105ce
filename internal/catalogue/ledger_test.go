package catalogue_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"quamina.net/go/quamina"

	"autotagger/internal/catalogue"
)

func ledgerMatcher(t *testing.T) *quamina.Quamina {
	t.Helper()
	q, err := quamina.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range catalogue.Ledger() {
		if n := len(p.JSON()); n > catalogue.MaxPattern {
			t.Errorf("%s has %d characters", p.Label, n)
		}
		if err := q.AddPattern(p.Label, p.JSON()); err != nil {
			t.Fatalf("%s: %v", p.Label, err)
		}
	}
	return q
}

// Each call is let through by one rule, by whoever it was made but services and our own
// functions, and only if it succeeded.
func TestLedgerPatterns(t *testing.T) {
	t.Parallel()
	q := ledgerMatcher(t)
	const person = `"userIdentity":{"type":"IAMUser","userName":"alice"}`
	event := func(service, call, more string) string {
		return fmt.Sprintf(`{"source":"aws.%s","detail-type":"AWS API Call via CloudTrail","detail":{"eventSource":"%[1]s.amazonaws.com","eventName":"%s",%s}}`, service, call, more)
	}
	role := func(session string) string {
		return `"requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/Deploy","roleSessionName":"` + session + `"}`
	}
	for name, c := range map[string]struct{ event, want string }{
		"a person":               {event("sts", "AssumeRole", person+","+role("alice")), "sessions"},
		"a role":                 {event("sts", "AssumeRole", `"userIdentity":{"type":"AssumedRole"},`+role("ci")), "sessions"},
		"another account":        {event("sts", "AssumeRole", `"userIdentity":{"type":"AWSAccount","accountId":"222233334444"},`+role("ci")), "sessions"},
		"a service":              {event("sts", "AssumeRole", `"userIdentity":{"type":"AWSService","invokedBy":"ec2.amazonaws.com"},`+role("i-0123456789abcdef0")), ""},
		"ourselves":              {event("sts", "AssumeRole", `"userIdentity":{"type":"AssumedRole"},`+role("autotagger")), ""},
		"a call that failed":     {event("sts", "AssumeRole", person+`,"errorCode":"AccessDenied",`+role("alice")), ""},
		"SAML":                   {event("sts", "AssumeRoleWithSAML", `"userIdentity":{"type":"SAMLUser"},"requestParameters":{"sAMLAssertionID":"_0"}`), "federation"},
		"OIDC":                   {event("sts", "AssumeRoleWithWebIdentity", `"userIdentity":{"type":"WebIdentityUser"},`+role("build")), "federation"},
		"root":                   {event("sts", "AssumeRoot", person+`,"requestParameters":{"targetPrincipal":"222233334444"}`), "federation"},
		"federation":             {event("sts", "GetFederationToken", person+`,"requestParameters":{"name":"bob"}`), "federation"},
		"another call":           {event("sts", "GetCallerIdentity", person), ""},
		"a stack":                {event("cloudformation", "CreateStack", person), "stacks"},
		"a stack, by a service":  {event("cloudformation", "UpdateStack", `"userIdentity":{"type":"AssumedRole","invokedBy":"servicecatalog.amazonaws.com"}`), "stacks"},
		"a stack that is gone":   {event("cloudformation", "DeleteStack", person), ""},
		"a stack set":            {event("cloudformation", "CreateStackInstances", person), "stacks"},
		"another service's call": {event("appstream", "UpdateStack", person), ""},
	} {
		got, err := q.MatchesForEvent([]byte(c.event))
		var want []quamina.X
		if c.want != "" {
			want = append(want, c.want)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: let through by %v, want %v (%v)", name, got, want, err)
		}
	}
}

// The rules of sessions get read-only calls. No source is among those of what is tagged,
// so that nothing is forwarded twice.
func TestLedgerSources(t *testing.T) {
	t.Parallel()
	var sources []string
	for _, p := range catalogue.Ledger() {
		sources = append(sources, p.Detail.EventSource...)
		if sts := p.Detail.EventSource[0] == "sts.amazonaws.com"; p.ReadOnly != sts {
			t.Errorf("%s gets read-only calls: %v", p.Label, p.ReadOnly)
		}
	}
	slices.Sort(sources)
	if want := catalogue.LedgerSources(); !slices.Equal(slices.Compact(sources), want) {
		t.Errorf("the sources are %v, LedgerSources says %v", sources, want)
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	patterns, err := catalogue.Patterns(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range patterns {
		text, err := json.Marshal(p.Source)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"aws.sts"`) || strings.Contains(string(text), `"aws.cloudformation"`) {
			t.Errorf("%s lets through %s as well", p.Label, text)
		}
	}
}
