package pipeline

import (
	"context"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
	"autotagger/internal/ledger"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
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

// tagged is a resource whose tags were applied.
type tagged struct {
	req apply.Request
	of  *Result
	i   int // among the plan's resources
	out *ResourceResult
}

// settle remembers what was written, where that matters later: without a link that may
// yet come, and where removed tags are put back. Of values that stand from an earlier
// try, those written without the link are replaced.
func (p *Pipeline) settle(ctx context.Context, all []tagged) {
	if p.Memory == nil {
		return
	}
	suspects, arns := p.remember(ctx, all)
	if len(suspects) == 0 {
		return
	}
	written, err := p.Memory.Written(ctx, arns)
	if err != nil {
		return // they stay as they are
	}
	var (
		again []tagged
		reqs  []apply.Request
	)
	for i, w := range written {
		if w != nil && w.Provisional {
			req := suspects[i].req
			req.Provisional, req.Read = w.Tags, nil
			again, reqs = append(again, suspects[i]), append(reqs, req)
		}
	}
	if len(again) == 0 {
		return
	}
	for i, res := range p.Applier.Tag(ctx, reqs) {
		again[i].out.Tag = &res
	}
	p.remember(ctx, again)
}

// remember keeps what was written, and returns the resources whose tags stand with other
// values than look-ups have found.
func (p *Pipeline) remember(ctx context.Context, all []tagged) (suspects []tagged, arns []string) {
	var (
		notes []ledger.Written
		noted []*ResourceResult
	)
	for _, t := range all {
		f := t.of.Plan.Facts
		provisional := f != nil && f.Missing != "" && p.mayCome(f)
		switch {
		case t.of.Plan.Restores:
		case t.out.Tag.Outcome == apply.Tagged && (provisional || p.Planner.Policy.RestoreTags):
			w := note(t)
			w.Provisional, w.At = provisional, p.now()
			notes = append(notes, w)
			if provisional {
				noted = append(noted, t.out)
			}
		case f != nil && f.Missing == "" && differs(t.out.Tag.Standing, t.req.Tags):
			suspects, arns = append(suspects, t), append(arns, t.req.ARN)
		}
	}
	if len(notes) > 0 && p.Memory.PutWritten(ctx, notes) == nil {
		for _, out := range noted {
			out.Provisional = true
		}
	}
	return suspects, arns
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

// Reader reads the tags of resources: an [*apply.Applier].
type Reader interface {
	Tags(ctx context.Context, reqs []apply.Request) []apply.Tags
}

// Look makes look-ups for the plans, and gives the results the outcomes that they would
// have in view of the tags that stand. It writes nothing, and waits for nothing.
func (p *Pipeline) Look(ctx context.Context, results []Result, tags Reader) {
	p.find(ctx, results, func(*ResourceResult) bool { return true })
	var (
		open []tagged
		reqs []apply.Request
	)
	for i := range results {
		r := &results[i]
		for j, res := range r.Plan.Resources {
			p.would(res, &r.Resources[j])
			if p.Tag && res.API != catalogue.APINone {
				t := tagged{request(r.Plan, j), r, j, &r.Resources[j]}
				open, reqs = append(open, t), append(reqs, t.req)
			}
		}
	}
	if len(reqs) == 0 {
		return
	}
	for i, read := range tags.Tags(ctx, reqs) {
		t := open[i]
		if read.Err != nil {
			// Not yet there, gone since, or not to be read: the row says so.
			t.out.Tag.Err = read.Err
			continue
		}
		*t.out.Tag = p.inView(t.req.Tags, read.All)
	}
}

// inView is what would become of wanted tags where others stand.
func (p *Pipeline) inView(want, standing map[string]string) apply.Result {
	if p.Planner.Policy.OptOut(standing) {
		return apply.Result{Outcome: apply.Skipped, Why: apply.WhyOptOut}
	}
	out := apply.Result{Outcome: apply.Unchanged, Standing: map[string]string{}}
	for key, value := range want {
		have, stands := standing[key]
		switch {
		case !stands, have != value && p.Planner.Policy.Existing == policy.Replace:
			out.Outcome = WouldTag
		default:
			out.Standing[key] = have
		}
	}
	return out
}
