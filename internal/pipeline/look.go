package pipeline

import (
	"context"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

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
			if res.Excluded != "" {
				r.Resources[j].Tag = excluded()
				continue
			}
			if p.Tag && res.API != catalogue.APINone {
				t := tagged{p.request(r.Plan, j), r, j, &r.Resources[j]}
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
