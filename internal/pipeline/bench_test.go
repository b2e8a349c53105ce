package pipeline_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
// events. Its floor is BenchmarkValid: json.Valid on the same bytes.
func BenchmarkPlan(b *testing.B) {
	docs := sampleEvents(b)
	p := &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}}
	b.SetBytes(size(docs))
	b.ReportAllocs()
	for b.Loop() {
		for _, doc := range docs {
			e, err := cloudtrail.Decode(doc)
			p.Plan([]cloudtrail.Record{{N: 1, Event: e, Err: err}})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(docs)), "ns/event")
}

// BenchmarkValid is the floor: no program that reads JSON does less.
func BenchmarkValid(b *testing.B) {
	var docs [][]byte
	for _, doc := range sampleEvents(b) {
		docs = append(docs, []byte(doc))
	}
	b.SetBytes(size(docs))
	for b.Loop() {
		for _, doc := range docs {
			if !json.Valid(doc) {
				b.Fatal("a sample event is no JSON")
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(docs)), "ns/event")
}

func size[T ~string | ~[]byte](docs []T) int64 {
	var n int64
	for _, doc := range docs {
		n += int64(len(doc))
	}
	return n
}
