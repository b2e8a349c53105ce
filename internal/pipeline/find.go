package pipeline

import (
	"context"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/ledger"
	"autotagger/internal/plan"
)

// Finder finds out what records don't say: who stands at the beginning of a chain of
// roles, what a resource was made for, whose tags have the cost center. It is a
// [*lookup.Finder].
type Finder interface {
	// Find looks into plans and returns what it found, in their order. It doesn't
	// fail: what couldn't be found out is said in the facts.
	Find(ctx context.Context, plans []plan.Plan) []plan.Facts
	// Provisional returns the tags that were written to resources before a link was
	// there, in the ARNs' order; nil where none were.
	Provisional(ctx context.Context, arns []string) []map[string]string
	// Wrote keeps what was written so.
	Wrote(ctx context.Context, written []ledger.Written) error
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
		}
		of, plans = append(of, r), append(plans, *r.record)
	}
	if len(plans) == 0 {
		return verdicts
	}
	for i, f := range p.Finder.Find(ctx, plans) {
		r := of[i]
		p.learn(r, f)
		pause := f.Until.Sub(p.now())
		if f.Missing == "" || pause <= 0 {
			continue
		}
		for j := range r.Resources {
			verdicts[&r.Resources[j]] = verdict{tag: &apply.Result{Outcome: apply.Retry, Why: WhyLink, After: pause}}
		}
	}
	return verdicts
}

// asks reports whether look-ups are made for a result: not for one that the Guard
// keeps, since what it says isn't to be trusted.
func (p *Pipeline) asks(r *Result, todo func(*ResourceResult) bool) bool {
	if r.Err != nil || r.Plan.Reason != "" {
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

// tagged is a resource whose tags were applied.
type tagged struct {
	req apply.Request
	of  *Result
	out *ResourceResult
}

// settle looks after values that a link would have changed: those written without it
// are kept in mind, and of those that stand from an earlier try, the ones that were
// written so are replaced.
func (p *Pipeline) settle(ctx context.Context, all []tagged) {
	var (
		written []ledger.Written
		noted   []*ResourceResult
		suspect []tagged
		arns    []string
	)
	for _, t := range all {
		f := t.of.Plan.Facts
		switch {
		case f == nil:
		case f.Missing != "" && t.out.Tag.Outcome == apply.Tagged && p.mayCome(f):
			written = append(written, ledger.Written{ARN: t.req.ARN, Tags: t.out.Tag.Written, Provisional: true, At: p.now()})
			noted = append(noted, t.out)
		case f.Missing == "" && differs(t.out.Tag.Standing, t.req.Tags):
			suspect, arns = append(suspect, t), append(arns, t.req.ARN)
		}
	}
	if len(written) > 0 && p.Finder.Wrote(ctx, written) == nil {
		for _, out := range noted {
			out.Provisional = true
		}
	}
	if len(suspect) == 0 {
		return
	}
	var (
		again []apply.Request
		outs  []*ResourceResult
	)
	for i, tags := range p.Finder.Provisional(ctx, arns) {
		if len(tags) > 0 {
			req := suspect[i].req
			req.Provisional, req.Read = tags, nil
			again, outs = append(again, req), append(outs, suspect[i].out)
		}
	}
	if len(again) > 0 {
		for i, res := range p.Applier.Tag(ctx, again) {
			outs[i].Tag = &res
		}
	}
}

// delivery is within how long CloudTrail delivers nearly all events.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
const delivery = 15 * time.Minute

// mayCome reports whether the event of a missing link may yet arrive.
func (p *Pipeline) mayCome(f *plan.Facts) bool {
	return p.now().Before(f.Until.Add(delivery - p.Planner.Policy.LookUps.Wait))
}

// differs reports whether a tag stands with another value than the wanted one.
func differs(standing, want map[string]string) bool {
	for k, v := range standing {
		if w, ok := want[k]; ok && w != v {
			return true
		}
	}
	return false
}

func (p *Pipeline) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}
