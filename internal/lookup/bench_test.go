package lookup_test

import (
	"context"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/lookup"
)

// BenchmarkNothingAsked is what a Finder costs events about which nothing is asked.
func BenchmarkNothingAsked(b *testing.B) {
	w := newWorld(b, byParents)
	plans := w.plans(table(b, user("alice"), "t"))
	b.ReportAllocs()
	for b.Loop() {
		w.Find(context.Background(), plans)
	}
}

// BenchmarkChain is a chain of five roles that is known.
func BenchmarkChain(b *testing.B) {
	w := newWorld(b, byParents)
	plans := w.plans(table(b, five(w), "t"))
	w.Find(context.Background(), plans)
	b.ReportAllocs()
	for b.Loop() {
		w.Find(context.Background(), plans)
	}
}

// BenchmarkBatch is a hundred events of one session, known, at once.
func BenchmarkBatch(b *testing.B) {
	w := newWorld(b, byParents)
	e := table(b, five(w), "t")
	plans := w.plans(e)
	for len(plans) < 100 {
		plans = append(plans, plans[0])
	}
	w.Find(context.Background(), plans)
	b.ReportAllocs()
	for b.Loop() {
		w.Find(context.Background(), plans)
	}
}

// BenchmarkNew is what a function's start pays.
func BenchmarkNew(b *testing.B) {
	p, c := parsed(b, byParents), catalogue.Default()
	for b.Loop() {
		lookup.New(lookup.Config{Policy: p, Catalogue: c})
	}
}
