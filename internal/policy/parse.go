package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads a configuration. The name stands in messages only. What the file
// leaves out is as in [Default], and an empty file is Default.
//
// A file with faults gives an [*Error] that lists every one of them, except
// that bytes which aren't readable YAML hide what comes after.
func Parse(name string, data []byte) (*Policy, error) {
	root, faults := load(data)
	if root == nil {
		if len(faults) > 0 {
			return nil, &Error{Name: name, Faults: inLineOrder(faults)}
		}
		return Default(), nil
	}
	shape, err := check(root)
	if err != nil {
		return nil, err
	}
	// The policy is built even from a misshapen file, for the faults that only
	// show then; whatever has the wrong shape is passed over in silence, for
	// check has named it.
	b := builder{faults: append(faults, shape...)}
	p := b.policy(root)
	if len(b.faults) > 0 {
		return nil, &Error{Name: name, Faults: inLineOrder(b.faults)}
	}
	return p, nil
}

// builder turns a document into a Policy and notes what a schema can't say.
type builder struct {
	faults []Fault
	units  *node
}

func (b *builder) fault(n *node, format string, args ...any) {
	b.faults = append(b.faults, Fault{Line: n.line, Path: n.path, Message: fmt.Sprintf(format, args...)})
}

func (b *builder) policy(root *node) *Policy {
	p := Default()
	b.units = root.get("units")
	p.Mode = Mode(root.get("mode").str(string(p.Mode)))
	p.Existing = Existing(root.get("existing").str(string(p.Existing)))
	for _, n := range root.get("overrides").list() {
		p.Overrides = append(p.Overrides, b.override(n))
	}
	b.tags(&p.Tags, root.get("tags"))
	p.CostCenter = []Source{{Tag: []string{p.Tags.CostCenter}}}
	if n := root.get("cost-center"); n != nil {
		p.CostCenter = b.sources(n)
	}
	b.exclude(&p.Exclude, root.get("exclude"))
	b.distinct(root, p)
	if n := root.get("cors"); n != nil {
		b.cors(&p.CORS, n)
	}
	b.catalogue(&p.Catalogue, root.get("catalogue"))
	p.RemovedTags = root.get("report-removed-tags").is(true)
	b.lookUps(p, root)
	if n := root.get("own-roles"); n != nil {
		p.OwnRoles = append(p.OwnRoles, n.strs()...)
	}
	return p
}

func (b *builder) override(n *node) Override {
	if n.kind == kindObject && n.get("accounts") == nil && n.get("units") == nil && n.get("regions") == nil {
		b.fault(n, "names no accounts, units or regions, so it would replace the mode everywhere; set mode instead")
	}
	return Override{
		Accounts: b.accounts(n),
		Regions:  n.get("regions").strs(),
		Mode:     Mode(n.get("mode").str("")),
	}
}

// accounts are those that a node names itself and those of its units.
func (b *builder) accounts(n *node) []string {
	all := n.get("accounts").strs()
	for _, u := range n.get("units").list() {
		all = append(all, b.unit(u, u.str("")).strs()...)
	}
	return all
}

// unit is the list of a unit's accounts.
func (b *builder) unit(at *node, name string) *node {
	unit := b.units.get(name)
	if unit == nil {
		b.fault(at, "%s is no unit; list its accounts under units", quoted(name))
	}
	return unit
}

func (b *builder) tags(t *Tags, n *node) {
	creator := n.get("creator")
	t.Creator = creator.str(t.Creator)
	t.Creator = creator.get("key").str(t.Creator)
	t.CreatorForm = CreatorForm(creator.get("value").str(string(t.CreatorForm)))
	t.UnknownCreator = creator.get("unknown").is(true)
	t.HashKey = creator.get("hash-key").str("")
	switch secret := creator.get("hash-key"); {
	case t.CreatorForm == CreatorHash && secret == nil:
		b.fault(creator, "value: hash needs a hash-key of at least 16 characters; without one, mail addresses could be found by guessing")
	case t.CreatorForm != CreatorHash && secret != nil:
		b.fault(secret, "is for value: hash only")
	}
	t.CostCenter = n.get("cost-center").str(t.CostCenter)
	t.CreatedAt = optionalKey(n.get(keyCreatedAt), keyCreatedAt)
	t.CreatedByARN = optionalKey(n.get(keyCreatedByARN), keyCreatedByARN)
	t.CreatedVia = optionalKey(n.get(keyCreatedVia), keyCreatedVia)
}

// optionalKey reads true, false or a key.
func optionalKey(n *node, usual string) string {
	if n.is(true) {
		return usual
	}
	return n.str("")
}

// distinct holds the keys we write apart from each other, from the opt-out
// tag, and from AWS's own. They are compared without regard to case because
// some services do so: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
func (b *builder) distinct(root *node, p *Policy) {
	tags := root.get("tags")
	creator := tags.get("creator")
	if creator.get("key") != nil {
		creator = creator.get("key")
	}
	optOut := root.get("exclude").get("tag")
	if optOut.get("key") != nil {
		optOut = optOut.get("key")
	}
	type use struct {
		name, key string
		at        *node // nil where the key is the default
	}
	uses := []use{
		{"tags.creator", p.Tags.Creator, creator},
		{"tags.cost-center", p.Tags.CostCenter, tags.get("cost-center")},
		{"tags.created-at", p.Tags.CreatedAt, tags.get(keyCreatedAt)},
		{"tags.created-by-arn", p.Tags.CreatedByARN, tags.get(keyCreatedByARN)},
		{"tags.created-via", p.Tags.CreatedVia, tags.get(keyCreatedVia)},
	}
	if p.Exclude.Tag != nil {
		uses = append(uses, use{"exclude.tag", p.Exclude.Tag.Key, optOut})
	}
	for _, u := range uses {
		if u.at != nil {
			b.notReserved(u.at, u.key)
			b.notASwitch(u.at, u.key)
		}
	}
	for i, u := range uses {
		for _, earlier := range uses[:i] {
			if u.key == "" || !strings.EqualFold(u.key, earlier.key) {
				continue
			}
			at, other := u.at, earlier.name
			if at == nil {
				at, other = earlier.at, u.name
			}
			if at != nil {
				b.fault(at, "%s is the key of %s too; keys have to differ in more than case", quoted(u.key), other)
			}
		}
	}
}

// notReserved refuses the prefix that AWS keeps for itself, in any case:
// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
func (b *builder) notReserved(n *node, key string) {
	if len(key) >= 4 && strings.EqualFold(key[:4], "aws:") {
		b.fault(n, "%s can't be used: AWS keeps keys that start with aws: for itself", quoted(key))
	}
}

// notASwitch refuses a key that was meant to turn something on or off: YAML
// reads yes and off as text.
func (b *builder) notASwitch(n *node, key string) {
	switch strings.ToLower(key) {
	case "yes", "no", "on", "off", "true", "false", "none":
		b.fault(n, "%s would be the key of a tag; write true or false where those are allowed, or the tag's key", quoted(key))
	}
}

func (b *builder) sources(list *node) []Source {
	out := []Source{}
	last := 0
	for _, n := range list.list() {
		if last > 0 {
			b.fault(n, "is never asked: the default on line %d always answers", last)
		}
		var s Source
		if tag := n.get("tag"); tag != nil {
			s.Tag = tag.strs()
			at := tag.list()
			if len(at) == 0 {
				at = []*node{tag}
			}
			for _, n := range at {
				b.notReserved(n, n.str(""))
			}
		}
		for kind, keys := range map[SourceKind]*[]string{SourceParent: &s.Parent, SourceSession: &s.Session, SourcePrincipal: &s.Principal, SourceTags: &s.AccountTag} {
			if tag := n.get(string(kind)); tag != nil {
				*keys = append([]string{}, tag.strs()...)
			}
		}
		if units := n.get(string(SourceOU)); units != nil {
			s.OU = map[string]string{}
			for _, f := range units.fields {
				s.OU[f.key] = f.value.str("")
			}
		}
		if rule := n.get("rule"); rule != nil {
			s.Rule = b.rule(rule)
		}
		if accounts := n.get("account"); accounts != nil {
			s.Account = map[string]string{}
			for _, f := range accounts.fields {
				s.Account[f.key] = f.value.str("")
			}
		}
		if units := n.get("unit"); units != nil {
			s.Unit = []UnitValue{}
			for _, f := range units.fields {
				s.Unit = append(s.Unit, UnitValue{Name: f.key, Accounts: b.unit(f.value, f.key).strs(), Value: f.value.str("")})
			}
		}
		if d := n.get("default"); d != nil {
			s.Default, last = d.str(""), d.line
		}
		out = append(out, s)
	}
	return out
}

func (b *builder) rule(n *node) *Rule {
	fields := []string{"accounts", "units", "regions", "creators", "roles", "services"}
	given := false
	for _, f := range fields {
		given = given || n.get(f) != nil
	}
	if !given && n.kind == kindObject {
		b.fault(n, "matches everything; give at least one of %s, or use a default", strings.Join(fields, ", "))
	}
	return &Rule{
		Match: Match{
			Accounts: b.accounts(n),
			Regions:  n.get("regions").strs(),
			Creators: n.get("creators").strs(),
			Roles:    n.get("roles").strs(),
			Services: n.get("services").strs(),
		},
		Value: n.get("value").str(""),
	}
}

func (b *builder) exclude(e *Exclude, n *node) {
	e.Accounts = n.get("accounts").strs()
	e.Regions = n.get("regions").strs()
	e.Services = n.get("services").strs()
	e.Types = n.get("types").strs()
	e.Creators = n.get("creators").strs()
	e.Names = n.get("names").strs()
	switch tag := n.get("tag"); {
	case tag == nil:
	case tag.is(false):
		e.Tag = nil
	case tag.kind == kindString:
		e.Tag = &TagMatch{Key: tag.text}
	default:
		e.Tag = &TagMatch{Key: tag.get("key").str(""), Value: tag.get("value").str("")}
	}
}

func (b *builder) catalogue(c *Catalogue, n *node) {
	c.Enable = n.get("enable").strs()
	c.Disable = n.get("disable").strs()
	c.LastResort = n.get("last-resort").is(true)
	for _, list := range []string{"enable", "disable"} {
		for _, call := range n.get(list).list() {
			// The commonest slip; the schema's pattern has room for sources of
			// several labels, such as models.lex.
			if service, _, _ := strings.Cut(call.str(""), ":"); strings.HasSuffix(service, ".amazonaws.com") {
				b.fault(call, "%s names the whole event source; leave .amazonaws.com out", quoted(call.text))
			}
		}
	}
}

func (b *builder) cors(c *CORS, n *node) {
	c.Declared = true
	if n.str("") == "off" {
		*c = CORS{Declared: true, Off: true}
		return
	}
	if n.get("exclude-service-buckets").is(false) {
		// Directory and table buckets stay out: they have no CORS to set.
		c.Exclude = []string{"*--x-s3", "*--table-s3"}
	}
	c.Exclude = append(c.Exclude, n.get("exclude").strs()...)
	rules := n.get("rules")
	if rules == nil {
		return
	}
	c.Rules = nil
	ids := map[string]int{}
	for _, r := range rules.list() {
		rule := b.corsRule(r)
		c.Rules = append(c.Rules, rule)
		if rule.ID == "" {
			continue
		}
		if first, twice := ids[rule.ID]; twice {
			b.fault(r.get("id"), "%s is given twice; first on line %d", quoted(rule.ID), first)
			continue
		}
		ids[rule.ID] = r.get("id").line
	}
	if size := corsBytes(c.Rules); size > maxCORSBytes {
		b.fault(rules, "come to %d bytes as S3 is sent them; S3 takes at most %d", size, maxCORSBytes)
	}
}

func (b *builder) corsRule(n *node) CORSRule {
	r := CORSRule{
		ID:             n.get("id").str(""),
		AllowedMethods: n.get("allowed-methods").strs(),
		AllowedOrigins: n.get("allowed-origins").strs(),
		AllowedHeaders: n.get("allowed-headers").strs(),
		ExposeHeaders:  n.get("expose-headers").strs(),
	}
	if age := n.get("max-age-seconds"); age != nil && age.kind == kindInteger {
		r.MaxAgeSeconds, _ = strconv.Atoi(age.text) // check has refused what doesn't fit
	}
	var writes []string
	for _, m := range r.AllowedMethods {
		if m == "PUT" || m == "POST" || m == "DELETE" {
			writes = append(writes, m)
		}
	}
	for _, o := range n.get("allowed-origins").list() {
		origin := o.str("")
		switch {
		case strings.Count(origin, "*") > 1:
			b.fault(o, "%s has more than one *; S3 takes one", quoted(origin))
		case !openToAnyone(origin):
		case len(writes) > 0:
			b.fault(o, "%s lets pages of anyone use %s; name the origins, like https://app.example.com or https://*.example.com, or allow only GET and HEAD", quoted(origin), strings.Join(writes, ", "))
		case origin != "*":
			b.fault(o, "%s matches origins of anyone, and S3 allows credentials to every origin but a plain *; write \"*\", or name the origins", quoted(origin))
		}
	}
	for _, h := range n.get("allowed-headers").list() {
		if strings.Count(h.str(""), "*") > 1 {
			b.fault(h, "%s has more than one *; S3 takes one", quoted(h.text))
		}
	}
	return r
}
