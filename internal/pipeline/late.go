package pipeline

import (
	"context"
	"strings"
	"sync"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// LateAfter is how old an event is when its resource may have been deleted since, and
// made again under the same name: when it was tried for long, sent again from the
// dead letters, or delayed.
const LateAfter = time.Hour

// Reasons in a result's Why.
const (
	// WhySuperseded: the resource was deleted after the event, or the bucket's
	// cross-origin rules were.
	WhySuperseded = "superseded"
	// WhyUnverified: nothing shows whether the owner has removed the bucket's rules.
	WhyUnverified = "late-unverified"
	// WhyHistory: there was no time left to look into the history.
	WhyHistory = "history"
)

// Historian has accounts' histories. An [*apply.Applier] is one.
type Historian interface {
	History(ctx context.Context, account, partition, region, resource string, since time.Time) ([]apply.Past, error)
}

// Late looks whether what a late event made is still the same.
//
// CloudTrail's history of the resource tells: where it was deleted after the event,
// that event is done with. Where the history can't be had, or doesn't have the event
// itself, tags are written all the same, for those that a newer resource got with its
// own event stay; but a bucket's cross-origin rules, which its owner may have removed,
// are not put back.
//
// What it can't see are deletions by calls of other names ([deletes]) and those of the
// last minutes, which CloudTrail doesn't have yet.
type Late struct {
	Historian Historian
	Now       func() time.Time
}

// atOnce is how many histories are asked for at once: accounts and regions have their
// own rates.
const atOnce = 8

// suspect is a late event's resource.
type suspect struct {
	event *cloudtrail.Event
	res   plan.Resource
	out   *ResourceResult
}

// verdict is what is known of a resource before anything is applied. A nil field
// leaves that job to be done.
type verdict struct {
	tag  *apply.Result
	cors *apply.CORSResult
}

// judge looks into the histories of suspects, for half of the time there is.
func (p *Pipeline) judge(ctx context.Context, suspects []suspect) map[*ResourceResult]verdict {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	verdicts := make([]verdict, len(suspects))
	var wg sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for i, s := range suspects {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			verdicts[i] = p.verdict(ctx, s)
		})
	}
	wg.Wait()
	by := map[*ResourceResult]verdict{}
	for i, s := range suspects {
		by[s.out] = verdicts[i]
	}
	return by
}

func (p *Pipeline) verdict(ctx context.Context, s suspect) (v verdict) {
	calls, known, err := p.Late.history(ctx, s)
	if o, why := apply.Fate(err); o == apply.Retry {
		if why == apply.WhyDeadline {
			why = WhyHistory
		}
		return verdict{&apply.Result{Outcome: o, Why: why, Err: err}, &apply.CORSResult{Outcome: apply.CORSRetry, Why: why, Err: err}}
	}
	superseded := &apply.CORSResult{Outcome: apply.CORSSkipped, Why: WhySuperseded}
	for _, c := range calls {
		switch {
		case c.Failed || c.Source != s.event.Source || c.At.Before(s.event.Time):
		case deletes(s.event.Name, c.Name):
			return verdict{&apply.Result{Outcome: apply.Skipped, Why: WhySuperseded}, superseded}
		case c.Name == "DeleteBucketCors":
			v.cors = superseded
		}
	}
	if !known && v.cors == nil {
		v.cors = &apply.CORSResult{Outcome: apply.CORSFailed, Why: WhyUnverified, Err: err}
	}
	return v
}

// history is a resource's, and whether it has the event itself. CloudTrail has
// resources by their names or by their ARNs, as their services like it.
func (l *Late) history(ctx context.Context, s suspect) (calls []apply.Past, known bool, err error) {
	for _, name := range []string{s.res.Name(), s.res.ARN} {
		calls, err = l.Historian.History(ctx, s.res.Account, resolve.Partition(s.event.Region), s.event.Region, name, s.event.Time)
		if err != nil {
			return nil, false, err
		}
		for _, c := range calls {
			if c.ID == s.event.ID {
				return calls, true, nil
			}
		}
	}
	return calls, false, nil
}

// deletes reports whether a call undoes a creating one, by their names: DeleteTable
// undoes CreateTable, TerminateInstances RunInstances.
func deletes(create, call string) bool {
	verb, what := divide(call)
	_, made := divide(create)
	switch verb {
	case "Delete", "Deregister", "Release", "Terminate":
		return what == made
	}
	return false
}

// divide cuts a call's name into its verb and what it is about, in the singular.
func divide(name string) (verb, what string) {
	name = catalogue.Undated(name)
	i := strings.IndexFunc(name[min(1, len(name)):], func(r rune) bool { return r >= 'A' && r <= 'Z' }) + 1
	return name[:i], strings.TrimSuffix(name[i:], "s")
}

// suspects are the late resources of a batch that something would be written to.
func (p *Pipeline) suspects(results []Result, todo func(*ResourceResult) bool) []suspect {
	if p.Late == nil {
		return nil
	}
	var all []suspect
	for i := range results {
		e := results[i].Plan.Event
		if e == nil || e.Time.IsZero() || p.Late.Now().Sub(e.Time) < LateAfter {
			continue
		}
		for j, res := range results[i].Plan.Resources {
			out := &results[i].Resources[j]
			if todo(out) && res.Mode != policy.Observe && p.Guard.Refuses(e, res) == "" {
				all = append(all, suspect{e, res, out})
			}
		}
	}
	return all
}
