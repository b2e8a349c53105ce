package lookup

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/catalogue"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// search is what is asked about one event, and what came of it.
type search struct {
	*Finder
	plan  plan.Plan
	facts plan.Facts
	// creator, parents and children say what is asked, as far as that is known
	// without a call.
	creator, parents, children bool
	// acted: a service did it, for someone whom the record doesn't name.
	acted bool
	// origin is the chain of whoever is behind it, once it was followed.
	origin *chain

	at time.Time // of the event, now where its record has no time

	mu sync.Mutex // of steps and what is missing, while children are looked for
}

// begin decides what is asked about a plan. It makes no call.
func (f *Finder) begin(p plan.Plan) *search {
	s := &search{Finder: f, plan: p}
	if p.Reason != "" || p.Event == nil {
		return s
	}
	if s.at = p.Event.Time; s.at.IsZero() {
		s.at = f.Now()
	}
	l := &f.Policy.LookUps
	for _, r := range p.Resources {
		if r.API == catalogue.APINone {
			continue
		}
		s.creator = s.creator || !f.settled(r, f.Policy.Tags.Creator)
		s.children = s.children || l.Children && parental(p.Event.Name, r.Type)
	}
	who := attribute.Of(p.Event.Identity)
	s.acted = acted(plan.Believed(f.Policy, who))
	s.parents = l.Parents && (s.creator && s.acted || attribute.IsService(who.Via) && s.wantsCost(policy.SourceParent))
	s.creator = s.creator && f.open(who, s.acted)
	if f.Account != "" && p.Event.Account != f.Account && (s.parents || s.children) {
		s.parents, s.children = false, false
		s.step(Resource, p.Event.Account, why(errElsewhere))
	}
	if s.parents {
		s.facts.Resources = make([]plan.ResourceFacts, len(p.Resources))
	}
	return s
}

// settled reports whether a resource has a tag already, from its request, that stays.
func (f *Finder) settled(r plan.Resource, key string) bool {
	_, stands := r.Requested[key]
	return stands && f.Policy.Existing == policy.Keep
}

// open reports whether look-ups may say more of who it was.
func (f *Finder) open(who attribute.Creator, acted bool) bool {
	l := &f.Policy.LookUps
	switch {
	case acted:
		return l.Parents || l.Ledger
	case who.By == attribute.BySession && !f.Policy.TrustsSession(who.Role) && f.Policy.Sessions.Verify:
		return true
	case who.By == attribute.BySession, who.By == attribute.ByRole:
		return l.Ledger
	}
	return l.IdentityStore != nil
}

// records reports whether there is a ledger to ask.
func (f *Finder) records() bool { return f.Ledger != nil && f.Policy.LookUps.Ledger }

// asks reports whether anything is asked but for children.
func (s *search) asks() bool {
	return s.creator || s.parents || s.wantsCost(policy.SourceSession) || s.wantsCost(policy.SourcePrincipal) ||
		s.wantsCost(policy.SourceTags) || s.wantsCost(policy.SourceOU)
}

// wantsCost reports whether a source of cost centers is to be asked: it is among the
// policy's, and none before it answers for each of the resources without it.
func (s *search) wantsCost(kind policy.SourceKind) bool {
	for i, source := range s.Policy.CostCenter {
		if source.Kind() != kind {
			continue
		}
		before := *s.Policy
		before.CostCenter = s.Policy.CostCenter[:i]
		for j, r := range s.plan.Resources {
			if r.API == catalogue.APINone || s.settled(r, s.Policy.Tags.CostCenter) {
				continue
			}
			if value, _ := before.CostCenterFor(s.subject(r), s.known(j)); value == "" {
				return true
			}
		}
		return false
	}
	return false
}

// subject is a resource as the policy is asked about it, with what is known so far.
func (s *search) subject(r plan.Resource) policy.Subject {
	c := s.plan.Creator
	if s.facts.Creator != nil {
		c = *s.facts.Creator
	}
	return plan.Subject(s.plan.Event, c, r.Resource)
}

func (s *search) known(i int) policy.Known {
	k := policy.Known{
		Resource: s.plan.Resources[i].Requested,
		Session:  s.facts.Session, Principal: s.facts.Principal, Account: s.facts.Account, OUs: s.facts.OUs,
	}
	if s.facts.Resources != nil {
		k.Parent = s.facts.Resources[i].Parent
		if own := s.facts.Resources[i].Own; own != nil {
			k.Resource = own
		}
	}
	return k
}

// run asks, one thing after the other: who it was, then what only matters for the cost
// center, in the order in which that is asked.
func (s *search) run(ctx context.Context) {
	e := s.plan.Event
	named := false
	if s.parents {
		named = s.inherit(ctx)
	}
	if s.origin == nil && (s.creator && !named || s.wantsCost(policy.SourceSession) || s.wantsCost(policy.SourcePrincipal)) {
		c := s.follow(ctx, e.Identity, s.at)
		s.origin = &c
		if !named {
			s.miss(c.missing)
			s.name(ctx, c)
		}
	}
	if s.origin != nil {
		s.facts.Session = s.origin.tags
	}
	for _, source := range s.Policy.CostCenter {
		switch kind := source.Kind(); {
		case kind == policy.SourcePrincipal && s.wantsCost(kind):
			s.facts.Principal = s.principalTags(ctx, s.origin)
		case kind == policy.SourceTags && s.wantsCost(kind):
			s.facts.Account = s.accountTags(ctx, e.Account)
		case kind == policy.SourceOU && s.wantsCost(kind):
			s.facts.OUs = s.units(ctx, e.Account)
		}
	}
}

// name takes a chain's beginning for the creator, where it says more than the record.
func (s *search) name(ctx context.Context, c chain) {
	if who := s.person(ctx, c.creator(), c.first().id); who != s.plan.Creator {
		s.facts.Creator = &who
	}
	if len(c.links) > 1 {
		s.facts.Path = join(append(c.path(), s.plan.Creator.Via)...)
	}
}

// step notes a look-up for people.
func (s *search) step(of Kind, asked, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts.Steps = append(s.facts.Steps, plan.Step{Of: string(of), Asked: asked, Answer: answer})
}

// fails notes a look-up without an answer, and of what that isn't sure.
func (s *search) fails(of Kind, asked string, err error) {
	s.step(of, asked, why(err))
	unsure := &s.facts.Unsure
	switch of {
	case Principal, Account, Unit: // for the cost center
		unsure = &s.facts.UnsureCost
	case User:
		if outcome(err) == Denied {
			return // whoever it is, the name's form is another
		}
	}
	s.doubt(unsure, of, asked, err)
}

// doubt notes that a look-up was refused or failed, so that something isn't sure. What has
// failed may be known later.
func (s *search) doubt(unsure *bool, of Kind, asked string, err error) {
	o := outcome(err)
	if o == Absent || errors.Is(err, errElsewhere) {
		return
	}
	s.mu.Lock()
	*unsure = true
	s.mu.Unlock()
	if o == Failed {
		s.miss(gap{string(of) + " " + asked, s.unwaited()})
	}
}

// unwaited is until when a link is missing that isn't waited for. Without a ledger it is:
// nothing would remember to look again.
func (s *search) unwaited() time.Time {
	until := s.again()
	if now := s.Now(); s.records() && now.Before(until) {
		return now
	}
	return until
}

// again is until when a look-up that failed is waited for, to be made anew: not beyond the
// wait for any link.
func (s *search) again() time.Time {
	until := s.at.Add(s.Policy.LookUps.Wait)
	if soon := s.Now().Add(time.Minute); soon.Before(until) {
		return soon
	}
	return until
}

// gap is a link that isn't there.
type gap struct {
	link  string
	until time.Time // by when it should have come
}

// miss notes a gap; of several the one that may take longest counts.
func (s *search) miss(g gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.link != "" && (s.facts.Missing == "" || g.until.After(s.facts.Until)) {
		s.facts.Missing, s.facts.Until = g.link, g.until
	}
}

// readOwn reads the tags of resources whose record names nothing that they were made for,
// of all events at once. That leaves time for what else is asked.
func (f *Finder) readOwn(ctx context.Context, all []*search, limit time.Duration) {
	var (
		reqs []apply.Request
		of   []*plan.ResourceFacts
		whom []*search
	)
	for _, s := range all {
		if !s.parents {
			continue
		}
		for i, r := range s.plan.Resources {
			if r.API == catalogue.APINone || r.Account != s.plan.Event.Account {
				continue
			}
			if _, named := s.parentOf(r.Requested, s.place(r)); !named {
				reqs = append(reqs, apply.Request{ARN: r.ARN, Type: r.Type, API: r.API, Calls: r.Calls, Account: r.Account, Region: r.Region})
				of, whom = append(of, &s.facts.Resources[i]), append(whom, s)
			}
		}
	}
	if len(reqs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for i, t := range f.Tags.Tags(ctx, reqs) {
		f.told(Resource, outcome(t.Err))
		switch {
		case t.Err == nil:
			of[i].Own = t.All
			if of[i].Own == nil {
				of[i].Own = map[string]string{}
			}
		default:
			of[i].Named = true // for all that is known
			whom[i].fails(Resource, reqs[i].ARN, t.Err)
			if outcome(t.Err) == Absent {
				whom[i].miss(gap{"tags of " + reqs[i].ARN, whom[i].at.Add(f.Policy.LookUps.Wait)})
			}
		}
	}
}

// join makes a path of steps, those that say something.
func join(steps ...string) string {
	var said []string
	for _, step := range steps {
		if step != "" {
			said = append(said, step)
		}
	}
	return strings.Join(said, " ")
}

// via is the service that made the call, "" where none did. Records of a service-linked
// role may name it by the role only.
func (s *search) via() string {
	if c := s.plan.Creator; c.Via == "" && c.By == attribute.ByService {
		return c.Name
	}
	return s.plan.Creator.Via
}

// acted reports whether a service made the call for someone whom the record doesn't name:
// for itself, or under a role that it was given, whose session names nobody.
func acted(who attribute.Creator) bool {
	switch who.By {
	case attribute.ByService:
		return true
	case attribute.ByNothing:
		return who.Via != ""
	case attribute.ByRole:
		return attribute.IsService(who.Via)
	case attribute.BySession:
		return attribute.IsService(who.Via) && serviceSession(who)
	}
	return false
}

// serviceSession reports whether a session's name is that of the service which made the
// call, as in records of Elastic Beanstalk and OpsWorks, or AWS Backup's.
func serviceSession(who attribute.Creator) bool {
	label, _, _ := strings.Cut(who.Via, ".")
	return strings.EqualFold(who.Name, label) || strings.HasPrefix(who.Name, "AWSBackup-")
}
