package pipeline

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
	"autotagger/internal/plan"
)

// Memory remembers which tags were written, and for whom some were put back. It is a
// [*ledger.Table].
type Memory interface {
	// Written returns what was written to resources, in the ARNs' order; nil where
	// nothing is known.
	Written(ctx context.Context, arns []string) ([]*ledger.Written, error)
	// PutWritten keeps what was written: an error for each, in their order.
	PutWritten(ctx context.Context, written []ledger.Written) []error
	// Claim reports whether an actor's event is the first after which a resource's
	// tags are put back: true again for that same event.
	Claim(ctx context.Context, arn, actor, event string) (first bool, err error)
}

// tagged is a resource whose tags were applied.
type tagged struct {
	req apply.Request
	of  *Result
	i   int // among the plan's resources
	out *ResourceResult
}

// revisited is how long after it was first in hand an event is looked at again, rather
// than by the way of one invocation.
const revisited = 15 * time.Second

// revisits reports whether an event may have been handled before.
func (p *Pipeline) revisits(r *Result) bool {
	e, first := r.Plan.Event, r.Record.Received
	return r.again || !first.IsZero() && p.now().Sub(first) > revisited || !e.Time.IsZero() && p.now().Sub(e.Time) > cloudtrail.Delivery
}

// recall adds to the facts of events that may have been handled before what was written
// to their resources without a link. What another event was about stays as it is, under
// the same ARN too.
func (p *Pipeline) recall(ctx context.Context, of []*Result, facts []plan.Facts) {
	if p.Memory == nil {
		return
	}
	var (
		at   []int // the facts
		arns []string
	)
	for i, r := range of {
		if !p.revisits(r) {
			continue
		}
		for _, res := range r.record.Resources {
			at, arns = append(at, i), append(arns, res.ARN)
		}
		for _, child := range facts[i].Children {
			at, arns = append(at, i), append(arns, child.ARN)
		}
	}
	if len(arns) == 0 {
		return
	}
	written, err := p.Memory.Written(ctx, arns)
	if err != nil { // what stands stays
		for _, i := range slices.Compact(at) {
			facts[i].Unsure = true
			facts[i].Steps = append(facts[i].Steps, plan.Step{Of: "written", Asked: of[i].Plan.Event.ID, Answer: err.Error()})
		}
		return
	}
	for n, w := range written {
		e, f := of[at[n]].Plan.Event, &facts[at[n]]
		if w == nil || !w.Provisional || w.Event != e.ID || w.Account != e.Account {
			continue
		}
		if f.Provisional == nil {
			f.Provisional = map[string]map[string]string{}
		}
		f.Provisional[w.ARN] = w.Tags
	}
}

// remember keeps what was written, where that matters later: without a link that may yet
// come, and where removed tags are put back. What is no longer provisional is said, too.
func (p *Pipeline) remember(ctx context.Context, all []tagged) {
	if p.Memory == nil {
		return
	}
	var (
		notes []ledger.Written
		of    []tagged
		arns  []string
	)
	for _, t := range all {
		f := t.of.Plan.Facts
		provisional := f != nil && f.Missing != "" && p.mayCome(f)
		written := t.out.Tag.Outcome == apply.Tagged && (provisional || p.Planner.Policy.RestoreTags)
		settled := len(t.req.Provisional) > 0 && (t.out.Tag.Outcome == apply.Tagged || t.out.Tag.Outcome == apply.Unchanged)
		if t.of.Plan.Restores || !written && !settled {
			continue
		}
		w := note(t)
		w.Provisional, w.At = provisional, p.now()
		notes, of, arns = append(notes, w), append(of, t), append(arns, w.ARN)
	}
	if len(notes) == 0 {
		return
	}
	earlier, err := p.Memory.Written(ctx, arns)
	if err != nil { // to be kept in place of what can't be read would lose that
		for _, t := range of {
			t.out.Forgot = err
		}
		return
	}
	var (
		put []ledger.Written
		by  []tagged
	)
	for i, w := range notes {
		if e := earlier[i]; e != nil && e.Account == w.Account {
			if e.Event != w.Event && e.Provisional && p.now().Sub(e.At) < cloudtrail.Delivery {
				of[i].out.Forgot = errAnother
				continue
			}
			w.Tags = join(e.Tags, w.Tags)
		}
		put, by = append(put, w), append(by, of[i])
	}
	for i, err := range p.Memory.PutWritten(ctx, put) {
		by[i].out.Forgot, by[i].out.Provisional = err, err == nil && put[i].Provisional
	}
}

// errAnother is why what an event wrote isn't remembered while another's tags on the same
// resource are provisional: they are that one's to replace.
var errAnother = errors.New("another event's tags are provisional there")

// join is what was written earlier and now.
func join(earlier, now map[string]string) map[string]string {
	all := maps.Clone(earlier)
	if all == nil {
		return now
	}
	maps.Copy(all, now)
	return all
}

// note is what is remembered of tags that were written.
func note(t tagged) ledger.Written {
	res, e := t.of.Plan.Resources[t.i], t.of.Plan.Event
	return ledger.Written{
		ARN: res.ARN, Tags: t.out.Tag.Written, Event: e.ID, Source: e.Source, Type: res.Type, Account: res.Account, Region: res.Region,
	}
}

// mayCome reports whether the event of a missing link may yet arrive.
func (p *Pipeline) mayCome(f *plan.Facts) bool {
	return p.now().Before(f.Until.Add(cloudtrail.Delivery - p.Planner.Policy.LookUps.Wait))
}
