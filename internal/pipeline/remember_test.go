package pipeline_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

func person(name string) *attribute.Creator {
	return &attribute.Creator{Name: name, By: attribute.ByUser}
}

// provisional is a world with a table whose creator was written without a link, a quarter
// of an hour ago, and the table's event.
func provisional(t *testing.T, config string) (*world, *pipeline.Pipeline, *cloudtrail.Event) {
	t.Helper()
	w, p := newWorld(noon.Add(3 * time.Minute))
	if config != "" {
		parsed, err := policy.Parse("x", []byte(config))
		if err != nil {
			t.Fatal(err)
		}
		p.Planner.Policy = parsed
	}
	w.facts = plan.Facts{Missing: "session ASIA1", Until: noon.Add(3 * time.Minute)}
	e := table(t, "1", "t", noon)
	if r := run(t, p, e); !r.Provisional() {
		t.Fatalf("%+v", r.Resources[0])
	}
	w.now = noon.Add(16 * time.Minute)
	return w, p, e
}

// TestAnotherEvent: what one event wrote without a link isn't for another to replace, be it
// about the same name.
func TestAnotherEvent(t *testing.T) {
	t.Parallel()
	w, p, _ := provisional(t, "")
	w.of = map[string]plan.Facts{"2": {Creator: person("mallory")}}
	r := run(t, p, table(t, "2", "t", noon.Add(time.Minute)))
	if w.tags[tableARN]["creator"] != "alice" || r.Resources[0].Tag.Outcome != apply.Unchanged {
		t.Errorf("%v, %+v", w.tags, r.Resources[0].Tag)
	}
}

// TestAnotherEventsKeys: nor where both wrote something without a link.
func TestAnotherEventsKeys(t *testing.T) {
	t.Parallel()
	w, p, _ := provisional(t, "cost-center: [{default: '7'}]")
	delete(w.tags[tableARN], "cost-center")
	w.of = map[string]plan.Facts{"2": {Missing: "session ASIA2", Until: noon.Add(15 * time.Minute)}}
	second := table(t, "2", "t", noon.Add(12*time.Minute))
	if r := run(t, p, second); r.Provisional() || r.Resources[0].Forgot == nil || w.tags[tableARN]["cost-center"] != "7" || w.written[tableARN].Event != "1" {
		t.Fatalf("%v, %+v", w.tags, r.Resources[0])
	}
	w.now, w.of = noon.Add(28*time.Minute), map[string]plan.Facts{"2": {Creator: person("mallory")}}
	if run(t, p, second); w.tags[tableARN]["creator"] != "alice" {
		t.Errorf("%v", w.tags)
	}
}

// TestConfirmed: what a link confirms is provisional no more.
func TestConfirmed(t *testing.T) {
	t.Parallel()
	w, p, e := provisional(t, "")
	w.facts = plan.Facts{Creator: person("alice")}
	if r := run(t, p, e); r.Resources[0].Tag.Outcome != apply.Unchanged || r.Provisional() {
		t.Errorf("%+v", r.Resources[0])
	}
	if kept := w.written[tableARN]; kept.Provisional || kept.Tags["creator"] != "alice" {
		t.Errorf("kept %+v", kept)
	}
}

// TestUnsureCost: what isn't sure of the cost center alone doesn't hold the creator up.
func TestUnsureCost(t *testing.T) {
	t.Parallel()
	w, p, e := provisional(t, "cost-center: [{default: '7'}]")
	p.Planner.Policy.CostCenter = []policy.Source{{Default: "8"}}
	w.facts = plan.Facts{Creator: person("bob"), UnsureCost: true}
	if run(t, p, e); w.tags[tableARN]["creator"] != "bob" || w.tags[tableARN]["cost-center"] != "7" {
		t.Errorf("%v", w.tags)
	}
}

// TestUnsure: what an earlier try found isn't replaced by what is known when a look-up
// fails.
func TestUnsure(t *testing.T) {
	t.Parallel()
	w, p, e := provisional(t, "")
	w.facts = plan.Facts{Creator: person("DeployRole"), Unsure: true}
	if run(t, p, e); w.tags[tableARN]["creator"] != "alice" {
		t.Errorf("unsure: %v", w.tags)
	}
	w.facts = plan.Facts{Creator: person("bob")}
	if run(t, p, e); w.tags[tableARN]["creator"] != "bob" {
		t.Errorf("sure: %v", w.tags)
	}
}

// TestUnsureKeeps: nor does it replace anything under existing: replace.
func TestUnsureKeeps(t *testing.T) {
	t.Parallel()
	for _, f := range []plan.Facts{{}, {Unsure: true}, {Missing: "session", Until: noon.Add(-time.Hour)}} {
		w, p := newWorld(noon)
		w.facts = f
		p.Applier = watched{w, func(r apply.Request) {
			if sure := !f.Unsure && f.Missing == ""; slices.Contains(r.Keep, "creator") == sure {
				t.Errorf("%+v: keeps %v", f, r.Keep)
			}
		}}
		run(t, p, table(t, "1", "t", noon))
	}
}

// TestProvisionalCostCenter: a cost center that we wrote ourselves for want of a better one
// is no answer of the resource's.
func TestProvisionalCostCenter(t *testing.T) {
	t.Parallel()
	w, p, e := provisional(t, "look-ups: {parents: true}\ncost-center: [{tag: cost-center}, {parent-tag: cost-center}, {default: '0000'}]")
	if w.tags[tableARN]["cost-center"] != "0000" {
		t.Fatalf("%v", w.tags)
	}
	w.facts = plan.Facts{Resources: []plan.ResourceFacts{{
		Creator: "dora", From: "arn:p", Parent: map[string]string{"cost-center": "42"}, Own: maps.Clone(w.tags[tableARN]),
	}}}
	if run(t, p, e); w.tags[tableARN]["cost-center"] != "42" || w.tags[tableARN]["creator"] != "dora" {
		t.Errorf("%v", w.tags)
	}
}

// TestCorrectedAndRestored: a correction counts for restoring, and one key that is written
// later doesn't make the others forgotten.
func TestCorrectedAndRestored(t *testing.T) {
	t.Parallel()
	w, p, e := provisional(t, "report-removed-tags: true\nrestore-removed-tags: true\nlook-ups: {ledger: true}\ncost-center: [{default: '7'}]")
	delete(w.tags[tableARN], "cost-center") // gone before the second look, which writes it again
	w.facts = plan.Facts{Creator: person("bob")}
	if run(t, p, e); w.tags[tableARN]["creator"] != "bob" || w.tags[tableARN]["cost-center"] != "7" {
		t.Errorf("%v", w.tags)
	}
	kept := w.written[tableARN]
	if kept.Provisional || !maps.Equal(kept.Tags, map[string]string{"creator": "bob", "cost-center": "7"}) {
		t.Errorf("kept %+v", kept)
	}
	delete(w.tags[tableARN], "creator")
	removal := decoded(t, "9", "dynamodb", "UntagResource", w.now, `{"resourceArn":"`+tableARN+`","tagKeys":["creator"]}`, "null")
	if run(t, p, removal); w.tags[tableARN]["creator"] != "bob" {
		t.Errorf("restored %v", w.tags)
	}
}

// TestForgotten: of what can't be kept in mind nothing is replaced later, and it is said;
// the rest of the batch is looked at again.
func TestForgotten(t *testing.T) {
	t.Parallel()
	w, p := newWorld(noon.Add(3 * time.Minute))
	w.facts = plan.Facts{Missing: "session ASIA1", Until: noon}
	w.forgets = map[string]bool{tableARN: true}
	results := p.Run(t.Context(), []cloudtrail.Record{{N: 1, Event: table(t, "1", "t", noon)}, {N: 2, Event: table(t, "2", "u", noon)}})
	if results[0].Provisional() || results[0].Resources[0].Forgot == nil || !results[1].Provisional() {
		t.Errorf("%+v, %+v", results[0].Resources[0], results[1].Resources[0])
	}
	if row := results[0].Row(); row.Resources[0].Forgot == "" {
		t.Errorf("%+v", row.Resources[0])
	}
}

// TestDark: where what was kept can't be read nothing is replaced, nothing is put in its
// place, and that is said.
func TestDark(t *testing.T) {
	t.Parallel()
	w, p, e := provisional(t, "report-removed-tags: true\nrestore-removed-tags: true\nlook-ups: {ledger: true}")
	kept := maps.Clone(w.written)
	w.dark, w.facts = true, plan.Facts{Creator: person("bob")}
	r := run(t, p, e)
	if w.tags[tableARN]["creator"] != "alice" || len(r.Row().LookUps) != 1 {
		t.Errorf("%v, %+v", w.tags, r.Row().LookUps)
	}
	r = run(t, p, table(t, "2", "u", w.now))
	if len(w.written) != len(kept) || r.Row().Resources[0].Forgot != "denied" {
		t.Errorf("kept %v, %+v", w.written, r.Resources[0])
	}
	removal := decoded(t, "9", "dynamodb", "UntagResource", w.now, `{"resourceArn":"`+tableARN+`","tagKeys":["creator"]}`, "null")
	if r := run(t, p, removal); r.Plan.Detail != "not put back: denied" || len(r.Plan.Removed) != 1 || !r.Settled() {
		t.Errorf("%+v", r.Plan)
	}
}

// TestExcludedAfterAll: whom the policy leaves alone, it leaves alone by whatever way they
// made something.
func TestExcludedAfterAll(t *testing.T) {
	t.Parallel()
	parsed, err := policy.Parse("x", []byte("exclude: {creators: [bob]}\ncost-center: [{rule: {creators: [dora], value: '9'}}]"))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]plan.Facts{
		"chain":  {Creator: person("bob")},
		"parent": {Resources: []plan.ResourceFacts{{Creator: "bob", From: "arn:p"}}},
	} {
		w, p := newWorld(noon)
		p.Planner.Policy, w.facts = parsed, f
		r := run(t, p, table(t, "1", "t", noon))
		if len(w.tags) > 0 || !r.Settled() || r.Resources[0].Tag.Why != string(resolve.Excluded) {
			t.Errorf("%s: %v, %+v", name, w.tags, r.Resources[0].Tag)
		}
	}
	// But nobody is excluded for whom a link that is missing stands in.
	waits, line := newWorld(noon)
	line.Planner.Policy, waits.facts = parsed, plan.Facts{Creator: person("bob"), Missing: "session", Until: noon.Add(time.Minute)}
	if r := run(t, line, table(t, "1", "t", noon)); r.Settled() || r.Resources[0].Tag.Why != pipeline.WhyLink {
		t.Errorf("it doesn't wait: %+v", r.Resources[0].Tag)
	}
	// Rules go by whom a parent's tag names, too.
	w, p := newWorld(noon)
	p.Planner.Policy, w.facts = parsed, plan.Facts{Resources: []plan.ResourceFacts{{Creator: "dora", From: "arn:p"}}}
	if run(t, p, table(t, "1", "t", noon)); w.tags[tableARN]["cost-center"] != "9" {
		t.Errorf("%v", w.tags)
	}
}

// TestChildrenAreCorrected: what came with a resource is corrected with it.
func TestChildrenAreCorrected(t *testing.T) {
	t.Parallel()
	child := resolve.Resource{ARN: "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1", Type: "AWS::EC2::Volume", API: "ec2", Account: "111122223333", Region: "eu-west-1"}
	w, p := newWorld(noon.Add(4 * time.Minute))
	w.facts = plan.Facts{Missing: "session ASIA1", Until: noon.Add(3 * time.Minute), Children: []resolve.Resource{child}}
	e := table(t, "1", "t", noon)
	run(t, p, e)
	if w.tags[child.ARN]["creator"] != "alice" {
		t.Fatalf("%v", w.tags)
	}
	w.now, w.facts = noon.Add(16*time.Minute), plan.Facts{Creator: person("bob"), Children: []resolve.Resource{child}}
	if run(t, p, e); w.tags[child.ARN]["creator"] != "bob" || w.tags[tableARN]["creator"] != "bob" {
		t.Errorf("%v", w.tags)
	}
}

// TestStaleTags: tags that were read a while ago are read again before anything is written.
func TestStaleTags(t *testing.T) {
	t.Parallel()
	w, p := newWorld(noon)
	w.facts = plan.Facts{Resources: []plan.ResourceFacts{{Own: map[string]string{}}}}
	p.Applier = watched{w, func(r apply.Request) {
		if (r.Read == nil) != (w.slow > 0) {
			t.Errorf("slow %v: read is %v", w.slow, r.Read)
		}
	}}
	for _, w.slow = range []time.Duration{0, 2 * time.Second} {
		run(t, p, table(t, "1", "t", noon))
	}
}
