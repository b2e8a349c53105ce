package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quamina.net/go/quamina"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

var corpusDir = flag.String("corpus", "", "a folder of recorded events (events.jsonl)")

// TestCorpus measures what the rules let through of recorded events, under the
// default configuration: `make corpus`. An event that would be tagged and
// doesn't arrive fails.
func TestCorpus(t *testing.T) {
	if *corpusDir == "" {
		t.Skip("no corpus: go test ./infra -run Corpus -v -corpus DIR")
	}
	all, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	patterns, err := catalogue.Patterns(policy.Default().RowsOn(all))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := quamina.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range patterns {
		if err := rules.AddPattern(p.Label, p.JSON()); err != nil {
			t.Fatal(err)
		}
	}
	planner := &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}
	f, err := os.Open(filepath.Join(*corpusDir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	management, reached, acted := 0, 0, 0
	idle := map[string]int{} // calls that arrive for nothing
	for lines.Scan() {
		var in struct {
			ID     string
			Record json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			t.Fatal(err)
		}
		e, err := cloudtrail.Decode(string(in.Record))
		if err != nil || e.Type != "AwsApiCall" || e.Management == cloudtrail.False || e.Category != "" && e.Category != "Management" {
			continue
		}
		management++
		made, err := planner.Plan(e)
		if err != nil {
			t.Fatal(err)
		}
		acts := slices.ContainsFunc(made.Resources, func(r plan.Resource) bool { return r.API != catalogue.APINone })
		events, err := delivered(in.Record)
		if err != nil {
			t.Fatal(err)
		}
		matches, err := rules.MatchesForEvent(events[0])
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case len(matches) > 1:
			t.Errorf("%s %s %s matches %v", in.ID, e.Source, e.Name, matches)
		case len(matches) == 0 && acts:
			t.Errorf("%s %s %s would be tagged and doesn't arrive", in.ID, e.Source, e.Name)
		case len(matches) == 0:
			continue
		}
		reached++
		if acts {
			acted++
		} else {
			idle[fmt.Sprintf("%s:%s (%s)", e.Service(), e.Name, made.Reason)]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if management == 0 || reached == 0 {
		t.Fatalf("%d events of management, %d reach the function", management, reached)
	}
	t.Logf("%d rules: of %d management events %d reach the function (%.0f %%), of these %d are tagged (%.0f %%)",
		len(patterns), management, reached, 100*float64(reached)/float64(management), acted, 100*float64(acted)/float64(reached))
	calls := slices.SortedFunc(maps.Keys(idle), func(a, b string) int { return cmp.Or(idle[b]-idle[a], strings.Compare(a, b)) })
	for _, call := range calls[:min(len(calls), 15)] {
		t.Logf("%4d for nothing: %s", idle[call], call)
	}
}
