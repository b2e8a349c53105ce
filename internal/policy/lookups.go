package policy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// LookUps says what may be asked of AWS about an event, beyond its record. The zero
// value asks nothing.
type LookUps struct {
	// Ledger records sessions and stacks, and follows chains of roles through them.
	Ledger bool
	// Parents inherits creators from what a resource was made for, such as its
	// stack or its Auto Scaling group.
	Parents bool
	// Children finds what came with a resource and isn't named by the record, such
	// as an instance's volumes.
	Children bool
	// IdentityStore names users of IAM Identity Center of whom a record has the id;
	// nil leaves the id.
	IdentityStore *IdentityStore
	// Wait is how long after its creation a link that is missing is waited for,
	// before what is known without it is written.
	Wait time.Duration
}

// IdentityStore is where users of IAM Identity Center are looked up.
type IdentityStore struct {
	Account string // of twelve digits; "" is the functions' own
	Region  string
}

// defaultWait is the usual [LookUps.Wait].
const defaultWait = 3 * time.Minute

// Sessions says which role sessions' names count as persons'. Those of IAM Identity
// Center always do.
type Sessions struct {
	// Strict names the role for every other session, but for those of TrustedRoles
	// and, with Verify, of roles whose trust policy says which name a session has.
	Strict       bool
	TrustedRoles []string // globs
	Verify       bool
}

// CostCenters are the valid ones. The zero value takes every value.
type CostCenters struct {
	Values []string
	// Object is where more of them are, a line each: s3://bucket/key. As long as it
	// isn't read every value is taken; see [Policy.WithCostCenters].
	Object string
	// Fallback stands in for what isn't among them.
	Fallback string
}

// Asks reports whether any look-up is wanted.
func (p *Policy) Asks() bool {
	l := &p.LookUps
	return l.Ledger || l.Parents || l.Children || l.IdentityStore != nil || p.AsksPrincipals() || p.AsksAccounts() || p.AsksOUs()
}

// AsksPrincipals reports whether the tags or the trust policies of users and roles
// are wanted.
func (p *Policy) AsksPrincipals() bool {
	return p.sources(SourcePrincipal) || p.Sessions.Strict && p.Sessions.Verify
}

// AsksAccounts reports whether the tags of accounts are wanted.
func (p *Policy) AsksAccounts() bool { return p.sources(SourceTags) }

// AsksOUs reports whether the organizational units of accounts are wanted.
func (p *Policy) AsksOUs() bool { return p.sources(SourceOU) }

// asksAddresses reports whether the mail addresses of users of IAM Identity Center are
// wanted by their names.
func (p *Policy) asksAddresses() bool {
	return p.LookUps.IdentityStore != nil && p.Tags.CreatorForm == CreatorEmail
}

func (p *Policy) sources(kind SourceKind) bool {
	return slices.ContainsFunc(p.CostCenter, func(s Source) bool { return s.Kind() == kind })
}

// TrustsSession reports whether a session's name of a role counts as a person's
// without a look.
func (p *Policy) TrustsSession(role string) bool {
	return !p.Sessions.Strict || anyOf(p.Sessions.TrustedRoles, role)
}

// CheckCostCenter returns a cost center as it may be written: itself, or the fallback
// where it isn't valid.
func (p *Policy) CheckCostCenter(value string) (checked string, valid bool) {
	c := &p.CostCenters
	if value == "" || c.Object != "" || len(c.Values) == 0 || slices.Contains(c.Values, value) {
		return value, true
	}
	return c.Fallback, false
}

// ParseCostCenters reads what an object of valid cost centers holds: a value a line,
// without blanks around it. Empty lines, and such as begin with #, don't count. The
// error names the first line that is no tag's value.
func ParseCostCenters(data []byte) ([]string, error) {
	var values []string
	n := 0
	for line := range bytes.Lines(data) {
		n++
		value := strings.TrimSpace(string(line))
		switch {
		case value == "" || strings.HasPrefix(value, "#"):
		case !utf8.ValidString(value) || utf8.RuneCountInString(value) > 256 || strings.ContainsFunc(value, func(r rune) bool {
			return !unicode.In(r, unicode.L, unicode.N, unicode.Z) && !strings.ContainsRune("_.:/=+-@", r)
		}):
			return nil, fmt.Errorf("line %d, %s, is no tag's value: up to 256 letters, digits, spaces and _ . : / = + - @", n, quoted(value))
		default:
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		return nil, errors.New("there is no cost center in it")
	}
	return values, nil
}

// WithCostCenters returns the policy with what its object of valid cost centers holds.
func (p *Policy) WithCostCenters(values []string) *Policy {
	more := *p
	more.CostCenters.Values, more.CostCenters.Object = slices.Concat(p.CostCenters.Values, values), ""
	return &more
}

// lookUps reads what has to do with look-ups, and what is wrong with it as a whole.
func (b *builder) lookUps(p *Policy, root *node) {
	n := root.get("look-ups")
	l := &p.LookUps
	l.Ledger, l.Parents, l.Children = n.get("ledger").is(true), n.get("parents").is(true), n.get("children").is(true)
	if w := n.get("wait"); w != nil {
		l.Wait, _ = time.ParseDuration(w.str("")) // check has refused what is none
	}
	if store := n.get("identity-store"); store != nil {
		l.IdentityStore = &IdentityStore{Account: store.get("account").str(""), Region: store.get("region").str("")}
	}
	sessions := root.get("sessions")
	p.Sessions = Sessions{
		Strict:       sessions.get("strict").is(true),
		TrustedRoles: sessions.get("trusted-roles").strs(),
		Verify:       sessions.get("verify").is(true),
	}
	for _, key := range []string{"trusted-roles", "verify"} {
		if at := sessions.get(key); at != nil && !p.Sessions.Strict {
			b.fault(at, "is for strict: true only; without it every session counts")
		}
	}
	valid := root.get("cost-centers")
	p.CostCenters = CostCenters{Values: valid.get("values").strs(), Object: valid.get("object").str(""), Fallback: valid.get("fallback").str("")}
	if valid != nil && len(p.CostCenters.Values) == 0 && p.CostCenters.Object == "" {
		b.fault(valid, "says of no cost center that it is valid; give values or an object")
	}
	if c := &p.CostCenters; c.Fallback != "" && c.Object == "" && !slices.Contains(c.Values, c.Fallback) {
		b.fault(valid.get("fallback"), "%s isn't among the valid ones itself; add it to values", quoted(c.Fallback))
	}
	for _, s := range root.get("cost-center").list() {
		switch {
		case s.get(string(SourceParent)) != nil && !l.Parents:
			b.fault(s, "asks for the tags of parents; that needs look-ups.parents: true")
		case s.get(string(SourceSession)) != nil && !l.Ledger:
			b.fault(s, "asks for the tags of sessions; that needs look-ups.ledger: true")
		}
		if d := s.get("default"); d != nil {
			if _, ok := p.CheckCostCenter(d.str("")); !ok {
				b.fault(d, "%s isn't among the valid cost centers; add it to cost-centers.values", quoted(d.str("")))
			}
		}
	}
	p.RestoreTags = root.get("restore-removed-tags").is(true)
	switch at := root.get("restore-removed-tags"); {
	case p.RestoreTags && !p.RemovedTags:
		b.fault(at, "needs report-removed-tags: true, which sees them go")
	case p.RestoreTags && !l.Ledger:
		b.fault(at, "needs look-ups.ledger: true, which remembers what was put back, and for whom")
	}
}

// lookUpsBeyond lists the look-ups that a deployment has no permissions, table or
// rules for.
func (p *Policy) lookUpsBeyond(deployed *Policy) []string {
	var all []string
	if want, have := p.LookUps.IdentityStore, deployed.LookUps.IdentityStore; want != nil && have != nil && want.Account != have.Account {
		all = append(all, "look-ups.identity-store.account: the deployment may ask another account's only")
	}
	for _, w := range []struct {
		key        string
		want, have bool
	}{
		{"look-ups.ledger", p.LookUps.Ledger, deployed.LookUps.Ledger},
		{"look-ups.parents", p.LookUps.Parents, deployed.LookUps.Parents},
		{"look-ups.children", p.LookUps.Children, deployed.LookUps.Children},
		{"look-ups.identity-store", p.LookUps.IdentityStore != nil, deployed.LookUps.IdentityStore != nil},
		{"tags.creator.value: email", p.asksAddresses(), deployed.asksAddresses()},
		{"cost-center: principal-tag", p.AsksPrincipals(), deployed.AsksPrincipals()},
		{"cost-center: account-tag", p.AsksAccounts(), deployed.AsksAccounts()},
		{"cost-center: organizational-unit", p.AsksOUs(), deployed.AsksOUs()},
		{"restore-removed-tags", p.RestoreTags, deployed.RestoreTags},
	} {
		if w.want && !w.have {
			all = append(all, w.key+": the deployment can't do it")
		}
	}
	if deployed.Sessions.Strict && !p.Sessions.Strict {
		all = append(all, "sessions.strict: the deployment believes no session's name")
	}
	for _, role := range p.Sessions.TrustedRoles {
		if deployed.Sessions.Strict && !slices.Contains(deployed.Sessions.TrustedRoles, role) {
			all = append(all, "sessions.trusted-roles: the deployment doesn't trust "+quoted(role))
		}
	}
	return all
}
