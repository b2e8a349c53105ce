package pipeline_test

import (
	"maps"
	"testing"

	"autotagger/internal/apply"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/policy"
)

// TestRestore: tags that were taken away are put back once for each actor, with the values
// that were written, and nothing else is.
func TestRestore(t *testing.T) {
	t.Parallel()
	w, p := newWorld(noon)
	restoring, err := policy.Parse("x", []byte("report-removed-tags: true\nrestore-removed-tags: true\nlook-ups: {ledger: true}\ncost-center: [{default: '7'}]"))
	if err != nil {
		t.Fatal(err)
	}
	p.Planner.Policy = restoring
	run(t, p, table(t, "1", "t", noon))
	ours := map[string]string{"creator": "alice", "cost-center": "7"}
	if !maps.Equal(w.tags[tableARN], ours) {
		t.Fatalf("tagged %v", w.tags)
	}
	removal := func(id, user, arn string) *cloudtrail.Event {
		e := decoded(t, id, "dynamodb", "UntagResource", noon, `{"resourceArn":"`+arn+`","tagKeys":["creator","team"]}`, "null")
		e.Identity.UserName, e.Identity.ARN = user, "arn:aws:iam::111122223333:user/"+user
		return e
	}
	remove := func() { delete(w.tags[tableARN], "creator") }

	remove()
	r := run(t, p, removal("2", "bob", tableARN))
	if !maps.Equal(w.tags[tableARN], ours) || len(r.Resources) != 1 || r.Resources[0].Tag.Outcome != apply.Tagged || len(r.Plan.Removed) != 1 || !r.Plan.Restores {
		t.Errorf("restored: %v, %+v", w.tags, r.Resources)
	}
	// The same event again is the same removal, as when a try was cut off.
	remove()
	if run(t, p, removal("2", "bob", tableARN)); w.tags[tableARN]["creator"] != "alice" {
		t.Errorf("delivered again: %v", w.tags)
	}
	remove()
	r = run(t, p, removal("3", "bob", tableARN))
	if w.tags[tableARN]["creator"] != "" || !r.Settled() || r.Resources[0].Tag.Why != pipeline.WhyTwice {
		t.Errorf("fought bob: %v, %+v", w.tags, r.Resources[0].Tag)
	}
	if run(t, p, removal("4", "carol", tableARN)); w.tags[tableARN]["creator"] != "alice" {
		t.Errorf("carol's removal stands: %v", w.tags)
	}
	// A value that someone put in its place stays.
	w.tags[tableARN]["creator"] = "dave"
	if run(t, p, removal("5", "erin", tableARN)); w.tags[tableARN]["creator"] != "dave" {
		t.Errorf("dave's value is gone: %v", w.tags)
	}
	// Of what isn't known nothing is put back; it is reported only.
	if r := run(t, p, removal("6", "bob", tableARN+"2")); len(r.Resources) != 0 || len(r.Plan.Removed) != 1 || !r.Settled() {
		t.Errorf("unknown: %+v", r)
	}
	// Another account's event has no say.
	p.Guard = &pipeline.Guard{Account: "111122223333"}
	remove()
	e := removal("7", "frank", tableARN)
	e.Delivered, e.Recipient = "999988887777", "999988887777"
	if run(t, p, e); w.tags[tableARN]["creator"] != "" {
		t.Errorf("another account's event: %v", w.tags)
	}
	// It is off unless the policy wants it.
	p.Guard, p.Planner.Policy = nil, policy.Default()
	p.Planner.Policy.RemovedTags = true
	if r := run(t, p, removal("8", "gina", tableARN)); w.tags[tableARN]["creator"] != "" || len(r.Plan.Removed) != 1 {
		t.Errorf("off: %v", w.tags)
	}
}
