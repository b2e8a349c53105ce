package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/match"

	"autotagger/internal/deployment"
)

// Mode is what is done with a resource.
type Mode string

const (
	// Observe decides and reports what would be written, and writes nothing.
	Observe Mode = "observe"
	// Enforce writes.
	Enforce Mode = "enforce"
	// Off ignores the event.
	Off Mode = "off"
)

// CreatorForm is what of the creator goes into the tag; see
// [Policy.FormatCreator].
type CreatorForm string

const (
	// CreatorName is the name as the record gives it.
	CreatorName CreatorForm = "name"
	// CreatorEmail is the name too: a mail address where it is one, or where
	// LookUps.IdentityStore finds the user's.
	CreatorEmail CreatorForm = "email"
	// CreatorLocalPart is a mail address up to its @, any other name whole.
	CreatorLocalPart CreatorForm = "local-part"
	// CreatorARN is the caller's ARN, or the name where the record has none.
	CreatorARN CreatorForm = "arn"
	// CreatorHash is a keyed hash of the name. AWS warns against personal data
	// in tags: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
	CreatorHash CreatorForm = "hash"
)

// Existing is what happens where a resource carries one of our keys with
// another value.
type Existing string

const (
	// Keep leaves the other value.
	Keep Existing = "keep"
	// Replace overwrites it.
	Replace Existing = "replace"
)

// UnknownCreator is the creator's name where the record says nothing.
const UnknownCreator = "unknown"

// rootCreator is the name of an account's root user.
const rootCreator = "root"

// Keys of the optional tags where the configuration says true.
const (
	keyCreatedAt    = "created-at"
	keyCreatedByARN = "created-by-arn"
	keyCreatedVia   = "created-via"
)

// Policy is an operator's decisions. Make one with [Parse] or [Default]; it is
// not changed afterwards.
type Policy struct {
	Mode Mode
	// Overrides change the mode for some accounts and regions. The first that
	// matches wins.
	Overrides []Override
	Tags      Tags
	Existing  Existing
	// CostCenter is asked in order; the first answer wins.
	CostCenter []Source
	Exclude    Exclude
	CORS       CORS
	Catalogue  Catalogue
	// RemovedTags reports calls that take our tags away, RestoreTags puts those back,
	// once for each actor.
	RemovedTags, RestoreTags bool
	LookUps                  LookUps
	Sessions                 Sessions
	CostCenters              CostCenters
	// OwnRoles are globs over the names of the roles we run under ourselves:
	// those of the deployed functions, and what the configuration adds.
	OwnRoles []string
}

// Override is another mode for the accounts and regions that match its globs.
// An empty list matches all. The accounts of units are among the accounts.
type Override struct {
	Accounts, Regions []string
	Mode              Mode
}

// Tags says which tags are written. Every field that is a tag's key may be
// empty, except Creator and CostCenter: then that tag isn't written.
type Tags struct {
	Creator    string
	CostCenter string
	// CreatedAt is the key for the time of the call. Its value differs for
	// every event, so that resources can't share a tag call.
	CreatedAt string
	// CreatedByARN is the key for the caller's whole ARN.
	CreatedByARN string
	// CreatedVia is the key for the service that called in the creator's name.
	CreatedVia  string
	CreatorForm CreatorForm
	// HashKey is the secret of CreatorHash, at least 16 characters.
	HashKey string
	// UnknownCreator writes the creator "unknown" where the record says
	// nothing; else there is no tag then.
	UnknownCreator bool
}

// SourceKind tells the kinds of [Source] apart.
type SourceKind string

const (
	SourceTag     SourceKind = "tag"
	SourceRule    SourceKind = "rule"
	SourceAccount SourceKind = "account"
	SourceUnit    SourceKind = "unit"
	SourceDefault SourceKind = "default"

	// Those that take a look-up.
	SourceParent    SourceKind = "parent-tag"
	SourceSession   SourceKind = "session-tag"
	SourcePrincipal SourceKind = "principal-tag"
	SourceTags      SourceKind = "account-tag"
	SourceOU        SourceKind = "organizational-unit"
)

// Source is one place the cost center may come from. Exactly one field is set.
type Source struct {
	// Tag holds keys of the create request's own tags, compared without
	// regard to case: the first that is present and not blank gives the value.
	Tag  []string
	Rule *Rule
	// Account holds values by account, of twelve digits.
	Account map[string]string
	// Unit holds values by unit, in the order in which they are asked.
	Unit []UnitValue
	// Parent, Session, Principal and AccountTag hold keys as Tag does: of the tags of
	// what the resource was made for, of the session that made it, of the user or
	// role behind it, and of its account in Organizations.
	Parent, Session, Principal, AccountTag []string
	// OU holds values by the id of an organizational unit or root. Of those that an
	// account is in, the nearest counts.
	OU map[string]string
	// Default is the value where nothing before gave one.
	Default string
}

// Kind is which field is set.
func (s Source) Kind() SourceKind {
	switch {
	case s.Rule != nil:
		return SourceRule
	case len(s.Tag) > 0:
		return SourceTag
	case s.Account != nil:
		return SourceAccount
	case s.Unit != nil:
		return SourceUnit
	case s.Parent != nil:
		return SourceParent
	case s.Session != nil:
		return SourceSession
	case s.Principal != nil:
		return SourcePrincipal
	case s.AccountTag != nil:
		return SourceTags
	case s.OU != nil:
		return SourceOU
	default:
		return SourceDefault
	}
}

// UnitValue is the cost center of a unit, whose accounts are globs.
type UnitValue struct {
	Name     string
	Accounts []string
	Value    string
}

// Rule gives a fixed cost center to what it matches.
type Rule struct {
	Match
	Value string
}

// Match holds globs. Every field that isn't empty has to match, and a field
// matches when one of its globs does.
type Match struct {
	Accounts, Regions, Creators, Roles, Services []string
}

// Subject is the resource and call that a policy is asked about. A field that
// isn't known is empty.
type Subject struct {
	// Account is the twelve digits of the account, Region its region's code.
	Account, Region string
	// Creator is the creator's name, not formatted; Role the name of the role
	// the creator had assumed.
	Creator, Role string
	// Service is the first label of the event's source: s3 for
	// s3.amazonaws.com.
	Service string
	// Type is the CloudFormation type, or service:resource where there is
	// none; Name the resource's own part of its identifier.
	Type, Name string
}

// Exclude holds globs for what is left alone. One match is enough.
type Exclude struct {
	Accounts, Regions, Services, Types, Creators, Names []string
	// Tag is the tag that opts a single resource out; nil for none.
	Tag *TagMatch
}

// TagMatch is a tag key, compared exactly, and a glob for its value; an empty
// glob matches every value.
type TagMatch struct {
	Key, Value string
}

// Default is the policy of an empty configuration.
func Default() *Policy {
	tags := Tags{Creator: "creator", CostCenter: "cost-center", CreatorForm: CreatorName}
	return &Policy{
		Mode:       Enforce,
		Tags:       tags,
		Existing:   Keep,
		CostCenter: []Source{{Tag: []string{tags.CostCenter}}},
		Exclude:    Exclude{Tag: &TagMatch{Key: "autotagger:skip"}},
		CORS:       CORS{Rules: defaultRules(), Exclude: serviceBuckets()},
		LookUps:    LookUps{Wait: defaultWait},
		OwnRoles:   deployment.OwnRoles(),
	}
}

// ModeFor is the mode for an account's region: that of the first override that
// matches, else the policy's.
func (p *Policy) ModeFor(account, region string) Mode {
	for _, o := range p.Overrides {
		if all(o.Accounts, account) && all(o.Regions, region) {
			return o.Mode
		}
	}
	return p.Mode
}

// Excluded reports whether a resource is left alone, and why: the field and
// its value, and the glob where that is another text, as in `service "s3"` or
// `name "tmp-1" (tmp-*)`. Opt-out tags are another question: [Policy.OptOut].
func (p *Policy) Excluded(s Subject) (why string, excluded bool) {
	e := &p.Exclude
	for _, field := range []struct {
		name, value string
		globs       []string
		fold        bool
	}{
		{"account", s.Account, e.Accounts, false},
		{"region", s.Region, e.Regions, false},
		{"service", s.Service, e.Services, false},
		{"type", s.Type, e.Types, false},
		{"creator", s.Creator, e.Creators, true},
		{"name", s.Name, e.Names, false},
	} {
		value := field.value
		if field.fold {
			value = strings.ToLower(value)
		}
		for _, g := range field.globs {
			pattern := g
			if field.fold {
				pattern = strings.ToLower(g)
			}
			if !glob(pattern, value) {
				continue
			}
			why = fmt.Sprintf("%s %q", field.name, field.value)
			if g != field.value {
				why += " (" + g + ")"
			}
			return why, true
		}
	}
	return "", false
}

// OptOut reports whether a resource's tags ask to leave it alone.
func (p *Policy) OptOut(tags map[string]string) bool {
	t := p.Exclude.Tag
	if t == nil {
		return false
	}
	value, ok := tags[t.Key]
	return ok && (t.Value == "" || glob(t.Value, value))
}

// Known are the tags and units that a cost center may come from. What takes a look-up
// is nil where nothing was looked up.
type Known struct {
	Resource                            map[string]string // the create request's own, and what the resource carries
	Parent, Session, Principal, Account map[string]string
	OUs                                 []string // ids, from the account's own unit up to the root
}

// CostCenterFor is the cost center of a resource and the source that gave it:
// "tag CostCenter" with the key as the request spells it, "rule 2" for the
// second entry of the cost-center list, "account", "unit production",
// "organizational-unit ou-ab12-c3d4e5f6", or "default". Both are empty where no
// source answers.
func (p *Policy) CostCenterFor(s Subject, k Known) (value, source string) {
	for i, src := range p.CostCenter {
		kind := src.Kind()
		switch kind {
		case SourceTag:
			value, source = tagOf(k.Resource, src.Tag, kind)
		case SourceParent:
			value, source = tagOf(k.Parent, src.Parent, kind)
		case SourceSession:
			value, source = tagOf(k.Session, src.Session, kind)
		case SourcePrincipal:
			value, source = tagOf(k.Principal, src.Principal, kind)
		case SourceTags:
			value, source = tagOf(k.Account, src.AccountTag, kind)
		case SourceOU:
			for _, ou := range k.OUs {
				if value := src.OU[ou]; value != "" {
					return value, string(kind) + " " + ou
				}
			}
		case SourceRule:
			if src.Rule.matches(s) {
				return src.Rule.Value, fmt.Sprintf("rule %d", i+1)
			}
		case SourceAccount:
			if value := src.Account[s.Account]; value != "" {
				return value, string(SourceAccount)
			}
		case SourceUnit:
			for _, u := range src.Unit {
				if anyOf(u.Accounts, s.Account) {
					return u.Value, string(SourceUnit) + " " + u.Name
				}
			}
		case SourceDefault:
			if src.Default != "" {
				return src.Default, "default"
			}
		}
		if value != "" {
			return value, source
		}
	}
	return "", ""
}

// tagOf is the first of the keys that tags answer for, and the source by its name.
func tagOf(tags map[string]string, keys []string, kind SourceKind) (value, source string) {
	for _, key := range keys {
		if found, value := tagNamed(tags, key); value != "" {
			return value, string(kind) + " " + found
		}
	}
	return "", ""
}

// tagNamed finds a tag by its key without regard to case: people write
// CostCenter and costcenter for one thing. The exact spelling goes first, then
// the others in order of their spelling, so that the answer doesn't hang on
// the order of a map. Blank values are no answer.
func tagNamed(tags map[string]string, key string) (found, value string) {
	if value = strings.TrimSpace(tags[key]); value != "" {
		return key, value
	}
	for k, v := range tags {
		v = strings.TrimSpace(v)
		if v != "" && strings.EqualFold(k, key) && (found == "" || k < found) {
			found, value = k, v
		}
	}
	return found, value
}

func (r *Rule) matches(s Subject) bool {
	return all(r.Accounts, s.Account) && all(r.Regions, s.Region) &&
		all(r.Roles, s.Role) && all(r.Services, s.Service) &&
		(len(r.Creators) == 0 || anyFold(r.Creators, s.Creator))
}

// Keys are the tag keys this policy may write, sorted. Permissions are cut to
// them: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-tagkeys
func (p *Policy) Keys() []string {
	t := &p.Tags
	keys := []string{t.Creator, t.CostCenter, t.CreatedAt, t.CreatedByARN, t.CreatedVia}
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" })
	slices.Sort(keys)
	return slices.Compact(keys)
}

// IsOwnRole reports whether a role is one we run under, whose events we caused.
func (p *Policy) IsOwnRole(roleName string) bool {
	return roleName != "" && anyOf(p.OwnRoles, roleName)
}

// FormatCreator is the creator tag's value for a creator's name and ARN, in
// the policy's form. Services' own limits on values are not applied here. The
// names root and unknown are nobody's and stay as they are under CreatorHash.
func (p *Policy) FormatCreator(name, arn string) string {
	switch p.Tags.CreatorForm {
	case CreatorLocalPart:
		if at := strings.LastIndexByte(name, '@'); isMail(name) {
			return name[:at]
		}
	case CreatorARN:
		if arn != "" {
			return arn
		}
	case CreatorHash:
		if name == "" || name == UnknownCreator || name == rootCreator {
			return name
		}
		// Keyed, because mail addresses can be guessed and hashed by anyone;
		// folded, because the same person arrives in either case; cut to 128
		// bits, because tags are read by people.
		mac := hmac.New(sha256.New, []byte(p.Tags.HashKey))
		mac.Write([]byte(strings.ToLower(name)))
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
	return name
}

// isMail reports whether a name has the form of a mail address, which is all
// that is asked of it.
func isMail(name string) bool {
	local, domain, ok := strings.Cut(name, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(domain, "@/ ") && !strings.ContainsAny(local, "/ ")
}

// glob matches a whole value. The work is bounded: names are chosen by whoever
// creates the resource, and a pattern with many stars could be made to take
// seconds. What isn't decided within the bound doesn't match.
func glob(pattern, value string) bool {
	const stepsPerByte = 1000
	ok, _ := match.MatchLimit(value, pattern, stepsPerByte)
	return ok
}

func anyOf(globs []string, value string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return glob(g, value) })
}

func anyFold(globs []string, value string) bool {
	value = strings.ToLower(value)
	return slices.ContainsFunc(globs, func(g string) bool { return glob(strings.ToLower(g), value) })
}

// all matches a field of a rule or override, where an empty list is no demand.
func all(globs []string, value string) bool { return len(globs) == 0 || anyOf(globs, value) }
