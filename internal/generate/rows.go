package generate

import (
	"maps"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// row is what was worked out of one call.
type row struct {
	m      *maker
	kind   *kind
	stanza *stanza
	proofs []string // that the kind takes tags
	doubts []string // why the row is weak
}

// calls is how a service's tags are written and read.
type calls struct {
	client      *catalogue.Calls // nil where the service's calls are irregular or missing
	permissions []string
	irregular   bool // package apply has code for them
	why         string
}

// rowOf works out a call's row, nil where it creates nothing that could be
// named.
func (g *generator) rowOf(m *maker) *row {
	m.tags = m.tagsPath()
	k := m.kindOf()
	if m.tags == "" && !m.requestTag() && !makes(m.verb) {
		return nil
	}
	r := &row{m: m, kind: k}
	if k == nil {
		k = &kind{}
		r.kind = k
	}
	r.prove()
	s := &stanza{}
	r.stanza = s
	s.add("event", m.op.Name)
	s.add("service", m.svc.Name)
	if len(r.proofs) == 0 {
		s.add("untaggable", "neither the call nor its type knows tags, by the models, IAM and CloudFormation")
		s.add("evidence", g.reference(m)+"; model shape")
		return r
	}
	api, c := g.api(m)
	if m.svc.Ended {
		// Nothing writes to it any more; old records may still be read.
		api, c = catalogue.APINone, calls{}
	}
	if api == "" {
		s.add("untaggable", "the service has no call that tags what exists")
		s.add("evidence", g.reference(m)+"; "+strings.Join(r.proofs, "; ")+"; model shape")
		return r
	}
	from, arn := m.locators(k)
	r.weigh(from, arn)
	s.add("off", r.off(from))
	s.class = r.class()
	s.add("type", k.name(m.prefix()))
	if s.get("type") == "" {
		s.add("type", m.prefix()+":"+strings.ToLower(m.noun))
	}
	s.add("arn", catalogueTemplate(k.template))
	for _, f := range from {
		s.add("from", f)
	}
	s.add("when", m.notDry())
	s.add("api", api)
	if api != catalogue.APINone {
		s.add("permissions", strings.Join(c.permissions, " "))
		if c.client != nil {
			s.add("calls", c.client.Name)
		} else {
			s.add("calls", "none")
		}
	}
	s.add("tags", m.requestTags(k))
	if slices.Contains(upsertVerbs, m.verb) && !refusesTwice(m.op) || m.copiesTags() {
		s.add("upsert", "yes")
	}
	if arn {
		r.proofs = append(r.proofs, "ARN in the response")
	}
	s.add("evidence", g.reference(m)+"; "+strings.Join(r.proofs, "; ")+"; model shape")
	return r
}

// notDry is the condition that a call isn't a dry run, "" where there are none or
// where they fail, as EC2's.
func (m *maker) notDry() string {
	for name, ref := range m.svc.Shape(m.op.Input).Members {
		if plain(name) == "dryrun" && m.svc.Metadata.Protocol != "ec2" {
			return "!request." + logged(wire(name, ref)) + "=true"
		}
	}
	return ""
}

// prefix is the service's prefix in IAM.
func (m *maker) prefix() string {
	if m.iam != nil {
		return m.iam.Prefix
	}
	return m.svc.Metadata.Signing()
}

// prove collects what says that the kind takes tags.
func (r *row) prove() {
	if r.m.tags != "" {
		r.proofs = append(r.proofs, "tags in the request")
	}
	if r.m.requestTag() {
		r.proofs = append(r.proofs, "IAM aws:RequestTag")
	}
	if r.kind.iam != nil && r.kind.iam.Taggable() {
		r.proofs = append(r.proofs, "IAM aws:ResourceTag")
	}
	if slices.ContainsFunc(r.kind.cfn, (*models.Type).Taggable) {
		r.proofs = append(r.proofs, "CloudFormation tags")
	}
	if action := r.m.tagAction(r.kind); action != "" {
		r.proofs = append(r.proofs, "IAM "+action+" names it")
	}
}

// tagAction is the IAM action that writes tags of the kind, by the types that it
// is said to work on or by its name: AddTagsToVault.
func (m *maker) tagAction(k *kind) string {
	if m.iam == nil {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(m.iam.Actions)) {
		a := m.iam.Actions[key]
		rest, ok := strings.CutPrefix(a.Name, "AddTagsTo")
		if !ok {
			rest, ok = strings.CutPrefix(a.Name, "Tag")
		}
		switch {
		case !ok && a.Name != "AddTags" && a.Name != "CreateTags":
		case m.svc.Operations[a.Name] == nil:
		case ok && plain(rest) == plain(m.noun):
			return a.Name
		case k.iam != nil:
			for _, t := range a.ResourceTypes {
				if t.Name == k.iam.Name {
					return a.Name
				}
			}
		}
	}
	return ""
}

// weigh collects the doubts about a row.
func (r *row) weigh(from []string, arn bool) {
	k, m := r.kind, r.m
	switch {
	case k.template == "" && k.iam == nil && len(k.cfn) == 0:
		r.doubts = append(r.doubts, "no type of the IAM reference or CloudFormation has the call's name")
	case k.template == "":
		r.doubts = append(r.doubts, "the form of its ARNs is not known")
	case !strings.HasPrefix(k.template, "arn:") || strings.Count(k.template, ":") < 5:
		r.doubts = append(r.doubts, "the form of its ARNs is no ARN")
	}
	if len(from) == 0 {
		r.doubts = append(r.doubts, "neither the request nor the response names it")
	}
	if k.score > 0 && k.score < 70 && m.tags == "" {
		r.doubts = append(r.doubts, "its type is a guess from the call's name")
	}
	if m.tags == "" && !m.requestTag() && len(k.cfn) > 0 && !slices.ContainsFunc(k.cfn, (*models.Type).Taggable) {
		r.doubts = append(r.doubts, "CloudFormation knows the type, without tags, and the call takes none")
	}
	if m.tags == "" && !m.requestTag() && m.tagTypes(k) {
		r.doubts = append(r.doubts, "IAM's tagging action is for other types, and the call takes no tags")
	}
	if m.verb == "Restore" && m.tags == "" && !slices.ContainsFunc(from, func(f string) bool { return strings.Contains(f, "response.") }) {
		r.doubts = append(r.doubts, "what is restored may be what was there before")
	}
	sure := m.tags != "" && slices.ContainsFunc(from, func(f string) bool { return strings.Contains(f, "response.") })
	if !makes(m.verb) && !slices.Contains(upsertVerbs, m.verb) && !slices.Contains(jobVerbs, m.verb) && !(sure && slices.Contains(openVerbs, m.verb)) {
		r.doubts = append(r.doubts, "calls of the verb "+m.verb+" don't always create something")
	}
}

// tagTypes reports whether IAM's TagResource lists the types that it is for, and
// the kind isn't one of them.
func (m *maker) tagTypes(k *kind) bool {
	if m.iam == nil || k.iam == nil {
		return false
	}
	a := m.iam.Actions["tagresource"]
	if a == nil || len(a.ResourceTypes) == 0 {
		return false
	}
	for _, t := range a.ResourceTypes {
		if t.Name == k.iam.Name {
			return false
		}
	}
	return true
}

// off says why a row isn't used by default, "" if it is.
func (r *row) off(from []string) string {
	if r.m.svc.Ended && len(from) > 0 && r.kind.template != "" {
		return "" // read, never written to
	}
	if len(r.doubts) > 0 {
		return "weak: " + strings.Join(r.doubts, "; ")
	}
	return r.class()
}

// class is why a row is off even if it is certain, by the call's verb.
func (r *row) class() string {
	switch {
	case slices.Contains(jobVerbs, r.m.verb):
		return "job: it ends by itself"
	case slices.Contains(upsertVerbs, r.m.verb) && !refusesTwice(r.m.op):
		return "upsert: the call may change what exists, and the record doesn't tell which it did"
	}
	return ""
}

// reference is where AWS documents the call: a link that AWS's own SDKs use.
func (g *generator) reference(m *maker) string {
	return "https://docs.aws.amazon.com/goto/WebAPI/" + m.svc.Metadata.UID + "/" + m.op.Name
}

// catalogueTemplate writes an ARN template as the catalogue has it: the last
// variable is {id}, partition, region and account are the event's.
func catalogueTemplate(t string) string {
	if t == "" {
		return ""
	}
	vars := variables(t)
	n := 0
	t = variable.ReplaceAllStringFunc(t, func(v string) string {
		name := strings.Trim(v, "${}")
		switch strings.ToLower(name) {
		case "partition", "region", "account":
			return "{" + strings.ToLower(name) + "}"
		case "accountid":
			return "{account}"
		}
		if n++; n == len(vars) {
			return "{id}"
		}
		return "{" + logged(name) + "}"
	})
	if rest, ok := strings.CutPrefix(t, "arn:aws:"); ok {
		t = "arn:{partition}:" + rest
	}
	return t
}

// api decides what tags what a call makes: the Resource Groups Tagging API where
// it serves the service, else the service's own call.
func (g *generator) api(m *maker) (string, calls) {
	c := g.callsOf(m.svc, m.iam)
	if c.client == nil && !c.irregular {
		c = g.siblingCalls(m)
	}
	var served []string
	for _, a := range g.taggingAPI {
		if prefix, _, _ := strings.Cut(a, ":"); prefix == m.prefix() {
			served = append(served, a)
		}
	}
	switch {
	case len(served) > 0:
		if len(c.permissions) == 0 {
			c.permissions = served
		}
		return catalogue.APITagging, c
	case c.client != nil || c.irregular:
		return m.prefix(), c
	}
	return "", c
}

// siblingCalls are the tag calls of another generation of a service that has none
// itself: SES's first API makes what its second one tags.
func (g *generator) siblingCalls(m *maker) calls {
	var found calls
	for _, s := range g.aws.Services {
		if s == m.svc || s.Metadata.Signing() != m.svc.Metadata.Signing() || g.iamOf(s) != m.iam {
			continue
		}
		c := g.callsOf(s, m.iam)
		if c.client != nil && (found.client == nil || strings.HasPrefix(s.Name, m.svc.Name)) {
			found = c
		}
	}
	return found
}
