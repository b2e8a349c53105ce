package soak_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"autotagger/internal/function"
	"autotagger/internal/schedule"
	"autotagger/internal/soak"
)

// burst makes n resources by one person in one place, has their events handled in
// batches of a hundred by one function, and returns the calls that took.
func burst(t *testing.T, n int, job function.Job, config string, services ...string) map[string]int {
	t.Helper()
	p := configuration(t, config)
	var calls map[string]int
	synctest.Test(t, func(t *testing.T) {
		q := soak.NewQueue(1, schedule.Receives())
		w := soak.NewWorld(1, q)
		if err := w.Burst(os.DirFS("../../events"), n, 1, services...); err != nil {
			t.Fatal(err)
		}
		w.Latency = 40 * time.Millisecond
		f := &soak.Fleet{World: w, Queue: q, Policy: p, Job: job, Size: 1, Batch: 100, Until: w.Start.Add(time.Hour)}
		f.Serve()
		w.Deliver()
		f.Run(func() bool { return false })
		f.Close()
		if v := w.Judge(); len(v.Wrong) > 0 && job.Tag {
			t.Errorf("%d wrong, the first: %s", len(v.Wrong), v.Wrong[0])
		}
		calls = w.Counts
	})
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		t.Logf("%6d %s", calls[call], call)
	}
	return calls
}

// count adds up reads and writes.
func count(calls map[string]int) (reads, writes int) {
	for call, n := range calls {
		service, op, _ := strings.Cut(call, ":")
		switch {
		case strings.HasPrefix(call, "over the rate"): // counted as a call, too
		case service == "sts" || strings.HasSuffix(op, "MessageBatch"):
		case strings.HasPrefix(op, "Get"), strings.HasPrefix(op, "GET"), strings.HasPrefix(op, "List"), strings.HasPrefix(op, "Describe"), strings.HasPrefix(op, "LookUp"):
			reads += n
		default:
			writes += n
		}
	}
	return reads, writes
}

// TestCalls: a thousand resources of one person over twelve services take so many calls
// that the quotas of an account bear it.
func TestCalls(t *testing.T) {
	t.Parallel()
	calls := burst(t, 1000, function.Job{Name: "tagger", Tag: true}, "cors: off\n", soak.Batched()...)
	reads, writes := count(calls)
	if reads > 20 || writes > 80 {
		t.Errorf("%d reads and %d tag calls, want at most 20 and 80", reads, writes)
	}
	if writes < 50 {
		t.Errorf("%d tag calls for a thousand resources, twenty of them a call: something isn't counted", writes)
	}
}

// TestCallsOneByOne: S3 and IAM have calls for one resource.
func TestCallsOneByOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		service, config string
		job             function.Job
	}{
		{"s3", "cors: off\n", function.Job{Name: "tagger", Tag: true}},
		{"s3", "cors: {exclude-service-buckets: true}\n", function.Job{Name: "cors", CORS: true}},
		{"iam", "cors: off\n", function.Job{Name: "tagger", Tag: true}},
	} {
		reads, writes := count(burst(t, 200, c.job, c.config, c.service))
		if reads != 200 || writes != 200 {
			t.Errorf("%s by %s: %d reads and %d writes of 200 resources", c.service, c.job.Name, reads, writes)
		}
	}
}
