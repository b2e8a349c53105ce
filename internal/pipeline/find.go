package pipeline

import (
	"context"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/plan"
	"autotagger/internal/resolve"
)

// Finder finds out what records don't say: who stands at the beginning of a chain of
// roles, what a resource was made for, whose tags have the cost center. It is a
// [*lookup.Finder].
type Finder interface {
	// Find looks into plans and returns what it found, in their order. It doesn't
	// fail: what couldn't be found out is said in the facts.
	Find(ctx context.Context, plans []plan.Plan) []plan.Facts
}

// WhyLink is the Why of what waits for a link that isn't there yet.
const WhyLink = "link-missing"

// find makes the plans anew with what look-ups find, where something is to be done. The
// verdicts are of resources that wait for a link.
func (p *Pipeline) find(ctx context.Context, results []Result, todo func(*ResourceResult) bool) map[*ResourceResult]verdict {
	verdicts := map[*ResourceResult]verdict{}
	if p.Finder == nil {
		return verdicts
	}
	var (
		of    []*Result
		plans []plan.Plan
	)
	for i := range results {
		r := &results[i]
		if !p.asks(r, todo) {
			continue
		}
		if r.record == nil {
			made := r.Plan
			r.record = &made
		} else {
			r.again = true
		}
		of, plans = append(of, r), append(plans, *r.record)
	}
	if len(plans) == 0 {
		return verdicts
	}
	began := p.now()
	facts := p.Finder.Find(ctx, plans)
	p.recall(ctx, of, facts)
	// Tags that were read a while ago may be others by now.
	stale := p.now().Sub(began) > time.Second
	for i, f := range facts {
		r := of[i]
		f.Stale = stale
		p.learn(r, f)
		pause := f.Until.Sub(p.now())
		for j, res := range r.Plan.Resources {
			switch {
			case f.Missing != "" && pause > 0:
				verdicts[&r.Resources[j]] = verdict{tag: &apply.Result{Outcome: apply.Retry, Why: WhyLink, After: pause}}
			case res.Excluded != "":
				verdicts[&r.Resources[j]] = verdict{tag: excluded()}
			}
		}
	}
	return verdicts
}

// excluded is what becomes of what the policy leaves alone, as look-ups have shown.
func excluded() *apply.Result {
	return &apply.Result{Outcome: apply.Skipped, Why: string(resolve.Excluded)}
}

// asks reports whether look-ups are made for a result: not for one that the Guard
// keeps, since what it says isn't to be trusted.
func (p *Pipeline) asks(r *Result, todo func(*ResourceResult) bool) bool {
	if r.Err != nil || r.Plan.Reason != "" || r.Plan.Restores {
		return false
	}
	asks := false
	for i, res := range r.Plan.Resources {
		if p.Guard.Refuses(r.Plan.Event, res) != "" {
			return false
		}
		asks = asks || todo(&r.Resources[i])
	}
	return asks
}

// learn makes a result's plan anew. Children come after the record's own resources;
// an earlier try may have found others.
func (p *Pipeline) learn(r *Result, f plan.Facts) {
	earlier := map[string]ResourceResult{}
	for i, res := range r.Plan.Resources {
		earlier[res.ARN] = r.Resources[i]
	}
	own := r.Resources[:len(r.record.Resources):len(r.record.Resources)]
	r.Plan = p.Planner.With(*r.record, f)
	r.Resources = own
	for _, child := range r.Plan.Resources[len(own):] {
		out, known := earlier[child.ARN]
		out.fresh = !known
		r.Resources = append(r.Resources, out)
	}
}

func (p *Pipeline) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}
