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
	"errors"

	"autotagger/internal/apply"
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
}

// Result is what became of one record.
type Result struct {
	Record    cloudtrail.Record
	Plan      plan.Plan // its Reason is set where there is nothing to do
	Resources []ResourceResult
	// Err is a fault of the program's own data: the event was not handled.
	Err error
}

// ResourceResult is what became of one of a plan's resources. A job that the
// pipeline doesn't have, or that the resource doesn't want, is nil.
type ResourceResult struct {
	Tag  *apply.Result
	CORS *apply.CORSResult
}

// malformed is the reason of a record that can't be read: the only reason that
// doesn't settle an event.
const malformed = resolve.Reason(cloudtrail.Malformed)

// WouldTag is the outcome where the policy only observes.
const WouldTag apply.Outcome = "would-tag"

// Plan plans for records without doing anything.
func (p *Pipeline) Plan(records []cloudtrail.Record) []Result {
	results := make([]Result, len(records))
	for i, rec := range records {
		results[i] = p.plan(rec)
	}
	return results
}

func (p *Pipeline) plan(rec cloudtrail.Record) Result {
	r := Result{Record: rec}
	if rec.Err != nil {
		r.Plan.Reason, r.Plan.Detail = malformed, rec.Err.Error()
		var unusable *cloudtrail.Error
		if errors.As(rec.Err, &unusable) {
			r.Plan.Reason, r.Plan.Detail = resolve.Reason(unusable.Reason), unusable.Detail
		}
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
// overwrites their results. Replaying uses it to try again what wasn't ready.
func (p *Pipeline) Apply(ctx context.Context, results []Result, todo func(*ResourceResult) bool) {
	var (
		tags    []apply.Request
		cors    []apply.CORSRequest
		tagsOf  []*ResourceResult
		corsFor []*ResourceResult
	)
	for i := range results {
		r := &results[i]
		for j, res := range r.Plan.Resources {
			out := &r.Resources[j]
			if !todo(out) {
				continue
			}
			if p.Tag {
				if r.Plan.Mode == policy.Observe {
					out.Tag = &apply.Result{Outcome: WouldTag}
				} else {
					tags = append(tags, request(r.Plan, res))
					tagsOf = append(tagsOf, out)
				}
			}
			if p.CORS && len(res.CORS) > 0 && r.Plan.Mode != policy.Observe {
				cors = append(cors, corsRequest(res))
				corsFor = append(corsFor, out)
			}
		}
	}
	if len(tags) > 0 {
		for i, res := range p.Applier.Tag(ctx, tags) {
			tagsOf[i].Tag = &res
		}
	}
	if len(cors) > 0 {
		for i, res := range p.Applier.PutCORS(ctx, cors) {
			corsFor[i].CORS = &res
		}
	}
}

func request(p plan.Plan, res plan.Resource) apply.Request {
	return apply.Request{
		ARN: res.ARN, Type: res.Type, API: res.API, Account: res.Account, Region: res.Region,
		Tags: res.Tags, Known: res.Requested, Upsert: res.Upsert, EventTime: p.Event.Time,
	}
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

// Retryable reports whether trying again soon may help.
func (r *ResourceResult) Retryable() bool {
	return r.Tag != nil && r.Tag.Outcome == apply.Retry || r.CORS != nil && r.CORS.Outcome == apply.CORSRetry
}
