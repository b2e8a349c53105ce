package soak_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"autotagger/internal/runtimeapi"
	"autotagger/internal/schedule"
	"autotagger/internal/soak"
)

// maxMemory is what the bootstrap may hold at most.
const maxMemory = 128 << 20

// bootstraps builds the tagger as it is deployed, and serves the world to it.
func bootstraps(tb testing.TB, w *soak.World, q *soak.Queue) *soak.Bootstraps {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "autotagger.yaml"), []byte("cors: off\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	binary := filepath.Join(dir, "bootstrap")
	if err := runtimeapi.Build(tb.Context(), "autotagger/functions/tagger", binary); err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(w)
	tb.Cleanup(server.Close)
	return &soak.Bootstraps{World: w, Queue: q, Binary: binary, Dir: dir, URL: server.URL, Size: 1, Batch: 100}
}

// arrived fills a queue with the events of n creates a minute ago.
func arrived(tb testing.TB, s soak.Seed, n, creators int) (*soak.World, *soak.Queue) {
	tb.Helper()
	q := soak.NewQueue(s, schedule.Receives())
	w := soak.NewWorld(s, q)
	w.Start = time.Now().Add(-time.Minute)
	if err := w.Burst(os.DirFS("../../events"), n, creators, append(soak.Batched(), "s3", "iam")...); err != nil {
		tb.Fatal(err)
	}
	w.Deliver()
	return w, q
}

// TestBootstrap is the soak test on the real binary and a real clock, with the faults
// that a few seconds have room for.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	w, q := arrived(t, draw(t), 500, 3)
	b := bootstraps(t, w, q)
	w.Slowness, w.Latency, w.Unlimited, w.FaultsEnd = 0.02, 5*time.Millisecond, true, time.Now().Add(5*time.Second)
	b.Size, b.Batch, b.Deaths = 2, 30, 0.3
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	began := time.Now()
	if err := b.Run(ctx); err != nil {
		t.Error(err)
	}
	t.Logf("%v; %d killed; %.1f MB", time.Since(began).Round(time.Millisecond), b.Killed, float64(b.Peak)/(1<<20))
	if b.Peak == 0 || b.Peak > maxMemory {
		t.Errorf("the function held %d bytes", b.Peak)
	}
	report(t, w)
}

// BenchmarkThroughput measures a thousand events of all kinds by one person in one place
// through the real binary, at 40 ms a call, against one call after another.
func BenchmarkThroughput(b *testing.B) {
	var took time.Duration
	var peak int64
	for b.Loop() {
		w, q := arrived(b, 1, 1000, 1)
		f := bootstraps(b, w, q)
		w.Latency, w.Unlimited = latency, true
		began := time.Now()
		if err := f.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		took, peak = took+time.Since(began), max(peak, f.Peak)
	}
	b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms-batches/thousand")
	b.ReportMetric(float64(serial.Milliseconds()), "ms-serial/thousand")
	b.ReportMetric(float64(peak)/(1<<20), "MB-peak")
}
