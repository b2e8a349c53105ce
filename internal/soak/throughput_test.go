package soak_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"autotagger/internal/function"
	"autotagger/internal/schedule"
	"autotagger/internal/soak"
)

// handled is how long one function takes for a thousand events of all kinds, by one
// person in one place, at 40 ms a call, and what it called.
func handled(t *testing.T, unlimited bool) (took time.Duration, calls map[string]int) {
	t.Helper()
	p := configuration(t, "cors: off\n")
	synctest.Test(t, func(t *testing.T) {
		q := soak.NewQueue(1, schedule.Receives())
		w := soak.NewWorld(1, q)
		if err := w.Burst(os.DirFS("../../events"), 1000, 1, append(soak.Batched(), "s3", "iam")...); err != nil {
			t.Fatal(err)
		}
		w.Latency, w.Unlimited = latency, unlimited
		f := &soak.Fleet{World: w, Queue: q, Policy: p, Job: function.Job{Name: "tagger", Tag: true}, Size: 1, Batch: 100, Until: w.Start.Add(time.Hour)}
		f.Serve()
		w.Deliver()
		f.Run(func() bool { return false })
		took, calls = f.Busy(), w.Counts
		f.Close()
		if v := w.Judge(); len(v.Wrong) > 0 {
			t.Errorf("%d wrong, the first: %s", len(v.Wrong), v.Wrong[0])
		}
	})
	return took, calls
}

// latency is what a call takes, and serial how long a thousand events take that are read
// and written one after another.
const (
	latency = 40 * time.Millisecond
	serial  = 1000 * 2 * latency
)

// TestThroughput: batches are twenty times as fast as one call after another. Where AWS
// lets five calls through a second, no more than a tenth of that is wasted.
func TestThroughput(t *testing.T) {
	t.Parallel()
	took, _ := handled(t, true)
	if t.Logf("%v in batches: %.1f times as fast", took, float64(serial)/float64(took)); took > serial/20 {
		t.Errorf("%v for a thousand events, one call after another takes %v", took, serial)
	}
	took, calls := handled(t, false)
	least := time.Duration(calls["tagging:TagResources"]-calls["over the rate: writes 111122223333 eu-west-1"]) * time.Second / 5
	if t.Logf("%v at five calls a second, which take %v", took, least); took > least*11/10 {
		t.Errorf("%v for calls that take %v", took, least)
	}
}
