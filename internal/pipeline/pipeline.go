// Package pipeline carries events all the way: decoded records go in, and out
// comes what became of each. The Lambda functions, the command line and tests
// run this same code, so that what a replay shows is what production does.
//
//	decode → resolve → attribute → plan → apply → outcome
//
// Up to the plan everything is pure; the [Applier] alone calls AWS.
package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// Applier writes what plans want. It is an [*apply.Applier] but in tests of
// this package.
type Applier interface {
	Tag(context.Context, []apply.Request) []apply.Result
	PutCORS(context.Context, []apply.CORSRequest) []apply.CORSResult
}

// Pipeline has one or both of two jobs: tagging, and default CORS.
type Pipeline struct {
	Planner *plan.Planner
	Applier Applier
	Tag     bool
	CORS    bool
	// Guard, where there is one, keeps events from acting in other accounts.
	Guard *Guard
	// Late, where there is one, keeps old events from speaking for resources that
	// were made anew.
	Late *Late
	// Finder, where there is one, finds out what records don't say, and Memory
	// remembers what was written.
	Finder Finder
	Memory Memory
	// Now is the clock, time.Now where it is nil.
	Now func() time.Time
}

// Result is what became of one record.
type Result struct {
	Record    cloudtrail.Record
	Plan      plan.Plan // its Reason is set where there is nothing to do
	Resources []ResourceResult
	// Err is a fault of the program's own data: the event was not handled.
	Err error

	record *plan.Plan // as the record alone makes it, where look-ups have made another
	again  bool       // look-ups were made before
}

// ResourceResult is what became of one of a plan's resources. A job that the
// pipeline doesn't have, or that the resource doesn't want, is nil.
type ResourceResult struct {
	Tag  *apply.Result
	CORS *apply.CORSResult
	// Refused is why the Guard let nothing be written, "" where it did.
	Refused string
	// Provisional: a link was missing, so that a later try may know better.
	Provisional bool
	// Forgot is why what was written couldn't be remembered: it stays as it is,
	// whatever link may come.
	Forgot error

	fresh bool // found by a look-up, and not tried yet
}

// malformed is the reason of a record that can't be read: the only reason that
// doesn't settle an event.
const malformed = resolve.Reason(cloudtrail.Malformed)

// The outcomes where the policy only observes, and of a dry run.
const (
	WouldTag apply.Outcome     = "would-tag"
	WouldPut apply.CORSOutcome = "would-put"
)

// WhyUnfit is the reason in a result's Why where the service takes none of our keys.
const WhyUnfit = "key-unfit"

// Plan plans for records without doing anything.
func (p *Pipeline) Plan(records []cloudtrail.Record) []Result {
	results := make([]Result, len(records))
	for i, rec := range records {
		results[i] = p.plan(rec)
	}
	return results
}

// plan plans for one record. A panic would be a fault of the program; it is kept
// from the other records of the batch.
func (p *Pipeline) plan(rec cloudtrail.Record) (r Result) {
	r = Result{Record: rec, Plan: plan.Plan{Creator: attribute.Of(cloudtrail.Identity{})}}
	defer func() {
		if fault := recover(); fault != nil {
			r.Err = fmt.Errorf("planning: panic: %v", fault)
		}
	}()
	if rec.Err != nil {
		if rec.Event != nil {
			r.Plan.Creator = attribute.Of(rec.Event.Identity)
		}
		why, detail := cloudtrail.Fault(rec.Err)
		r.Plan.Reason, r.Plan.Detail = resolve.Reason(why), detail
		return r
	}
	r.Plan, r.Err = p.Planner.Plan(rec.Event)
	r.Resources = make([]ResourceResult, len(r.Plan.Resources))
	return r
}

// Run plans for the records and applies the plans, all of a batch together so
// that one call can tag many resources. Results are in the records' order.
func (p *Pipeline) Run(ctx context.Context, records []cloudtrail.Record) []Result {
	results := p.Plan(records)
	p.Apply(ctx, results, func(*ResourceResult) bool { return true })
	return results
}

// Apply does what the plans want for the resources that todo names, and
// overwrites their results. Replaying uses it to try again what wasn't ready. Late
// events come last, so that looking into their histories holds up no other.
func (p *Pipeline) Apply(ctx context.Context, results []Result, todo func(*ResourceResult) bool) {
	p.restore(ctx, results)
	waiting := p.find(ctx, results, todo)
	open := func(r *ResourceResult) bool { return r.fresh || todo(r) }
	suspects := p.suspects(results, open)
	late := map[*ResourceResult]bool{}
	for _, s := range suspects {
		late[s.out] = !s.unique
	}
	p.apply(ctx, results, func(r *ResourceResult) bool { return open(r) && !late[r] }, waiting)
	if suspects = slices.DeleteFunc(suspects, suspect.there); len(suspects) > 0 {
		verdicts := p.judge(ctx, suspects)
		p.apply(ctx, results, func(r *ResourceResult) bool { return late[r] }, verdicts)
		for _, s := range suspects {
			if v := verdicts[s.out]; s.unique && v.tag != nil && v.tag.Outcome == apply.Skipped {
				s.out.Tag = v.tag
			}
		}
	}
}

// apply does what the plans want, but for the jobs that a verdict has settled.
func (p *Pipeline) apply(ctx context.Context, results []Result, todo func(*ResourceResult) bool, verdicts map[*ResourceResult]verdict) {
	var (
		tags    []tagged
		cors    []apply.CORSRequest
		corsFor []*ResourceResult
	)
	for i := range results {
		r := &results[i]
		for j, res := range r.Plan.Resources {
			out := &r.Resources[j]
			if !todo(out) {
				continue
			}
			if r.Plan.Restores && out.Tag != nil && !out.Retryable() {
				continue // it isn't put back
			}
			out.fresh = false
			if out.Refused = p.Guard.Refuses(r.Plan.Event, res); out.Refused != "" {
				p.refuse(res, out)
				continue
			}
			known := verdicts[out]
			if res.Mode == policy.Observe {
				p.would(res, out)
				if p.Tag && known.tag != nil {
					out.Tag = known.tag
				}
				continue
			}
			switch {
			case !p.Tag:
			case known.tag != nil:
				out.Tag = known.tag
			case unfit(res):
				out.Tag = &apply.Result{Outcome: apply.Skipped, Why: WhyUnfit}
			default:
				tags = append(tags, tagged{p.request(r.Plan, j), r, j, out})
			}
			switch {
			case !p.CORS || len(res.CORS) == 0:
			case known.cors != nil:
				out.CORS = known.cors
			default:
				cors = append(cors, corsRequest(res))
				corsFor = append(corsFor, out)
			}
		}
	}
	if len(tags) > 0 {
		reqs := make([]apply.Request, len(tags))
		for i, t := range tags {
			reqs[i] = t.req
		}
		for i, res := range p.Applier.Tag(ctx, reqs) {
			tags[i].out.Tag = &res
		}
		p.remember(ctx, tags)
	}
	if len(cors) > 0 {
		for i, res := range p.Applier.PutCORS(ctx, cors) {
			corsFor[i].CORS = &res
		}
	}
}

// Pretend gives the results the outcomes that they would have, as far as the
// plans alone can tell.
func (p *Pipeline) Pretend(results []Result) {
	for i := range results {
		for j, res := range results[i].Plan.Resources {
			p.would(res, &results[i].Resources[j])
		}
	}
}

// would is what becomes of a resource that is only observed.
func (p *Pipeline) would(res plan.Resource, out *ResourceResult) {
	if p.Tag {
		out.Tag = &apply.Result{Outcome: apply.Unchanged}
		for key, value := range res.Tags {
			if standing, stands := res.Requested[key]; !stands || standing != value {
				out.Tag.Outcome = WouldTag
			}
		}
		switch {
		case res.API == catalogue.APINone:
			out.Tag = &apply.Result{Outcome: apply.Skipped, Why: apply.WhyNoAPI}
		case unfit(res):
			out.Tag = &apply.Result{Outcome: apply.Skipped, Why: WhyUnfit}
		}
	}
	if p.CORS && len(res.CORS) > 0 {
		out.CORS = &apply.CORSResult{Outcome: WouldPut}
	}
}

// unfit reports whether the resource's service takes none of our keys.
func unfit(res plan.Resource) bool { return len(res.Tags) == 0 && len(res.Unfit) > 0 }

// refuse is what becomes of a resource that the Guard keeps.
func (p *Pipeline) refuse(res plan.Resource, out *ResourceResult) {
	if p.Tag {
		out.Tag = &apply.Result{Outcome: apply.Skipped, Why: apply.WhyAccounts}
	}
	if p.CORS && len(res.CORS) > 0 {
		out.CORS = &apply.CORSResult{Outcome: apply.CORSSkipped, Why: apply.WhyAccounts}
	}
}

// request is for the plan's resource of an index. What isn't sure replaces nothing.
func (p *Pipeline) request(made plan.Plan, i int) apply.Request {
	res := made.Resources[i]
	req := apply.Request{
		ARN: res.ARN, Type: res.Type, API: res.API, Calls: res.Calls, Account: res.Account, Region: res.Region,
		Tags: res.Tags, Known: res.Requested, Upsert: res.Upsert, LookUp: res.LookUp, EventTime: made.Event.Time,
	}
	f := made.Facts
	if f == nil {
		return req
	}
	costCenter := p.Planner.Policy.Tags.CostCenter
	switch {
	case f.Missing != "" || f.Unsure:
		req.Keep = slices.Collect(maps.Keys(res.Tags))
	case f.UnsureCost:
		req.Keep = []string{costCenter}
		req.Provisional = maps.Clone(f.Provisional[res.ARN])
		delete(req.Provisional, costCenter)
	default:
		req.Provisional = f.Provisional[res.ARN]
	}
	if i < len(f.Resources) && !f.Stale {
		req.Read = f.Resources[i].Own
	}
	return req
}

func corsRequest(res plan.Resource) apply.CORSRequest {
	rules := make([]apply.CORSRule, len(res.CORS))
	for i, r := range res.CORS {
		rules[i] = apply.CORSRule(r)
	}
	return apply.CORSRequest{Bucket: res.ARN, Account: res.Account, Region: res.Region, Rules: rules}
}

// Settled reports whether the event is done with: tagged, left as it was, or
// skipped for a reason. What is not settled must be delivered again or kept
// for a person to see; it is never acknowledged.
func (r *Result) Settled() bool {
	if r.Err != nil || r.Plan.Reason == malformed {
		return false
	}
	for i := range r.Resources {
		if !r.Resources[i].Settled() {
			return false
		}
	}
	return true
}

// Settled reports whether nothing is left to do for the resource.
func (r *ResourceResult) Settled() bool {
	if r.Tag != nil {
		switch r.Tag.Outcome {
		case apply.Retry, apply.Denied, apply.Failed:
			return false
		}
	}
	if r.CORS != nil {
		switch r.CORS.Outcome {
		case apply.CORSRetry, apply.CORSDenied, apply.CORSFailed:
			return false
		}
	}
	return true
}

// Provisional reports whether tags were written without a link that may yet come.
func (r *Result) Provisional() bool {
	for i := range r.Resources {
		if r.Resources[i].Provisional {
			return true
		}
	}
	return false
}

// Retryable reports whether trying again soon may help.
func (r *ResourceResult) Retryable() bool {
	return r.Tag != nil && r.Tag.Outcome == apply.Retry || r.CORS != nil && r.CORS.Outcome == apply.CORSRetry
}
