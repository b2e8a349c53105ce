package pipeline

import (
	"cmp"
	"context"

	"autotagger/internal/apply"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// WhyTwice is the Why of tags that the same actor has taken away before.
const WhyTwice = "removed-again"

// restore turns events that took tags of ours away into plans that put them back, where
// the policy wants that and what stood there is known. Each actor's first removal from a
// resource is undone; whoever removes them again has the last word, so that no two tools
// undo each other for ever.
func (p *Pipeline) restore(ctx context.Context, results []Result) {
	if p.Memory == nil || !p.Tag || !p.Planner.Policy.RestoreTags {
		return
	}
	for i := range results {
		r := &results[i]
		if r.Err != nil || len(r.Plan.Removed) == 0 || len(r.Plan.Resources) > 0 {
			continue
		}
		var err error
		if r.Plan.Resources, r.Resources, err = p.undo(ctx, r.Plan); err != nil {
			r.Plan.Detail = "not put back: " + err.Error()
		}
		if len(r.Plan.Resources) > 0 {
			r.Plan.Reason, r.Plan.Detail, r.Plan.Restores = "", "tags of ours were removed", true
		}
	}
}

// undo is what puts tags back, and of each resource what keeps it from that.
func (p *Pipeline) undo(ctx context.Context, made plan.Plan) (resources []plan.Resource, outs []ResourceResult, err error) {
	e := made.Event
	written, err := p.Memory.Written(ctx, plan.RemovedFrom(e))
	if err != nil {
		return nil, nil, err // the removal is reported
	}
	for _, w := range written {
		if w == nil {
			continue
		}
		tags := map[string]string{}
		for _, key := range made.Removed {
			if value, ours := w.Tags[key]; ours {
				tags[key] = value
			}
		}
		res, ok := p.known(e, w)
		if len(tags) == 0 || !ok {
			continue
		}
		res.Tags = tags
		var out ResourceResult
		first, err := p.Memory.Claim(ctx, w.ARN, actor(e), e.ID)
		switch {
		case err != nil:
			outcome, why := apply.Fate(err)
			out.Tag = &apply.Result{Outcome: outcome, Why: why, Err: err}
		case !first:
			out.Tag = &apply.Result{Outcome: apply.Skipped, Why: WhyTwice}
		}
		resources, outs = append(resources, res), append(outs, out)
	}
	return resources, outs, nil
}

// known is a resource that was tagged before, as its catalogue's row has it.
func (p *Pipeline) known(e *cloudtrail.Event, w *ledger.Written) (plan.Resource, bool) {
	region := cmp.Or(w.Region, e.Region)
	mode := p.Planner.Policy.ModeFor(e.Account, region)
	of, err := p.Planner.Catalogue.Resource(w.Source, w.Type)
	if err != nil || of == nil || mode != policy.Enforce {
		return plan.Resource{}, false
	}
	res := plan.Resource{
		Resource: resolve.Resource{
			ARN: w.ARN, Type: w.Type, API: of.API, Calls: of.Calls, Account: w.Account, Region: region, Permissions: of.Permissions,
			Upsert: true, // it is no new one, whose tags a burst is taken to have none of
		},
		Mode: mode,
	}
	return res, p.Guard.Refuses(e, res) == ""
}

// actor is who removes tags: the role rather than its session, since a tool that runs
// again has another.
func actor(e *cloudtrail.Event) string {
	return cmp.Or(e.Identity.IssuerARN, e.Identity.ARN, e.Identity.PrincipalID, e.Identity.InvokedBy)
}
