package pipeline

import (
	"context"
	"strings"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// LateAfter is how old an event is when it may be about a resource that is another by
// now: deleted, and made again under the same name.
const LateAfter = 20 * time.Minute

// Reasons in a result's Why.
const (
	// WhySuperseded: a later call made a resource of that name anew, or took the
	// bucket's cross-origin rules away.
	WhySuperseded = "superseded"
	// WhyUnverified: there are more such calls than are looked through.
	WhyUnverified = "late-unverified"
)

// Historian has an account's history of calls. An [*apply.Applier] is one.
type Historian interface {
	History(ctx context.Context, account, partition, region, name string, since time.Time) (records []string, whole bool, err error)
}

// Late looks whether what a late event made is still the same. Only names that the
// caller chose can come again: ids that AWS makes up don't.
//
// What it can't see: a resource that was made anew by a call of another name, as a
// table that was restored, and what happened in the last minutes, which CloudTrail
// doesn't have yet.
type Late struct {
	Historian Historian
	Now       func() time.Time
}

// verdict is what is known of a resource before anything is applied. A nil field
// leaves that job to be done.
type verdict struct {
	tag  *apply.Result
	cors *apply.CORSResult
}

// history is one question: which calls of a name were there.
type history struct {
	account, region, name string
}

// suspect is a late event's resource.
type suspect struct {
	event *cloudtrail.Event
	res   plan.Resource
	out   *ResourceResult
}

// deleteCORS is the call that takes a bucket's rules away.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html
const deleteCORS = "DeleteBucketCors"

// judge looks into the history of the suspects, once for each call and place.
func (p *Pipeline) judge(ctx context.Context, suspects []suspect) map[*ResourceResult]verdict {
	verdicts := map[*ResourceResult]verdict{}
	groups := map[history][]suspect{}
	var order []history
	add := func(h history, s suspect) {
		if groups[h] == nil {
			order = append(order, h)
		}
		groups[h] = append(groups[h], s)
	}
	for _, s := range suspects {
		add(history{s.res.Account, s.event.Region, s.event.Name}, s)
		if p.CORS && len(s.res.CORS) > 0 {
			add(history{s.res.Account, s.res.Region, deleteCORS}, s)
		}
	}
	for _, h := range order {
		since := groups[h][0].event.Time
		for _, s := range groups[h] {
			if s.event.Time.Before(since) {
				since = s.event.Time
			}
		}
		records, whole, err := p.Late.Historian.History(ctx, h.account, resolve.Partition(h.region), h.region, h.name, since)
		again := p.remade(records, h.name)
		for _, s := range groups[h] {
			v := verdicts[s.out]
			switch {
			case err != nil:
				v = p.blocked(v, h.name, err)
			case later(again[s.res.ARN], s.event):
				v = p.skipped(v, h.name, WhySuperseded)
			case !whole:
				v = p.skipped(v, h.name, WhyUnverified)
			}
			verdicts[s.out] = v
		}
	}
	return verdicts
}

// remade are the calls of a history by what they were about.
func (p *Pipeline) remade(records []string, name string) map[string][]*cloudtrail.Event {
	by := map[string][]*cloudtrail.Event{}
	for _, text := range records {
		e, err := cloudtrail.Decode(text)
		if err != nil || e.ErrorCode != "" {
			continue
		}
		if name == deleteCORS {
			arn := "arn:" + resolve.Partition(e.Region) + ":s3:::" + e.Request.Key("bucketName").Text()
			by[arn] = append(by[arn], e)
			continue
		}
		made, err := p.Planner.Plan(e)
		if err != nil {
			continue
		}
		for _, r := range made.Resources {
			by[r.ARN] = append(by[r.ARN], e)
		}
	}
	return by
}

// later reports whether one of the calls came after an event.
func later(calls []*cloudtrail.Event, e *cloudtrail.Event) bool {
	for _, c := range calls {
		if c.ID != e.ID && c.Time.After(e.Time) {
			return true
		}
	}
	return false
}

// skipped is a verdict of one history: that of the rules' deletion is about CORS
// alone.
func (p *Pipeline) skipped(v verdict, name, why string) verdict {
	if name != deleteCORS {
		v.tag = &apply.Result{Outcome: apply.Skipped, Why: why}
	}
	v.cors = &apply.CORSResult{Outcome: apply.CORSSkipped, Why: why}
	return v
}

// blocked is the verdict where a history can't be had.
func (p *Pipeline) blocked(v verdict, name string, err error) verdict {
	outcome, why := apply.Fate(err)
	if name != deleteCORS {
		v.tag = &apply.Result{Outcome: outcome, Why: why, Err: err}
	}
	v.cors = &apply.CORSResult{Outcome: apply.CORSOutcome(outcome), Why: why, Err: err}
	return v
}

// suspects are the late resources of a batch whose names may come again.
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
			if chosen(e, res.Name()) && todo(out) && res.Mode != policy.Observe && p.Guard.Refuses(e, res) == "" {
				all = append(all, suspect{e, res, out})
			}
		}
	}
	return all
}

// chosen reports whether the caller may have chosen a resource's name: the request has
// it, whole or as the last part of a path or an ARN.
func chosen(e *cloudtrail.Event, name string) bool {
	return !e.Request.Exists() || e.Request.Any(func(text string) bool {
		before, found := strings.CutSuffix(text, name)
		return found && (before == "" || strings.HasSuffix(before, "/") || strings.HasSuffix(before, ":"))
	})
}
