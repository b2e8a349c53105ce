package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// The Resource Groups Tagging API's limits: ARNs a call, and calls a second
// for an account and region
// (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_TagResources.html,
// https://docs.aws.amazon.com/general/latest/gr/arg.html).
const (
	taggingReads     = 100
	taggingWrites    = 20
	taggingReadRate  = 15
	taggingWriteRate = 5
)

// taggingID is the API's serviceId.
const taggingID = "Resource Groups Tagging API"

// taggingService is the Resource Groups Tagging API as a row of data.
func taggingService() *catalogue.Service {
	return &catalogue.Service{
		ID: taggingID, Signing: "tagging",
		Protocol: catalogue.JSON11, Version: "ResourceGroupsTaggingAPI_20170126",
	}
}

// taggingStore reads and writes tags of many services through the Resource
// Groups Tagging API, for one account and region a call.
type taggingStore struct {
	c       *awsapi.Caller
	service *catalogue.Service
	gates   *gates
}

// read proves tags present, never absent: GetResources lags, and leaves out
// what was never tagged. A resource that it doesn't name is found silent.
func (s taggingStore) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	arns := make([]string, len(ts))
	for i, t := range ts {
		arns[i] = t.arn
	}
	if err := s.gates.wait(ctx, false, ts[0]); err != nil {
		for i := range out {
			out[i].err = err
		}
		return out
	}
	// ResourceARNList excludes every paging parameter
	// (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html).
	body, err := s.c.Do(ctx, s.call("GetResources", ts[0], map[string]any{"ResourceARNList": arns}))
	if n := len(ts); n > 1 && awsapi.Code(err) == "InvalidParameterException" {
		// One ARN that it can't read spoils the call.
		return append(s.read(ctx, ts[:n/2]), s.read(ctx, ts[n/2:])...)
	}
	if err != nil {
		unserved := awsapi.Code(err) == "InvalidParameterException" || unsupported(err)
		for i := range out {
			out[i] = found{err: err, silent: unserved, partial: unserved}
		}
		return out
	}
	var page struct {
		PaginationToken        string
		ResourceTagMappingList []struct {
			ResourceARN string
			Tags        []struct{ Key, Value string }
		}
	}
	if err := json.Unmarshal(body, &page); err != nil {
		for i := range out {
			out[i].err = fmt.Errorf("reading the tags of %d resources: %w", len(ts), err)
		}
		return out
	}
	named := map[string]map[string]string{}
	for _, m := range page.ResourceTagMappingList {
		tags := make(map[string]string, len(m.Tags))
		for _, t := range m.Tags {
			tags[t.Key] = t.Value
		}
		named[m.ResourceARN] = tags
	}
	for i, t := range ts {
		tags, ok := named[t.arn]
		// A token says that the answer isn't whole: silence means nothing then.
		out[i] = found{tags: tags, silent: !ok, partial: page.PaginationToken != ""}
	}
	return out
}

// write tags up to 20 resources. Failures come one by one inside a successful
// answer; a call that fails whole for one bad ARN is repeated by halves.
func (s taggingStore) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	all := func(err error) []error {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	if err := s.gates.wait(ctx, true, ts[0]); err != nil {
		return all(err)
	}
	arns := make([]string, len(ts))
	for i, t := range ts {
		arns[i] = t.arn
	}
	body, err := s.c.Do(ctx, s.call("TagResources", ts[0], map[string]any{"ResourceARNList": arns, "Tags": tags}))
	if err != nil {
		if n := len(ts); n > 1 && awsapi.Code(err) == "InvalidParameterException" {
			return append(s.write(ctx, ts[:n/2], tags), s.write(ctx, ts[n/2:], tags)...)
		}
		return all(err)
	}
	var answer struct {
		FailedResourcesMap map[string]struct {
			ErrorCode, ErrorMessage string
			StatusCode              int
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return all(fmt.Errorf("reading what became of %d resources: %w", len(ts), err))
	}
	for i, t := range ts {
		if f, ok := answer.FailedResourcesMap[t.arn]; ok {
			errs[i] = &smithy.OperationError{
				ServiceID: taggingID, OperationName: "TagResources",
				Err: &coded{code: f.ErrorCode, message: f.ErrorMessage, status: f.StatusCode},
			}
		}
	}
	return errs
}

func (s taggingStore) call(op string, t target, in map[string]any) awsapi.Call {
	return awsapi.Call{Service: s.service, Op: op, Account: t.account, Region: t.region, ARN: t.arn, Fields: in}
}

// gates pace calls, for each account and region apart. A batch of many creators would
// else spend its time in throttles and backoffs: the quota is small, and the API is
// shared with people's own tools. A gate begins with the documented rate. That of an
// account may be higher: while a rate is used up and calls wait for it, it doubles every
// half second, and while none waits, it halves every five seconds. A throttle takes it
// back to the documented one for a minute.
//
// The clock is the machine's own, not Options.Now: it is what the waiting is
// done by.
type gates struct {
	mu sync.Mutex
	by map[string]*gate
}

// gate is a bucket that holds a second's worth of calls.
type gate struct {
	rate   int
	full   time.Time // when it will have all its tokens again
	since  time.Time // of the half second that is looked at
	calls  int       // in it
	waited time.Time // when one had to, or the rate fell
	until  time.Time // before that it doesn't rise
}

func newGates() *gates { return &gates{by: map[string]*gate{}} }

// rises is how long a rate is used up before it rises, falls how long nothing waits for it
// before it falls; sobered is how long it doesn't rise after a throttle, and topRate how far it
// does.
const (
	rises   = time.Second / 2
	falls   = 5 * time.Second
	sobered = time.Minute
	topRate = 160
)

// of is the gate for a call, whose rate is at least the documented one.
func (g *gates) of(write bool, account, region string) *gate {
	key := fmt.Sprint(write, " ", account, " ", region)
	one := g.by[key]
	if one == nil {
		one = &gate{rate: documented(write), since: time.Now()}
		g.by[key] = one
	}
	return one
}

func documented(write bool) int {
	if write {
		return taggingWriteRate
	}
	return taggingReadRate
}

// heed slows the calls down that were throttled.
func (g *gates) heed(c awsapi.Attempt) {
	if !c.Throttled || c.Service != taggingID {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now, one := time.Now(), g.of(c.Write, c.Account, c.Region)
	if rate := documented(c.Write); one.rate > rate {
		*one = gate{rate: rate, full: now.Add(time.Second), since: now} // nothing is left
	}
	one.until = now.Add(sobered)
}

// wait takes a token. It returns early with the context's error.
func (g *gates) wait(ctx context.Context, write bool, t target) error {
	g.mu.Lock()
	delay := g.of(write, t.account, t.region).take(time.Now(), documented(write))
	g.mu.Unlock()
	return sleep(ctx, delay)
}

// take takes a token at a rate that is at least the given one, and says after what time
// it may be used.
func (g *gate) take(now time.Time, least int) time.Duration {
	for ; g.rate > least && now.Sub(g.waited) >= falls; g.waited = g.waited.Add(falls) {
		g.rate /= 2
	}
	if g.full.Before(now) {
		g.full = now
	}
	if g.full.Sub(now)+g.each() > time.Second {
		g.waited = now
	}
	if passed := now.Sub(g.since); passed >= rises {
		// A third is for the reads and pauses between batches.
		used := 3*g.calls >= int(2*passed/g.each()) && !g.waited.Before(g.since)
		if used && g.rate < topRate && now.After(g.until) {
			g.rate *= 2
			g.full = now.Add(g.full.Sub(now) / 2)
		}
		g.since, g.calls = now, 0
	}
	g.calls++
	g.full = g.full.Add(g.each())
	return g.full.Sub(now) - time.Second
}

// each is the time in which a token comes.
func (g *gate) each() time.Duration { return time.Second / time.Duration(g.rate) }

// sleep waits, unless the context ends before; then it returns its error.
func sleep(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
