package pipeline

import (
	"context"
	"maps"
	"slices"
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
	// WhySuperseded: the resource was deleted or made anew after the event, or the
	// bucket's cross-origin rules were removed.
	WhySuperseded = "superseded"
	// WhyUnverified: nothing shows that what bears the name is what the event made, or
	// that the owner of the bucket hasn't removed its rules.
	WhyUnverified = "late-unverified"
	// WhyHistory: there was no time left to look into the history.
	WhyHistory = "history"
)

// Historian has accounts' histories. An [*apply.Applier] is one.
type Historian interface {
	History(context.Context, apply.Question, time.Time) ([]apply.Past, time.Time, error)
}

// Late looks whether what a late event made is still the same.
//
// Where AWS chose the identifier, at random, nothing else can bear it: the event is
// applied, and only if the resource isn't there is its deletion looked for. A name that
// the caller chose may be another resource's by now. CloudTrail's history of the calls
// that create and delete such things tells: the event must stand in it, with no deletion
// of the resource and no creation after it. Otherwise it is [WhySuperseded]. Where the
// history can't be had, doesn't reach back so far or doesn't have the event,
//
//   - tags are written if the event was in hand before it was late, and the resource slow:
//     those that a newer one got with its own event stay. If not, as of one sent again
//     from the dead letters, it is [WhyUnverified], for a person to judge;
//   - a bucket's cross-origin rules, which its owner may have removed, aren't put back.
//
// What it can't see are deletions by calls of irregular names ([undo]) and those of the
// last minutes, which CloudTrail doesn't have yet. When S3 says that a bucket was made is
// no help: that date moves with changes of its policy.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Bucket.html
type Late struct {
	Historian Historian
	Now       func() time.Time
}

// atOnce is how many histories are asked for at once: accounts and regions have their
// own rates.
const atOnce = 8

// suspect is a late event's resource.
type suspect struct {
	event  *cloudtrail.Event
	res    plan.Resource
	out    *ResourceResult
	unique bool // AWS chose its identifier
	ours   bool // it was in hand before it was late
	cors   bool // it may get cross-origin rules
}

// there reports whether it is certain enough that the resource is the event's own: AWS
// chose its identifier, and it doesn't look gone.
func (s suspect) there() bool {
	return s.unique && (s.out.Tag == nil || s.out.Tag.Outcome != apply.Retry || s.out.Tag.Why == apply.WhyDeadline)
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
	known := archive{}
	for n := range len(asked{}) {
		p.ask(ctx, known, suspects, n)
	}
	by := map[*ResourceResult]verdict{}
	for _, s := range suspects {
		by[s.out] = verdictOf(known, s)
	}
	return by
}

func verdictOf(archive archive, s suspect) (v verdict) {
	calls, known, err := archive.of(s)
	if o, why := apply.Fate(err); o == apply.Retry {
		if why == apply.WhyDeadline {
			why = WhyHistory
		}
		return verdict{&apply.Result{Outcome: o, Why: why, Err: err}, &apply.CORSResult{Outcome: apply.CORSRetry, Why: why, Err: err}}
	}
	superseded := &apply.CORSResult{Outcome: apply.CORSSkipped, Why: WhySuperseded}
	for _, c := range calls {
		switch {
		case c.Source != s.event.Source || c.At.Before(s.event.Time) || c.ID == s.event.ID:
		case c.Name == undo(s.event.Name) && s.named(c):
			return verdict{&apply.Result{Outcome: apply.Skipped, Why: WhySuperseded}, superseded}
		case c.At.After(s.event.Time) && slices.Contains(c.made, s.res.ARN):
			v.cors = superseded
			// Where a second call answers with what exists, it is no sign of another.
			if !s.res.Upsert {
				v.tag = &apply.Result{Outcome: apply.Skipped, Why: WhySuperseded}
			}
		case c.Name == removeCORS && s.named(c):
			v.cors = superseded
		}
	}
	if known {
		return v
	}
	if v.cors == nil {
		v.cors = &apply.CORSResult{Outcome: apply.CORSFailed, Why: WhyUnverified, Err: err}
	}
	if v.tag == nil && !s.ours {
		v.tag = &apply.Result{Outcome: apply.Failed, Why: WhyUnverified, Err: err}
	}
	return v
}

// removeCORS takes a bucket's cross-origin rules away.
const removeCORS = "DeleteBucketCors"

// asked are the questions about a resource, those of a set once the sets before didn't
// tell: for calls, which always have an answer; and, where there are too many such calls,
// for its name and its ARN, under which CloudTrail may have it, as its service likes it.
type asked [3][]apply.Question

func (s suspect) asks() (all asked) {
	add := func(n int, call, resource string) {
		all[n] = append(all[n], apply.Question{Account: s.res.Account, Partition: resolve.Partition(s.event.Region), Region: s.event.Region, Call: call, Resource: resource})
	}
	if !s.unique {
		add(0, s.event.Name, "")
		add(0, undo(s.event.Name), "")
	}
	if s.cors {
		add(0, removeCORS, "")
	}
	add(1, "", s.res.Name())
	add(2, "", s.res.ARN)
	return all
}

// past is a call of the history, with its event, nil where the record can't be read, and
// the ARNs of what it made.
type past struct {
	apply.Past
	event *cloudtrail.Event
	made  []string
}

// answer is what the history has, and since when it is all there is.
type answer struct {
	calls []past
	from  time.Time
	err   error
}

// archive has the answers about a batch's suspects.
type archive map[apply.Question]answer

// ask asks the questions of a set about the suspects of which enough isn't known yet,
// each once, since the earliest event that it is about.
func (p *Pipeline) ask(ctx context.Context, a archive, suspects []suspect, set int) {
	since := map[apply.Question]time.Time{}
	for _, s := range suspects {
		if _, known, err := a.of(s); known || err != nil {
			continue
		}
		for _, q := range s.asks()[set] {
			if at, there := since[q]; !there || s.event.Time.Before(at) {
				since[q] = s.event.Time
			}
		}
	}
	questions := slices.Collect(maps.Keys(since))
	answers := make([]answer, len(questions))
	var wg sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for i, q := range questions {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			calls, from, err := p.Late.Historian.History(ctx, q, since[q])
			answers[i] = answer{from: from, err: err}
			for _, c := range calls {
				answers[i].calls = append(answers[i].calls, p.read(c))
			}
		})
	}
	wg.Wait()
	for i, q := range questions {
		a[q] = answers[i]
	}
}

// of is a suspect's history, as far as it was asked for, and whether it is whole: it has
// the event itself, and all since.
func (a archive) of(s suspect) (all []past, known bool, err error) {
	for n, set := range s.asks() {
		whole, itself := true, false
		for _, q := range set {
			got, there := a[q]
			if got.err != nil {
				return nil, false, got.err
			}
			all = append(all, got.calls...)
			// Under the resource's name the event comes last, of all calls or of those
			// that are read.
			whole = whole && there && (n > 0 || !got.from.After(s.event.Time))
			itself = itself || slices.ContainsFunc(got.calls, func(c past) bool { return c.ID == s.event.ID })
		}
		if whole && itself {
			return all, true, nil
		}
	}
	return all, false, nil
}

// read reads a call's record.
func (p *Pipeline) read(c apply.Past) past {
	e, err := cloudtrail.Decode(c.Record)
	if err != nil {
		return past{Past: c}
	}
	resources, _, _, _ := resolve.Resolve(p.Planner.Catalogue, every{}, e)
	var made []string
	for _, r := range resources {
		made = append(made, r.ARN)
	}
	return past{c, e, made}
}

// every has all calls on.
type every struct{}

func (every) RowOff(*catalogue.Row) string   { return "" }
func (every) LastResort(string, string) bool { return false }

// named reports whether a call of the history succeeded and is about the resource: by
// its ARN, or by what that ends in, and then by no other ARN that ends so. Clusters may
// have services of the same name.
func (s suspect) named(c past) bool {
	if c.event == nil || c.event.ErrorCode != "" {
		return false
	}
	arn, name := strings.ToLower(s.res.ARN), strings.ToLower(s.res.Name())
	ends := func(text, end string) bool {
		rest, found := strings.CutSuffix(text, end)
		return found && end != "" && (rest == "" || strings.HasSuffix(rest, "/") || strings.HasSuffix(rest, ":"))
	}
	var itself, found, another bool
	look := func(text string) bool {
		text = strings.ToLower(text)
		itself = itself || text == arn
		found = found || ends(arn, text) || strings.Contains(text, "://") && ends(text, name)
		another = another || strings.HasPrefix(text, "arn:") && text != arn && ends(text, name)
		return false
	}
	c.event.Request.Any(look)
	c.event.Response.Any(look)
	return itself || found && !another
}

// undo is the name of the call that undoes a creating one: DeleteTable that of
// RestoreTableFromBackup, TerminateInstances of RunInstances.
func undo(create string) string {
	plain := catalogue.Undated(create)
	date := create[len(plain):]
	i := strings.IndexFunc(plain[min(1, len(plain)):], func(r rune) bool { return r >= 'A' && r <= 'Z' }) + 1
	verb, what := plain[:i], plain[i:]
	for _, more := range []string{"From", "To", "ReadReplica"} {
		if j := strings.Index(what, more); j > 0 && j+len(more) <= len(what) && (j+len(more) == len(what) || upper(what[j+len(more)])) {
			what = what[:j]
		}
	}
	switch verb {
	case "Register":
		return "Deregister" + what + date
	case "Allocate":
		return "Release" + what + date
	case "Run":
		return "Terminate" + what + date
	}
	return "Delete" + what + date
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

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
		at := results[i].Record.Received
		ours := !at.IsZero() && at.Sub(e.Time) < LateAfter
		for j, res := range results[i].Plan.Resources {
			out := &results[i].Resources[j]
			if todo(out) && res.Mode != policy.Observe && p.Guard.Refuses(e, res) == "" {
				all = append(all, suspect{e, res, out, resolve.Unique(e, res.Resource), ours, p.CORS && len(res.CORS) > 0})
			}
		}
	}
	return all
}
