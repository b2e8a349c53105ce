package pipeline_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

var samplesDir = flag.String("samples", "../../events/generated", "the generated sample events")

// TestGeneratedSamples proves every row of the catalogue on the event that was
// made up for it from the models: it yields the types and ARNs that the golden
// file has, and nothing else. Rows that are off are turned on for it.
func TestGeneratedSamples(t *testing.T) {
	t.Parallel()
	known := theCatalogue()
	everything, err := policy.Parse("test", []byte("catalogue: {enable: ['*:*']}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: known, Policy: everything}}
	files, err := filepath.Glob(filepath.Join(*samplesDir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s: %v", *samplesDir, err)
	}
	proven := map[string]bool{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		results := p.Plan(slices.Collect(cloudtrail.Read(f)))
		f.Close()
		golden, err := os.ReadFile(strings.TrimSuffix(file, ".jsonl") + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
		if len(results) != len(want) {
			t.Fatalf("%s: %d events, but %d lines in its golden file", file, len(results), len(want))
		}
		for i, r := range results {
			row := r.Row()
			got := []string{catalogue.Undated(row.Event.Name)}
			for _, res := range row.Resources {
				got = append(got, res.Type, res.ARN)
				proven[row.Event.Source+" "+got[0]+" "+res.Type] = true
			}
			if line := strings.Join(got, "\t"); line != want[i] {
				t.Errorf("%s:%d: got\n\t%s (%s %s)\nwant\n\t%s", filepath.Base(file), i+1, line, row.Reason, row.Detail, want[i])
			}
		}
	}
	rows, err := known.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for _, res := range r.Resources {
			if key := r.Source + " " + r.Event + " " + res.Type; len(res.From) > 0 && res.ARN != "" && !proven[key] {
				t.Errorf("no generated sample yields %s", key)
			}
		}
	}
}

// theCatalogue is the one that is compiled in, or the one that -catalogue names.
func theCatalogue() *catalogue.Catalogue {
	if *catalogueDir != "" {
		return catalogue.New(os.DirFS(*catalogueDir))
	}
	return catalogue.Default()
}
