package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// maxTags is how many tags AWS allows on a resource, its own (aws:…) aside
// (https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html).
const maxTags = 50

// freshFor is how long a create event speaks for the absence of tags where no
// cheap read can: GetResources doesn't show a resource that was never tagged. A
// tag that someone else wrote within it and that GetResources doesn't show yet
// isn't seen; each further minute would let more of them pass, and each one less
// cost a read for every resource whose event comes later.
const freshFor = 5 * time.Minute

// fewReads is up to how many new resources of a batch are asked for at their own
// services where GetResources is silent, those first whose call succeeds for what
// exists, too. A burst of more is taken to be untagged: services let their tags be
// read only slowly (DynamoDB ten a second,
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html),
// and the queue would wait for that. What exists and was tagged before GetResources'
// lag is known all the same.
const fewReads = 10

// target is one resource, for a store.
type target struct{ arn, account, region string }

// found is what a store read of one resource.
type found struct {
	tags map[string]string
	err  error
	// silent: the store knows nothing of the resource. partial: and it might
	// have, had it answered in full.
	silent, partial bool
}

// store reads and writes the tags of one system. All targets of one call are of
// one account and region, and not more than the system's batch. Results are in
// the targets' order.
type store interface {
	read(ctx context.Context, ts []target) []found
	write(ctx context.Context, ts []target, tags map[string]string) []error
}

// system is a store and how much it takes at once.
type system struct {
	name, id      string // id is the serviceId, of a service's own calls
	store         store
	reads, writes int
	fold          bool // tag keys differ in more than case
	// check is what the store's calls would say to a resource before any is
	// made: a skip, a bad, or nil. May be nil itself.
	check func(target) error
}

// Applier writes tags and CORS rules. It is safe for concurrent use.
type Applier struct {
	o         Options
	c         *awsapi.Caller
	s3        *s3Clients
	tagging   *system
	bucket    *system
	control   *system // S3 Control, for what S3 has beside buckets
	ec2       *system
	groups    *system
	elb       [2]*system // of version 2, and classic
	irregular irregular
}

// New returns an Applier that calls AWS with cfg. It calls nothing itself, and
// builds a client only when the first resource needs it.
func New(cfg aws.Config, o Options) *Applier {
	o = o.withDefaults()
	cfg = cfg.Copy()
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient() // one pool of connections for all clients
	}
	gates := newGates()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), awsapi.Observe(func(c awsapi.Attempt) {
		gates.heed(c)
		o.OnCall(c)
	}, o.Now), awsapi.Limit(o.Attempt))
	c := awsapi.New(cfg, o.Credentials)
	clients := &s3Clients{cfg: cfg, creds: o.Credentials, rates: awsapi.NewRetryers(cfg), by: map[string]*s3.Client{}}
	// The tagging API's quota is the smallest of all, and shared: a throttle
	// there is worth more patience than elsewhere.
	patient := c.Patient(6, 2*time.Second)
	buckets := s3Store{clients: clients, c: c, control: s3ControlService(), replace: o.Replace}
	return &Applier{
		o: o, c: c, s3: clients,
		tagging: &system{
			name:  "tagging",
			store: taggingStore{c: patient, service: taggingService(), gates: gates},
			reads: taggingReads, writes: taggingWrites,
		},
		bucket: &system{
			name: "s3", store: buckets,
			reads: 1, writes: 1,
			check: func(t target) error { _, err := bucketOf(t.arn); return err },
		},
		control: &system{name: "s3 control", store: controlStore{buckets}, reads: 1, writes: 1},
		ec2: &system{
			name: "ec2", store: ec2Store{c: c, service: ec2Service()},
			reads: ec2Reads, writes: ec2Writes,
			check: func(t target) error { _, err := ec2ID(t); return err },
		},
		groups: &system{
			name: "autoscaling", store: autoscalingStore{c: c, service: autoscalingService()},
			reads: 1, writes: 1,
			check: func(t target) error { _, err := groupName(t); return err },
		},
		elb: [2]*system{
			{name: "elb v2", store: newELBStore(c, false), reads: elbBatch, writes: elbBatch},
			{name: "elb classic", store: newELBStore(c, true), reads: elbBatch, writes: elbBatch},
		},
	}
}

// serving is the system of the ARN's own service: an irregular one, or the calls
// that the catalogue has. It is nil where there are neither.
func (a *Applier) serving(arn string, calls *catalogue.Calls) *system {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return nil
	}
	switch parts[2] {
	case "s3", "s3express":
		if controlled(arn) {
			return a.control
		}
		return a.bucket
	case "ec2":
		return a.ec2
	case "autoscaling":
		return a.groups
	case "elasticloadbalancing":
		if classicELB(parts[5]) {
			return a.elb[1]
		}
		return a.elb[0]
	}
	row, err := a.irregular.of(arn)
	switch {
	case err != nil:
		return &system{name: "irregular", store: ownStore{}, reads: 1, writes: 1, check: func(target) error { return err }}
	case row == nil && (calls == nil || a.irregular.serves(arn)):
		return nil
	case row == nil:
		row = &own{Calls: calls}
	}
	var s store = ownStore{c: a.c, row: row}
	if parts[2] == "kms" {
		s = kmsStore{ownStore{c: a.c, row: row}}
	}
	return &system{
		name: row.ID + " " + row.Write.Op, id: row.ID, store: s, reads: 1, writes: 1, fold: row.fold,
		check: func(t target) error { _, err := row.check(a.c, t); return err },
	}
}

// item is one resource of a batch, with every request for it.
type item struct {
	target
	reqs           []int // indices of its requests, oldest event first
	want, known    map[string]string
	provisional    map[string]string
	keep           []string
	fresh          bool // every event is younger than freshFor
	upsert         bool // the call may have found the resource there
	reader, writer *system
	own            *system // the service's own, where writer is another
	existing       map[string]string
	read           bool // existing is known
	quiet          bool // from the tagging API's silence only
	missing        map[string]string
	done           bool
	res            Result
}

func (it *item) finish(r Result) { it.res, it.done = r, true }

func (it *item) fail(err error) {
	host := ""
	if it.own != nil {
		host = it.own.id
	}
	o, why := fateOf(err, host, it.fresh)
	r := Result{Outcome: o, Why: why}
	if o == Retry || o == Denied || o == Failed {
		r.Err = fmt.Errorf("tagging %s: %w", it.arn, err)
	}
	it.finish(r)
}

// Tag answers every request with a result, in the same order. Requests for one
// resource are served together: it is read and written once, and of two wants
// for one key the older event's counts (with Options.Replace the newer's).
func (a *Applier) Tag(ctx context.Context, reqs []Request) []Result {
	items := a.items(reqs)
	for _, it := range items {
		a.settleKnown(it)
	}
	a.ask(ctx, items, reqs)
	a.read(ctx, items)
	a.plan(items)
	a.write(ctx, items)
	// What the tagging API doesn't serve goes through the service's own calls.
	var again []*item
	for _, it := range items {
		if !it.done && it.writer == it.own {
			again = append(again, it)
		}
	}
	if len(again) > 0 {
		a.read(ctx, again)
		a.plan(again)
		a.write(ctx, again)
	}
	res := make([]Result, len(reqs))
	for _, it := range items {
		for _, i := range it.reqs {
			res[i] = it.share(reqs[i])
		}
	}
	return res
}

// Tags reads the tags of resources, in the requests' order, and writes nothing. Of a
// request it needs the ARN, the API and its calls, and where the resource is.
func (a *Applier) Tags(ctx context.Context, reqs []Request) []Tags {
	items := a.items(reqs)
	for _, it := range items {
		it.fresh = false // the tagging API's silence is no answer
	}
	a.read(ctx, items)
	out := make([]Tags, len(reqs))
	for _, it := range items {
		for _, i := range it.reqs {
			switch {
			case !it.done:
				out[i].All = union(it.known, it.existing)
			case it.res.Err != nil:
				out[i].Err = it.res.Err
			default:
				out[i].Err = fmt.Errorf("reading the tags of %s: %s", it.arn, it.res.Why)
			}
		}
	}
	return out
}

// items merges requests by resource.
func (a *Applier) items(reqs []Request) []*item {
	var items []*item
	by := map[string]*item{}
	for i, r := range reqs {
		key := r.API + " " + r.Account + " " + r.Region + " " + r.ARN
		it, ok := by[key]
		if !ok {
			it = &item{
				target: target{r.ARN, r.Account, r.Region},
				want:   map[string]string{}, known: map[string]string{}, provisional: map[string]string{}, fresh: true,
			}
			by[key] = it
			items = append(items, it)
			a.route(it, r.API, r.Calls)
		}
		it.reqs = append(it.reqs, i)
		it.upsert = it.upsert || r.Upsert
		it.fresh = it.fresh && !r.EventTime.IsZero() && a.o.Now().Sub(r.EventTime) < freshFor
	}
	for _, it := range items {
		slices.SortStableFunc(it.reqs, func(x, y int) int { return reqs[x].EventTime.Compare(reqs[y].EventTime) })
		for _, i := range it.reqs {
			for k, v := range reqs[i].Tags {
				if _, twice := it.want[k]; !twice || a.o.Replace {
					it.want[k] = v
				}
			}
			for k, v := range reqs[i].Known {
				it.known[k] = v
			}
			it.keep = append(it.keep, reqs[i].Keep...)
			for k, v := range reqs[i].Provisional {
				it.provisional[k] = v
			}
			if read := reqs[i].Read; read != nil {
				it.existing, it.read = read, true
			}
		}
	}
	return items
}

// route finds the item's system.
func (a *Applier) route(it *item, api string, calls *catalogue.Calls) {
	switch api {
	case "none", "":
		it.finish(Result{Outcome: Skipped, Why: WhyNoAPI})
		return
	case "tagging":
		it.reader, it.writer, it.own = a.tagging, a.tagging, a.serving(it.arn, calls)
		if it.own == nil || it.own.check == nil {
			return
		}
		var b bad
		switch err := it.own.check(it.target); {
		case errors.As(err, &b):
			it.own = nil // an access point among buckets: the tagging API's alone
		case err != nil:
			it.fail(err)
		}
	default:
		it.reader = a.serving(it.arn, calls)
		it.writer = it.reader
	}
	if it.writer == nil {
		it.finish(Result{Outcome: Skipped, Why: WhyNoAPI})
	}
}

// share is what one request gets of its resource's result.
func (it *item) share(r Request) Result {
	res := it.res
	if res.Outcome != Tagged && res.Outcome != Unchanged {
		return res
	}
	for k := range r.Tags {
		have, stands := it.existing[k]
		if !stands {
			have, stands = it.known[k]
		}
		if _, written := it.missing[k]; stands && !written {
			if res.Standing == nil {
				res.Standing = map[string]string{}
			}
			res.Standing[k] = have
		}
	}
	if res.Outcome == Unchanged {
		return res
	}
	res.Written = map[string]string{}
	for k := range r.Tags {
		if v, ok := it.missing[k]; ok && v == r.Tags[k] {
			res.Written[k] = v
		}
	}
	if len(res.Written) == 0 {
		return Result{Outcome: Unchanged, Standing: res.Standing}
	}
	return res
}

// settleKnown spares the read where the create request tells enough.
func (a *Applier) settleKnown(it *item) {
	switch {
	case it.done:
	case len(it.known) > 0 && a.o.OptOut(it.known):
		it.finish(Result{Outcome: Skipped, Why: WhyOptOut})
	case len(a.missing(it, it.known)) == 0:
		it.finish(Result{Outcome: Unchanged})
	}
}

func (it *item) folds() bool { return it.writer != nil && it.writer.fold }

// missing is what has to be written on an item where existing stands.
func (a *Applier) missing(it *item, existing map[string]string) map[string]string {
	missing := map[string]string{}
	for k, v := range it.want {
		have, stands := existing[k]
		if !stands && it.folds() {
			for e, ev := range existing {
				if strings.EqualFold(e, k) {
					have, stands = ev, true
					break
				}
			}
		}
		ours, provisional := it.provisional[k]
		if !stands || have != v && (a.o.Replace && !slices.Contains(it.keep, k) || provisional && have == ours) {
			missing[k] = v
		}
	}
	return missing
}

// read finds the tags that stand on the items.
func (a *Applier) read(ctx context.Context, items []*item) {
	for {
		var open []*item
		for _, it := range items {
			if !it.done && !it.read {
				open = append(open, it)
			}
		}
		if len(open) == 0 {
			return
		}
		batches := group(open, func(it *item) (*system, string) { return it.reader, "" }, func(s *system) int { return s.reads })
		a.each(len(batches), func(n int) {
			b := batches[n]
			if err := ctx.Err(); err != nil {
				b.fail(err)
				return
			}
			for i, f := range b.system.store.read(awsapi.WithAccount(ctx, b.items[0].account), b.targets()) {
				b.items[i].take(f)
			}
		})
		a.askAbout(open)
	}
}

// askAbout turns the quiet items to their own services, where they are few: all, or
// else those that may have been there before.
func (a *Applier) askAbout(items []*item) {
	var quiet, upserts []*item
	for _, it := range items {
		if it.quiet {
			quiet = append(quiet, it)
			it.quiet = false
			if it.upsert {
				upserts = append(upserts, it)
			}
		}
	}
	if len(quiet) > fewReads {
		quiet = upserts
	}
	if len(quiet) > fewReads {
		return
	}
	for _, it := range quiet {
		it.reader, it.read = it.own, false
	}
}

// take keeps what was read. Where the tagging API is silent, the resource is asked
// for at its own service, if there is a way to; but one of many that have just
// been created is taken to be untagged.
func (it *item) take(f found) {
	asks := f.silent && it.own != nil && it.reader != it.own
	switch {
	case asks && (!it.fresh || f.partial):
		it.reader = it.own
	case asks && f.err == nil:
		it.quiet, it.read = true, true
	case f.err != nil:
		it.fail(f.err)
	default:
		it.existing, it.read = f.tags, true
	}
}

// plan decides what to write, and settles the items that need nothing.
func (a *Applier) plan(items []*item) {
	for _, it := range items {
		if it.done {
			continue
		}
		existing := map[string]string{}
		for k, v := range it.known {
			existing[k] = v
		}
		for k, v := range it.existing {
			existing[k] = v
		}
		it.missing = a.missing(it, existing)
		switch {
		case a.o.OptOut(existing):
			it.finish(Result{Outcome: Skipped, Why: WhyOptOut})
		case len(it.missing) == 0:
			it.finish(Result{Outcome: Unchanged})
		case userTags(union(existing, it.missing)) > maxTags:
			it.finish(Result{Outcome: Skipped, Why: WhyTagLimit})
		}
	}
}

// write writes what is missing, items that miss the same together. An item
// whose resource the tagging API may not serve is left open, turned to its own
// service.
func (a *Applier) write(ctx context.Context, items []*item) {
	var open []*item
	for _, it := range items {
		if !it.done {
			open = append(open, it)
		}
	}
	batches := group(open, func(it *item) (*system, string) { return it.writer, tagsKey(it.missing) }, func(s *system) int { return s.writes })
	a.each(len(batches), func(n int) {
		b := batches[n]
		if err := ctx.Err(); err != nil {
			b.fail(err)
			return
		}
		for i, err := range b.system.store.write(awsapi.WithAccount(ctx, b.items[0].account), b.targets(), b.items[0].missing) {
			it := b.items[i]
			switch {
			case err == nil:
				it.finish(Result{Outcome: Tagged})
			case it.own != nil && it.writer != it.own && askService(err):
				it.writer = it.own
				if it.reader != it.own {
					it.reader, it.read = it.own, false
				}
			default:
				if e, ok := it.explainer(); ok {
					err = e.explain(ctx, it.target, err)
				}
				it.fail(err)
			}
		}
	})
}

// explainer is a service's own store that knows what its refusals mean, for what
// another store has asked.
type explainer interface {
	explain(ctx context.Context, t target, err error) error
}

func (it *item) explainer() (e explainer, ok bool) {
	if it.own == nil || it.writer == it.own {
		return nil, false
	}
	e, ok = it.own.store.(explainer)
	return e, ok
}

// batch is what one call of a store gets.
type batch struct {
	system *system
	items  []*item
}

func (b batch) targets() []target {
	ts := make([]target, len(b.items))
	for i, it := range b.items {
		ts[i] = it.target
	}
	return ts
}

func (b batch) fail(err error) {
	for _, it := range b.items {
		it.fail(err)
	}
}

// group sorts items into batches of one system, account, region and key, each
// at most as large as the system takes, in the items' order.
func group(items []*item, by func(*item) (*system, string), size func(*system) int) []batch {
	var order []string
	groups := map[string]*batch{}
	for _, it := range items {
		s, key := by(it)
		key = strings.Join([]string{s.name, it.account, it.region, key}, "\x00")
		b, ok := groups[key]
		if !ok {
			b = &batch{system: s}
			groups[key] = b
			order = append(order, key)
		}
		b.items = append(b.items, it)
	}
	var out []batch
	for _, key := range order {
		b := groups[key]
		for part := range slices.Chunk(b.items, size(b.system)) {
			out = append(out, batch{b.system, part})
		}
	}
	return out
}

func tagsKey(tags map[string]string) string {
	var b strings.Builder
	for _, k := range sortedKeys(tags) {
		fmt.Fprintf(&b, "%q=%q ", k, tags[k])
	}
	return b.String()
}

func union(a, b map[string]string) map[string]string {
	out := make(map[string]string, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

// userTags counts tags without AWS's own, which don't count towards the limit.
func userTags(tags map[string]string) int {
	n := 0
	for k := range tags {
		if !strings.HasPrefix(k, "aws:") {
			n++
		}
	}
	return n
}
