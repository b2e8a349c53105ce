package soak_test

import (
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"autotagger/internal/catalogue"
	"autotagger/internal/function"
	"autotagger/internal/policy"
	"autotagger/internal/schedule"
	"autotagger/internal/soak"
)

var (
	creates = flag.Int("creates", 1000, "resources that are made in the soak test")
	seed    = flag.Uint64("seed", 0, "seed of the soak test; 0: a new one")
)

// configuration reads a configuration.
func configuration(tb testing.TB, text string) *policy.Policy {
	tb.Helper()
	p, err := policy.Parse("soak.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	// What is loaded once is loaded outside of the bubble.
	if _, err := catalogue.Default().All(); err != nil {
		tb.Fatal(err)
	}
	return p
}

// draw is the seed that was given, or a new one.
func draw(tb testing.TB) soak.Seed {
	tb.Helper()
	s := soak.Seed(*seed)
	if s == 0 {
		s = soak.Seed(rand.Uint64())
	}
	tb.Logf("replay with: go test ./internal/soak -run '^%s$' -v -creates %d -seed %d", tb.Name(), *creates, s)
	return s
}

// report logs what became of a world, and fails for what is wrong.
func report(t *testing.T, w *soak.World) {
	t.Helper()
	v := w.Judge()
	for _, counts := range []map[string]int{v.Ends, w.Counts} {
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("%6d %s", counts[what], what)
		}
	}
	t.Logf("at most %d receives of an event at which nothing is special", v.Receives)
	for i, wrong := range v.Wrong {
		if i == 50 {
			t.Errorf("and %d more", len(v.Wrong)-i)
			break
		}
		t.Error(wrong)
	}
}

// TestSoak makes resources by several people under faults of every kind, and looks
// for the one end of each event when twelve hours and the faults are over.
func TestSoak(t *testing.T) {
	p := configuration(t, "cors: off\n")
	s := draw(t)
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		q := soak.NewQueue(s, schedule.Receives())
		w := soak.NewWorld(s, q)
		if err := w.Populate(os.DirFS("../../events"), *creates, 40*time.Minute); err != nil {
			t.Fatal(err)
		}
		w.Latency = latency
		w.FaultsEnd = w.Start.Add(2 * time.Hour)
		q.Faults = func() bool { return time.Now().Before(w.FaultsEnd) }
		f := &soak.Fleet{World: w, Queue: q, Policy: p, Job: function.Job{Name: "tagger", Tag: true}, Size: 5, Batch: 100, Deaths: 0.04, Cuts: 0.04, Until: w.Start.Add(24 * time.Hour)}
		f.Serve()
		delivered := make(chan struct{})
		go func() {
			w.Deliver()
			close(delivered)
		}()
		f.Run(func() bool {
			select {
			case <-delivered:
				return false
			default:
				return true
			}
		})
		took := time.Since(w.Start)
		f.Close()
		report(t, w)
		t.Logf("%d creates, %d invocations, %d killed, %d cut short, %d overran their time; %d deliveries twice at once; %v on the clock",
			*creates, f.Invocations.Load(), f.Killed.Load(), f.Shortened.Load(), f.Overran.Load(), q.Twice, took.Round(time.Second))
		if n := f.Overran.Load(); n > 0 {
			t.Errorf("%d invocations didn't answer before their deadline", n)
		}
	})
	t.Logf("%v on the wall", time.Since(began).Round(time.Millisecond))
}
