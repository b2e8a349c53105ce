package plan

import (
	"maps"
	"time"

	"autotagger/internal/attribute"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// Facts are what look-ups found out about an event, beyond its record. The zero value
// says nothing.
type Facts struct {
	// Creator is who stands at the beginning of the chain; nil where that is who the
	// record names. Of sessions without a name to believe, AsRole was taken.
	Creator *attribute.Creator
	// Path says how the creator came to make the resource, first link first, such
	// as "role/Deploy stack/web"; "" where the record says all.
	Path string
	// Session, Principal and Account are tags: of the chain's sessions, of the user
	// or role behind it, and of the event's account. OUs are the ids of the units
	// that the account is in, its own first.
	Session, Principal, Account map[string]string
	OUs                         []string
	// Resources says more of each of the plan's resources, in their order; it may be
	// nil.
	Resources []ResourceFacts
	// Children are resources that came with the plan's and that the record doesn't
	// name.
	Children []resolve.Resource
	// Missing is the link that wasn't there, "" where none was missing; it may be
	// there by Until.
	Missing string
	Until   time.Time
	// Unsure: a look-up was denied or failed, so that someone else may stand at the
	// beginning. What an earlier try has found isn't replaced by this.
	Unsure bool
	// UnsureCost is the same of a look-up that bears on the cost center alone.
	UnsureCost bool
	// Provisional are, by ARN, tags that an earlier try wrote without a link. They say
	// nothing of their own, and may be replaced.
	Provisional map[string]map[string]string
	// Stale: the tags that were read are no longer to be relied on.
	Stale bool
	// Steps are the look-ups in their order, for people.
	Steps []Step
}

// ResourceFacts are what look-ups found out about one resource.
type ResourceFacts struct {
	// Creator is the value of the creator's tag on what the resource was made for
	// ("" where there is none), From that parent's ARN.
	Creator, From string
	// Parent are the tags of the parent. Own are those that the resource carries,
	// nil where they weren't read.
	Parent, Own map[string]string
	// Named: its own tags name a parent, or couldn't be read, so that it has nothing
	// from the call's others.
	Named bool
}

// Step is one look-up: what was asked, and what came of it.
type Step struct {
	Of     string `json:"of"`     // what was looked up: one of package lookup's kinds
	Asked  string `json:"asked"`  // an id or ARN
	Answer string `json:"answer"` // in a few words
}

// With returns the plan as it is with what look-ups found. The plan itself stays as
// the record alone makes it.
func (p *Planner) With(made Plan, f Facts) Plan {
	if made.Reason != "" {
		return made
	}
	made.Facts = &f
	if f.Creator != nil {
		made.Creator = *f.Creator
	}
	resources := make([]Resource, 0, len(made.Resources)+len(f.Children))
	shared := f.shared()
	for i, r := range made.Resources {
		var more ResourceFacts
		if i < len(f.Resources) {
			more = f.Resources[i]
		}
		if !more.Named && more.Creator == "" && more.Parent == nil {
			more.Creator, more.From, more.Parent = shared.Creator, shared.From, shared.Parent
		}
		res := p.resource(made.Event, made.Creator, r.Resource, r.Mode, &f, more)
		res.Excluded, _ = p.Policy.Excluded(Subject(made.Event, heir(made.Creator, more), r.Resource))
		resources = append(resources, res)
	}
	made.Resources = resources
	for _, child := range f.Children {
		if r, _, wanted := p.wanted(made.Event, made.Creator, child, &f, shared); wanted {
			made.Resources = append(made.Resources, r)
		}
	}
	return made
}

// shared is what goes for resources of the call that name no parent of their own, as an
// instance's volumes: what the others have from theirs, where that is one and the same.
func (f *Facts) shared() ResourceFacts {
	var one ResourceFacts
	for _, r := range f.Resources {
		switch {
		case r.Creator == "" && r.Parent == nil:
		case one.Parent == nil && one.Creator == "":
			one = ResourceFacts{Creator: r.Creator, From: r.From, Parent: r.Parent}
		case r.Creator != one.Creator || r.From != one.From || !maps.Equal(r.Parent, one.Parent):
			return ResourceFacts{}
		}
	}
	return one
}

// heir is the creator as the policy's rules take it: whom a parent's tag names, where that
// is inherited.
func heir(c attribute.Creator, more ResourceFacts) attribute.Creator {
	if more.Creator != "" {
		c.Name = more.Creator
	}
	return c
}

// Subject is a resource as the policy is asked about it.
func Subject(e *cloudtrail.Event, c attribute.Creator, r resolve.Resource) policy.Subject {
	return policy.Subject{
		Account: r.Account, Region: r.Region, Creator: c.Name, Role: c.Role,
		Service: e.Service(), Type: r.Type, Name: r.Name(),
	}
}
