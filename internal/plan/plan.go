// Package plan decides what is to be done about an event: which resources get
// which tags, which bucket its default CORS, or why nothing happens. It joins
// what the record says (resolve, attribute) with what the configuration wants
// (policy), and it is pure: the same event and policy always give the same
// [Plan], in a function, on the command line and in a test.
package plan

import (
	"fmt"
	"maps"
	"time"

	"autotagger/internal/attribute"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// Planner makes plans. Its fields are set once; it is safe for concurrent use.
type Planner struct {
	Catalogue *catalogue.Catalogue
	Policy    *policy.Policy
}

// Plan is what is to be done about one event.
type Plan struct {
	Event     *cloudtrail.Event
	Reason    resolve.Reason // why nothing is to be done; "" if something is
	Detail    string         // more about the reason, for the log
	Creator   attribute.Creator
	Resources []Resource
	// Removed are our tag keys that the call took away, where the policy wants to
	// know of it.
	Removed []string
	// Restores says that the plan puts removed tags back.
	Restores bool
	// Facts are what look-ups found, nil where none were made.
	Facts *Facts
}

// Resource is one resource and what it is to carry.
type Resource struct {
	resolve.Resource
	Mode              policy.Mode       // where the resource is: Enforce or Observe
	Tags              map[string]string // with the values of the create request's own tags, where those stay
	Excluded          string            // why the policy leaves it alone after all, as look-ups have shown
	sources           [2]source         // of the creator's and the cost center's tags
	CostCenterUnknown string            // the value that isn't valid, where one was given
	Unfit             []string          // our keys that the service doesn't take, and why; their tags aren't among Tags
	CORS              []policy.CORSRule // of a bucket that is to have the default; nil: none
}

// source is where the value of a tag comes from.
type source struct{ key, from string }

// Sources say where the values of the creator's and the cost center's tags come from, by
// their keys.
func (r *Resource) Sources() map[string]string {
	said := map[string]string{}
	for _, s := range r.sources {
		_, requested := r.Requested[s.key]
		switch {
		case s.from == "":
		case requested && r.Tags[s.key] == r.Requested[s.key]:
			said[s.key] = "the create request"
		default:
			said[s.key] = s.from
		}
	}
	return said
}

// BucketType is the type that default CORS is for.
const BucketType = "AWS::S3::Bucket"

// Plan returns the plan for an event. The error is a fault of the catalogue's
// data, never of the event.
func (p *Planner) Plan(e *cloudtrail.Event) (Plan, error) {
	plan := Plan{Event: e, Creator: p.creator(e)}
	created, reason, detail, err := resolve.Resolve(p.Catalogue, p.Policy, e)
	if err != nil {
		return plan, err
	}
	// The call's failure comes before who made it, everything else after.
	if reason != resolve.DryRun && reason != resolve.CallFailed && p.Policy.IsOwnRole(plan.Creator.Role) {
		reason, detail = resolve.OwnEvent, "made by the role "+plan.Creator.Role
	}
	if reason != "" {
		plan.Reason, plan.Detail, plan.Removed = reason, detail, p.removed(e, reason)
		return plan, nil
	}
	var none Facts
	for _, r := range created {
		if res, why, wanted := p.wanted(e, plan.Creator, r, &none, ResourceFacts{}); wanted {
			plan.Resources = append(plan.Resources, res)
		} else {
			detail = why
		}
	}
	if len(plan.Resources) == 0 {
		plan.Reason, plan.Detail = resolve.Excluded, detail
	}
	return plan, nil
}

// creator is who the record names, as far as the policy believes it.
func (p *Planner) creator(e *cloudtrail.Event) attribute.Creator {
	return Believed(p.Policy, attribute.Of(e.Identity))
}

// Believed is a creator with its session's name only where the policy trusts that without a
// look at the role.
func Believed(p *policy.Policy, c attribute.Creator) attribute.Creator {
	if !p.TrustsSession(c.Role) {
		return c.AsRole()
	}
	return c
}

// wanted says what a resource is to carry, or why the policy wants nothing on it.
func (p *Planner) wanted(e *cloudtrail.Event, c attribute.Creator, r resolve.Resource, f *Facts, more ResourceFacts) (res Resource, why string, wanted bool) {
	if why, excluded := p.Policy.Excluded(Subject(e, heir(c, more), r)); excluded {
		return res, why, false
	}
	mode := p.Policy.ModeFor(r.Account, r.Region)
	if mode == policy.Off {
		return res, "the mode is off for account " + r.Account + " in " + r.Region, false
	}
	if p.Policy.OptOut(r.Requested) {
		return res, "the create request has the opt-out tag", false
	}
	return p.resource(e, c, r, mode, f, more), "", true
}

// resource says what one resource is to carry.
func (p *Planner) resource(e *cloudtrail.Event, c attribute.Creator, r resolve.Resource, mode policy.Mode, f *Facts, more ResourceFacts) Resource {
	res := Resource{Resource: r, Mode: mode, Tags: map[string]string{}}
	keys, limits := &p.Policy.Tags, r.Limits
	if limits == nil {
		limits = new(catalogue.Limits)
	}
	set := func(key, value string) {
		standing, stands := r.Requested[key]
		fault := ""
		if limits.Keys != (catalogue.Limit{}) { // the configuration's own limits are all others'
			fault = limits.Keys.KeyFault(key)
		}
		switch value = Value(value, limits.Values); {
		case key == "" || value == "":
		case fault != "" && !stands:
			res.Unfit = append(res.Unfit, e.Service()+" "+fault+": "+key)
		case stands && p.Policy.Existing == policy.Keep:
			res.Tags[key] = standing
		default:
			res.Tags[key] = value
		}
	}
	switch {
	case more.Creator != "":
		// It has the policy's form already: a tag of ours says so.
		set(keys.Creator, more.Creator)
		res.sources[0] = source{keys.Creator, "parent " + more.From}
	case c.Name != attribute.Unknown || keys.UnknownCreator:
		set(keys.Creator, p.Policy.FormatCreator(c.Name, c.ARN))
		res.sources[0] = source{keys.Creator, string(c.By)}
	}
	own := r.Requested
	if more.Own != nil {
		own = maps.Clone(more.Own)
		maps.DeleteFunc(own, func(key, value string) bool {
			ours, provisional := f.Provisional[r.ARN][key]
			return provisional && ours == value
		})
	}
	found, from := p.Policy.CostCenterFor(Subject(e, heir(c, more), r), policy.Known{
		Resource: own, Parent: more.Parent, Session: f.Session, Principal: f.Principal, Account: f.Account, OUs: f.OUs,
	})
	costCenter, valid := p.Policy.CheckCostCenter(found)
	if !valid {
		res.CostCenterUnknown = found
		instead := "fallback"
		if costCenter == "" {
			instead = "nothing"
		}
		from = fmt.Sprintf("%s, since %s gives %q, which isn't valid", instead, from, found)
	}
	set(keys.CostCenter, costCenter)
	res.sources[1] = source{keys.CostCenter, from}
	if !e.Time.IsZero() {
		set(keys.CreatedAt, e.Time.UTC().Format(time.RFC3339))
	}
	set(keys.CreatedByARN, c.ARN)
	via := f.Path
	if via == "" {
		via = c.Via
	}
	set(keys.CreatedVia, via)
	if r.Type == BucketType {
		res.CORS, _ = p.Policy.CORSFor(r.Name())
	}
	return res
}
