package lookup

import (
	"context"
	"slices"
	"strings"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
	"autotagger/internal/schedule"
)

// place is where a resource is, and which service made it: "" where that isn't known.
type place struct{ partition, region, account, maker string }

func (s *search) place(r plan.Resource) place {
	maker, _, _ := strings.Cut(s.via(), ".")
	return place{resolve.Partition(r.Region), r.Region, r.Account, maker}
}

// parent is what a resource was made for.
type parent struct {
	parentKind
	name string // the tag's value, or what it says of the name
	arn  string
	// provisional: what it says of its creator was written without a link.
	provisional bool
}

// step is how the parent stands in created-via.
func (p parent) step() string {
	name := p.name
	if strings.HasPrefix(name, "arn:") {
		name = lastPart(name)
		if stack, ok := stackName(p.arn); ok {
			name = stack
		}
	}
	return p.Label + "/" + strings.ReplaceAll(name, " ", "_")
}

func lastPart(arn string) string { return arn[strings.LastIndexAny(arn, ":/")+1:] }

// parentOf is the parent that tags name. Several may: then it is what the service that
// made the resource makes things for, else the first that AWS's own tags name. Tags that
// anyone may write count only on what their service made, and on parents, and name things
// of the same account and region.
func (s *search) parentOf(tags map[string]string, at place) (best parent, found bool) {
	rank := 3
	for _, k := range s.kinds {
		name, named := k.named(tags)
		if !named {
			continue
		}
		r := 0
		switch {
		case at.maker != "" && slices.Contains(k.Makers, at.maker):
		case strings.HasPrefix(k.Tag, "aws:"):
			r = 1
		case at.maker == "":
			r = 2
		default:
			continue
		}
		if r >= rank {
			continue
		}
		if arn := k.arn(name, tags, at); arn != "" {
			rank, best, found = r, parent{parentKind: k, name: name, arn: arn}, true
		}
	}
	return best, found
}

// named is what a tag of the kind says the parent's name is. Several that name one each
// say nothing.
func (k parentKind) named(tags map[string]string) (name string, named bool) {
	if !strings.HasSuffix(k.Tag, "/") {
		name = tags[k.Tag]
		return name, name != ""
	}
	for key, value := range tags {
		if one, ok := strings.CutPrefix(key, k.Tag); ok && one != "" && value == k.Value {
			if named {
				return "", false
			}
			name, named = one, true
		}
	}
	return name, named
}

// arn is the parent's, "" where the tags don't give one.
func (k parentKind) arn(name string, tags map[string]string, at place) string {
	switch {
	case k.Special == byEnvironment:
		return name
	case k.ARN == "":
		parts := strings.SplitN(name, ":", 6)
		if len(parts) < 6 || parts[0] != "arn" || parts[1] != at.partition {
			return ""
		}
		return name
	}
	replace := []string{"{partition}", at.partition, "{region}", at.region, "{account}", at.account, "{name}", name}
	if _, other, ok := strings.Cut(k.ARN, "{aws:"); ok {
		key, _, _ := strings.Cut(other, "}")
		replace = append(replace, "{aws:"+key+"}", tags["aws:"+key])
		if !plainName(tags["aws:"+key]) {
			return ""
		}
	}
	if !plainName(name) {
		return ""
	}
	return strings.NewReplacer(replace...).Replace(k.ARN)
}

// plainName reports whether a text can be a name in an ARN.
func plainName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsAny(name, ":*?{}\n")
}

// answer is what was found of those that a resource was made for.
type answer struct {
	value string             // of the creator's tag on one of them
	who   *attribute.Creator // or who it was
	chain *chain             // and how
	from  string             // the ARN of the parent that answered
	tags  map[string]string  // of all of them; the nearest have the say
	path  []string           // first step first
	gap   gap
}

func (a *answer) answers() bool { return a.value != "" || a.who != nil }

// climb goes from what tags name to its parent in turn, until one says who it was.
func (s *search) climb(ctx context.Context, p parent, at place) answer {
	var a answer
	seen := map[string]bool{}
	for range maxLinks {
		if seen[p.arn] {
			s.step(Parent, p.arn, "the parents go in a circle")
			return a
		}
		seen[p.arn] = true
		a.path = slices.Insert(a.path, 0, p.step())
		tags, done := s.ask(ctx, &p, at, &a)
		a.tags = union(a.tags, tags)
		// What a service wrote for want of a better name says nothing.
		if value := tags[s.Policy.Tags.Creator]; value != "" && value != attribute.Unknown && !s.services(value) {
			a.value, a.who, a.chain, a.from, a.gap = value, nil, nil, p.arn, gap{}
			if p.provisional {
				a.gap = gap{"creator of " + p.arn, s.unwaited()}
			}
			if via := tags[s.Policy.Tags.CreatedVia]; s.Policy.Tags.CreatedVia != "" && via != "" {
				a.path = slices.Insert(a.path, 0, via)
			}
			return a
		}
		if done {
			a.from = p.arn
			return a
		}
		at.maker = ""
		next, found := s.parentOf(tags, at)
		if !found {
			return a
		}
		p = next
	}
	return a
}

// services reports whether a creator's tag names a service, in whatever form the policy has
// for names. Of hashes only those of services that make things for parents are known.
func (s *search) services(value string) bool {
	switch s.Policy.Tags.CreatorForm {
	case policy.CreatorARN:
		return attribute.IsService(value) || strings.Contains(value, ":assumed-role/AWSServiceRoleFor")
	case policy.CreatorHash:
		for _, k := range s.kinds {
			for _, maker := range k.Makers {
				if value == s.Policy.FormatCreator(maker+".amazonaws.com", "") {
					return true
				}
			}
		}
	}
	return attribute.IsService(value)
}

// ask asks a parent. It returns its tags, and whether the answer says who it was.
func (s *search) ask(ctx context.Context, p *parent, at place, a *answer) (tags map[string]string, done bool) {
	if p.Special == byPrincipal {
		id := principalOf(p.arn)
		who := s.named(ctx, id)
		s.step(Parent, p.Tag, "asked for by "+who.Name)
		a.who = &who
		return nil, who.Name != attribute.Unknown
	}
	if p.Special == byEnvironment {
		arn, err := s.environment(ctx, p.name, at)
		if err != nil {
			s.fails(Parent, p.name, err)
			a.gap = s.gapOf(err, "environment "+p.name)
			return nil, false
		}
		p.arn, p.name = arn, lastPart(arn)
		a.path[0] = p.step()
	}
	own := accountOf(p.arn) == at.account
	if p.Special == byStack {
		return s.stack(ctx, p.arn, own, a)
	}
	if !own {
		s.step(Parent, p.arn, "in another account")
		return nil, false
	}
	found, err := s.tagsOf(ctx, *p, at)
	creator := found.all[s.Policy.Tags.Creator]
	switch {
	case err != nil:
		s.fails(Parent, p.arn, err)
		a.gap = s.gapOf(err, "creator of "+p.arn)
	case creator == "":
		s.step(Parent, p.arn, "has no creator")
		a.gap = s.gap("creator of "+p.arn, s.at)
	case found.provisional[s.Policy.Tags.Creator] == creator:
		s.step(Parent, p.arn, "made by "+creator+", as far as is known yet")
		p.provisional = true
	default:
		s.step(Parent, p.arn, "made by "+creator)
	}
	if found.err != nil {
		s.fails(Parent, p.arn, found.err)
	}
	return found.all, false
}

// gapOf is the gap where an error says that something isn't there, or not yet.
func (s *search) gapOf(err error, what string) gap {
	if outcome(err) != Absent {
		return gap{}
	}
	return s.gap(what, s.at)
}

// parentTags are a parent's tags.
type parentTags struct {
	all map[string]string
	// provisional are those that we wrote without a link, as far as they are still to be
	// replaced; err says why that isn't known.
	provisional map[string]string
	err         error
}

// corrected is within how long what was written without a link is replaced where the link
// comes after all: once the event was looked at again, with something to spare.
const corrected = schedule.Denied + 5*time.Minute

// tagsOf reads a parent's tags and, where one says who made it, whether we were sure of it.
func (s *search) tagsOf(ctx context.Context, p parent, at place) (parentTags, error) {
	key := s.Policy.Tags.Creator
	keep := func(tags parentTags) time.Duration {
		if creator := tags.all[key]; creator == "" || creator == tags.provisional[key] || tags.err != nil {
			return keepMissing
		}
		return keepTags
	}
	return look(ctx, s.Finder, Parent, p.arn, keep, func(ctx context.Context) (tags parentTags, err error) {
		res, err := p.resource(s.Catalogue)
		if err != nil {
			return tags, err
		}
		region := at.region
		if parts := strings.SplitN(p.arn, ":", 6); parts[3] != "" {
			region = parts[3]
		}
		read := s.Tags.Tags(ctx, []apply.Request{{ARN: p.arn, Type: res.Type, API: res.API, Calls: res.Calls, Account: at.account, Region: region}})[0]
		if tags.all = read.All; read.Err != nil || tags.all[key] == "" || s.Ledger == nil {
			return tags, read.Err
		}
		written, err := s.Ledger.Written(ctx, []string{p.arn})
		if tags.err = err; err != nil || written[0] == nil {
			return tags, nil
		}
		if w := written[0]; w.Provisional && w.Account == at.account && s.Now().Before(w.At.Add(corrected)) {
			tags.provisional = w.Tags
		}
		return tags, nil
	})
}

// inherit takes the creators of resources from what they were made for, and that one's
// tags. It reports whether no other creator is wanted.
func (s *search) inherit(ctx context.Context) (named bool) {
	answers := make([]*answer, len(s.plan.Resources))
	asked := map[string]*answer{}
	for i, r := range s.plan.Resources {
		if r.API == catalogue.APINone || r.Account != s.plan.Event.Account {
			continue
		}
		at := s.place(r)
		p, found := s.parentOf(union(s.facts.Resources[i].Own, r.Requested), at)
		if !found {
			continue
		}
		if asked[p.arn] == nil {
			a := s.climb(ctx, p, at)
			asked[p.arn] = &a
		}
		answers[i] = asked[p.arn]
		s.facts.Resources[i].Parent, s.facts.Resources[i].Named = answers[i].tags, true
	}
	if !s.acted {
		return false // they are asked for their tags only
	}
	named = true
	one := true
	var first *answer
	for i, a := range answers {
		switch {
		case s.plan.Resources[i].API == catalogue.APINone:
			continue
		case a == nil || !a.answers():
			named = false
		case first == nil:
			first = a
		}
		if a != nil {
			s.miss(a.gap)
		}
		one = one && a != nil && a.who != nil && first != nil && *first.who == *a.who
	}
	if first == nil {
		return false
	}
	s.origin = first.chain
	s.facts.Path = join(append(slices.Clone(first.path), s.via())...)
	if one {
		s.facts.Creator = first.who
		return true
	}
	for i, a := range answers {
		if a == nil || !a.answers() {
			continue
		}
		f := &s.facts.Resources[i]
		if f.Creator, f.From = a.value, a.from; a.who != nil {
			f.Creator = s.Policy.FormatCreator(a.who.Name, a.who.ARN)
		}
	}
	return named
}

// principalOf is the identity that an ARN names.
func principalOf(arn string) cloudtrail.Identity {
	id := cloudtrail.Identity{Type: "IAMUser", ARN: arn, AccountID: accountOf(arn)}
	switch rest := arn[strings.LastIndexByte(arn, ':')+1:]; {
	case rest == "root":
		id.Type = "Root"
	case strings.HasPrefix(rest, "assumed-role/"), strings.HasPrefix(rest, "role/"):
		id.Type = "AssumedRole"
	case strings.HasPrefix(rest, "federated-user/"):
		id.Type = "FederatedUser"
	}
	return id
}

// accountOf is an ARN's account, "" where it has none.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}
