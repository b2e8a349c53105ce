package pipeline_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// sampleEvents returns the sample events that are whole.
func sampleEvents(tb testing.TB) []string {
	tb.Helper()
	var docs []string
	err := filepath.WalkDir("../../events", func(name string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".json" || strings.Contains(name, "malformed") {
			return err
		}
		data, err := os.ReadFile(name)
		var compact strings.Builder
		enc := json.NewEncoder(&compact) // one line, as a queue delivers it
		enc.SetEscapeHTML(false)
		if err == nil {
			err = enc.Encode(json.RawMessage(data))
		}
		docs = append(docs, strings.TrimSpace(compact.String()))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return docs
}

// BenchmarkPlan measures the pure path, decode to plan, over all sample
// events, in turn with its floor: json.Valid on the same bytes. No program that
// reads JSON does less.
func BenchmarkPlan(b *testing.B) {
	docs := sampleEvents(b)
	p := &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}}
	var size int64
	for _, doc := range docs {
		size += int64(len(doc))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	var planning, validating time.Duration
	for b.Loop() {
		started := time.Now()
		for _, doc := range docs {
			e, err := cloudtrail.Decode(doc)
			p.Plan([]cloudtrail.Record{{N: 1, Event: e, Err: err}})
		}
		planned := time.Now()
		for _, doc := range docs {
			if !json.Valid([]byte(doc)) {
				b.Fatal("a sample event is no JSON")
			}
		}
		planning += planned.Sub(started)
		validating += time.Since(planned)
	}
	n := float64(b.N) * float64(len(docs))
	b.ReportMetric(float64(planning.Nanoseconds())/n, "ns-plan/event")
	b.ReportMetric(float64(validating.Nanoseconds())/n, "ns-valid/event")
}
