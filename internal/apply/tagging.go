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
	if err := s.gates.wait(ctx, "read", ts[0], taggingReadRate); err != nil {
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
	if err := s.gates.wait(ctx, "write", ts[0], taggingWriteRate); err != nil {
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

// gates pace calls to a documented rate, for each account and region apart. A
// batch of many creators would else spend its time in throttles and backoffs:
// the quota is small, and the API is shared with people's own tools.
//
// The clock is the machine's own, not Options.Now: it is what the waiting is
// done by.
type gates struct {
	mu sync.Mutex
	// full is when a gate's bucket will have all its tokens again.
	full map[string]time.Time
}

// wait takes a token from a bucket that holds a second's worth of calls and
// refills at rate a second. It returns early with the context's error.
func (g *gates) wait(ctx context.Context, kind string, t target, rate int) error {
	key := kind + " " + t.account + " " + t.region
	step := time.Second / time.Duration(rate)
	g.mu.Lock()
	now := time.Now()
	full := g.full[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(step)
	g.full[key] = full
	g.mu.Unlock()
	delay := full.Sub(now) - time.Second
	return sleep(ctx, delay)
}

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
