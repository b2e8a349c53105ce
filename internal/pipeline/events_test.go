package pipeline_test

import (
	"bytes"
	"encoding/json"
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

var update = flag.Bool("update", false, "write the golden files; a person reads them")

const eventsDir = "../../events"

// eventFiles returns the sample events that were written by hand, by their path
// below the folder. The ledger's are none of the pipeline's.
func eventFiles(tb testing.TB) []string {
	tb.Helper()
	var names []string
	err := filepath.WalkDir(eventsDir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "generated" || d.Name() == "ledger") {
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() && !strings.HasSuffix(name, ".golden") && d.Name() != "README.md" {
			names = append(names, strings.TrimPrefix(filepath.ToSlash(name), eventsDir+"/"))
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	if len(names) == 0 {
		tb.Fatal("there are no sample events")
	}
	return names
}

// explain returns the rows of a file.
func explain(tb testing.TB, name string) []pipeline.Row {
	tb.Helper()
	var rows []pipeline.Row
	for _, r := range planned(tb, name) {
		rows = append(rows, r.Row())
	}
	return rows
}

// planned are the plans for the events of a file.
func planned(tb testing.TB, name string) []pipeline.Result {
	tb.Helper()
	f, err := os.Open(filepath.Join(eventsDir, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	p := &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}}
	return p.Plan(slices.Collect(cloudtrail.Read(f)))
}

// TestEvents compares what would be done about each sample event with the
// golden file beside it.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, name := range eventFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			for _, row := range explain(t, name) {
				if err := enc.Encode(row); err != nil {
					t.Fatal(err)
				}
			}
			golden := filepath.Join(eventsDir, strings.TrimSuffix(name, filepath.Ext(name))+".golden")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v\nwrite it with: go test ./internal/pipeline -run Events -update", err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s is not as %s says:\n%s", name, golden, got.Bytes())
			}
		})
	}
}

// TestEventsSaySkip: a sample under skipped/ is skipped for the reason that its
// name begins with, one under malformed/ as malformed, and every other one is
// tagged.
func TestEventsSaySkip(t *testing.T) {
	t.Parallel()
	for _, name := range eventFiles(t) {
		folder, file, _ := strings.Cut(name, "/")
		want := ""
		switch folder {
		case "skipped":
			want, _, _ = strings.Cut(strings.TrimSuffix(file, filepath.Ext(file)), "_")
		case "malformed":
			want = "malformed"
		}
		for _, row := range explain(t, name) {
			if row.Reason != want {
				t.Errorf("%s: skipped as %q, its name says %q", name, row.Reason, want)
			}
		}
	}
}

// TestRecordedRowsHaveASample: a row whose shape was seen in records is proven on
// a sample event in that shape, which yields every type that the row names.
func TestRecordedRowsHaveASample(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, name := range eventFiles(t) {
		for _, row := range explain(t, name) {
			for _, event := range []string{row.Event.Name, catalogue.Undated(row.Event.Name)} {
				for _, res := range row.Resources {
					seen[row.Event.Source+" "+event+" "+res.Type] = true
				}
			}
		}
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if !r.Recorded() {
			continue
		}
		for _, res := range r.Resources {
			if key := r.Source + " " + r.Event + " " + res.Type; !seen[key] {
				t.Errorf("no sample event yields %s", key)
			}
		}
	}
}
