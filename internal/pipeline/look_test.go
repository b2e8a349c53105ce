package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// Tags reads what stands; of a table that isn't there an error.
func (w *world) Tags(_ context.Context, reqs []apply.Request) []apply.Tags {
	out := make([]apply.Tags, len(reqs))
	for i, r := range reqs {
		tags, there := w.tags[r.ARN]
		if out[i].All = tags; !there {
			out[i].Err = errors.New("not there")
		}
	}
	return out
}

// TestLook: what would become of resources in view of their tags, with nothing written and
// nothing waited for.
func TestLook(t *testing.T) {
	t.Parallel()
	parsed, err := policy.Parse("x", []byte("exclude: {creators: [bob]}\ntags: {created-via: true}"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		facts    plan.Facts
		standing map[string]string
		outcome  apply.Outcome
		why      string
		creator  string // in the row, and where it comes from
		source   string
	}{
		"new":       {plan.Facts{Creator: person("dora")}, map[string]string{}, pipeline.WouldTag, "", "dora", "user"},
		"as wanted": {plan.Facts{Creator: person("dora")}, map[string]string{"creator": "dora"}, apply.Unchanged, "", "dora", "user"},
		"stands":    {plan.Facts{Creator: person("dora")}, map[string]string{"creator": "carol"}, apply.Unchanged, "", "carol", `it stands; would be "dora", from user`},
		"opted out": {plan.Facts{}, map[string]string{"autotagger:skip": ""}, apply.Skipped, apply.WhyOptOut, "alice", "user"},
		"excluded":  {plan.Facts{Creator: person("bob")}, map[string]string{}, apply.Skipped, string(resolve.Excluded), "bob", "user"},
		"missing":   {plan.Facts{Missing: "session ASIA1", Until: noon.Add(3 * time.Minute)}, map[string]string{}, pipeline.WouldTag, "", "alice", "user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := newWorld(noon)
			p.Planner.Policy, w.facts, w.tags[tableARN] = parsed, c.facts, c.standing
			before := len(c.standing)
			results := p.Plan([]cloudtrail.Record{{N: 1, Event: table(t, "1", "t", noon)}})
			p.Look(t.Context(), results, w)
			row := results[0].Row()
			res := row.Resources[0]
			if res.Outcome != string(c.outcome) || res.Why != c.why || res.Tags["creator"] != c.creator || res.Sources["creator"] != c.source || row.Missing != c.facts.Missing {
				t.Errorf("%+v, missing %q", res, row.Missing)
			}
			if len(w.tags[tableARN]) != before || len(w.written) > 0 {
				t.Errorf("it wrote %v, %v", w.tags, w.written)
			}
		})
	}
}

// TestLookWithoutTags: what can't be read is said.
func TestLookWithoutTags(t *testing.T) {
	t.Parallel()
	w, p := newWorld(noon)
	results := p.Plan([]cloudtrail.Record{{N: 1, Event: table(t, "1", "t", noon)}})
	p.Look(t.Context(), results, w)
	if res := results[0].Row().Resources[0]; res.Error != "not there" {
		t.Errorf("%+v", res)
	}
}
