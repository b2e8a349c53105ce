package pipeline_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/ledger"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// world is an account with the tags of its resources, and what there is to find out.
type world struct {
	tags    map[string]map[string]string
	cors    []string
	facts   plan.Facts            // of every event
	of      map[string]plan.Facts // of the events with these ids
	asked   int
	forgets map[string]bool // ARNs of which nothing can be kept
	dark    bool            // nothing that was kept can be read
	written map[string]ledger.Written
	claims  map[string]string // events by ARN and actor
	now     time.Time
	slow    time.Duration // that look-ups take
}

// watched tells of requests for tags.
type watched struct {
	*world
	told func(apply.Request)
}

func (w watched) Tag(ctx context.Context, reqs []apply.Request) []apply.Result {
	for _, r := range reqs {
		w.told(r)
	}
	return w.world.Tag(ctx, reqs)
}

func (w *world) Find(_ context.Context, plans []plan.Plan) []plan.Facts {
	w.asked += len(plans)
	w.now = w.now.Add(w.slow)
	all := slices.Repeat([]plan.Facts{w.facts}, len(plans))
	for i, p := range plans {
		if f, known := w.of[p.Event.ID]; known {
			all[i] = f
		}
	}
	return all
}

func (w *world) Written(_ context.Context, arns []string) ([]*ledger.Written, error) {
	if w.dark {
		return nil, errors.New("denied")
	}
	all := make([]*ledger.Written, len(arns))
	for i, arn := range arns {
		if one, ok := w.written[arn]; ok {
			all[i] = &one
		}
	}
	return all, nil
}

func (w *world) PutWritten(_ context.Context, written []ledger.Written) []error {
	errs := make([]error, len(written))
	for i, one := range written {
		if w.forgets[one.ARN] {
			errs[i] = errors.New("no room")
			continue
		}
		w.written[one.ARN] = one
	}
	return errs
}

func (w *world) Claim(_ context.Context, arn, actor, event string) (bool, error) {
	key := arn + " " + actor
	if _, claimed := w.claims[key]; !claimed {
		w.claims[key] = event
	}
	return w.claims[key] == event, nil
}

// Tag writes missing tags, and replaces provisional ones.
func (w *world) Tag(_ context.Context, reqs []apply.Request) []apply.Result {
	out := make([]apply.Result, len(reqs))
	for i, r := range reqs {
		have := w.tags[r.ARN]
		if have == nil {
			have = map[string]string{}
			w.tags[r.ARN] = have
		}
		res := apply.Result{Outcome: apply.Unchanged, Standing: map[string]string{}, Written: map[string]string{}}
		for k, v := range r.Tags {
			stands, ok := have[k]
			if ours, provisional := r.Provisional[k]; !ok || provisional && stands == ours && stands != v {
				have[k], res.Written[k], res.Outcome = v, v, apply.Tagged
				continue
			}
			res.Standing[k] = stands
		}
		out[i] = res
	}
	return out
}

func (w *world) PutCORS(_ context.Context, reqs []apply.CORSRequest) []apply.CORSResult {
	out := make([]apply.CORSResult, len(reqs))
	for i, r := range reqs {
		w.cors = append(w.cors, r.Bucket)
		out[i].Outcome = apply.Put
	}
	return out
}

func newWorld(now time.Time) (*world, *pipeline.Pipeline) {
	w := &world{tags: map[string]map[string]string{}, written: map[string]ledger.Written{}, claims: map[string]string{}, now: now}
	return w, &pipeline.Pipeline{
		Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}, Applier: w, Tag: true, CORS: true,
		Finder: w, Memory: w, Now: func() time.Time { return w.now },
	}
}

func run(t *testing.T, p *pipeline.Pipeline, e *cloudtrail.Event) pipeline.Result {
	t.Helper()
	r := p.Run(t.Context(), []cloudtrail.Record{{N: 1, Event: e}})[0]
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return r
}

const tableARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/t"

// TestMissingLink: a link is waited for, then what is known without it is written, and
// replaced when the link comes after all; but nothing that someone else has written.
func TestMissingLink(t *testing.T) {
	t.Parallel()
	found := plan.Facts{Creator: &attribute.Creator{Name: "bob", By: attribute.ByUser}, Path: "role/Deploy"}
	missing := plan.Facts{Missing: "session ASIA1", Until: noon.Add(3 * time.Minute)}
	w, p := newWorld(noon.Add(time.Minute))
	e := table(t, "1", "t", noon)

	w.facts = missing
	if r := run(t, p, e); r.Settled() || r.Resources[0].Tag.Why != pipeline.WhyLink || r.Resources[0].Tag.After != 2*time.Minute || len(w.tags) > 0 {
		t.Errorf("a minute later: %+v, tags %v", r.Resources[0].Tag, w.tags)
	}
	w.now = noon.Add(3 * time.Minute)
	if r := run(t, p, e); !r.Settled() || !r.Provisional() || w.tags[tableARN]["creator"] != "alice" {
		t.Errorf("three minutes later: %+v, tags %v", r.Resources[0], w.tags)
	}
	w.facts, w.now = found, noon.Add(16*time.Minute)
	if r := run(t, p, e); !r.Settled() || r.Provisional() || w.tags[tableARN]["creator"] != "bob" || r.Plan.Creator.Name != "bob" {
		t.Errorf("when the link is there: %+v, tags %v", r.Resources[0], w.tags)
	}
	found.Creator.Name = "dora"
	if run(t, p, e); w.tags[tableARN]["creator"] != "bob" {
		t.Errorf("what was replaced once was replaced again: %v", w.tags)
	}
	w.tags[tableARN]["creator"] = "carol"
	if r := run(t, p, e); r.Resources[0].Tag.Outcome != apply.Unchanged || w.tags[tableARN]["creator"] != "carol" {
		t.Errorf("someone else's: %+v, tags %v", r.Resources[0].Tag, w.tags)
	}
	delete(w.written, tableARN)
	w.tags[tableARN]["creator"] = "alice"
	if run(t, p, e); w.tags[tableARN]["creator"] != "alice" {
		t.Errorf("a value that isn't known as ours was replaced: %v", w.tags)
	}
	// So late that the link can't come any more, nothing is kept in mind.
	w, p = newWorld(noon.Add(20 * time.Minute))
	w.facts = missing
	if r := run(t, p, e); r.Provisional() || len(w.written) > 0 || w.tags[tableARN]["creator"] != "alice" {
		t.Errorf("twenty minutes later: %+v, kept %v", r.Resources[0], w.written)
	}
}

// TestCORSDoesNotWait: a bucket gets its rules while its creator is waited for.
func TestCORSDoesNotWait(t *testing.T) {
	t.Parallel()
	w, p := newWorld(noon)
	w.facts = plan.Facts{Missing: "session", Until: noon.Add(time.Minute)}
	r := run(t, p, decoded(t, "1", "s3", "CreateBucket", noon, `{"bucketName":"t"}`, "null"))
	if len(w.cors) != 1 || len(w.tags) != 0 || r.Settled() {
		t.Errorf("cors %v, tags %v", w.cors, w.tags)
	}
}

// TestInherited: a parent's values go onto the resource as they stand, its cost center
// where the policy asks for it.
func TestInherited(t *testing.T) {
	t.Parallel()
	w, p := newWorld(noon)
	var err error
	if p.Planner.Policy, err = policy.Parse("x", []byte("look-ups: {parents: true}\ntags: {created-via: true}\ncost-center: [{parent-tag: CC}]")); err != nil {
		t.Fatal(err)
	}
	w.facts = plan.Facts{Path: "stack/web", Resources: []plan.ResourceFacts{{Creator: "dora@example.com", From: "arn:aws:x", Parent: map[string]string{"cc": "42"}}}}
	r := run(t, p, table(t, "1", "t", noon))
	want := map[string]string{"creator": "dora@example.com", "cost-center": "42", "created-via": "stack/web"}
	row := r.Row()
	if !maps.Equal(w.tags[tableARN], want) || row.Resources[0].Sources["creator"] != "parent arn:aws:x" || row.Resources[0].Sources["cost-center"] != "parent-tag cc" {
		t.Errorf("tags %v, row %+v", w.tags, row.Resources[0])
	}
}

// TestChildren: what came with a resource is tagged as it is, whatever a later look
// finds.
func TestChildren(t *testing.T) {
	t.Parallel()
	child := func(id string) resolve.Resource {
		return resolve.Resource{ARN: "arn:aws:ec2:eu-west-1:111122223333:volume/" + id, Type: "AWS::EC2::Volume", API: "ec2", Account: "111122223333", Region: "eu-west-1"}
	}
	w, p := newWorld(noon)
	results := p.Plan([]cloudtrail.Record{{N: 1, Event: table(t, "1", "t", noon)}})
	w.facts = plan.Facts{Children: []resolve.Resource{child("vol-1")}}
	p.Apply(t.Context(), results, func(*pipeline.ResourceResult) bool { return true })
	if len(results[0].Resources) != 2 || w.tags[child("vol-1").ARN]["creator"] != "alice" || !results[0].Settled() {
		t.Fatalf("%+v, tags %v", results[0].Resources, w.tags)
	}
	// The second try is for what is open only: the new volume.
	results[0].Resources[0].Tag = &apply.Result{Outcome: apply.Retry}
	w.facts.Children = []resolve.Resource{child("vol-2"), child("vol-1")}
	p.Apply(t.Context(), results, (*pipeline.ResourceResult).Retryable)
	r := results[0]
	if len(r.Resources) != 3 || w.tags[child("vol-2").ARN]["creator"] != "alice" || r.Resources[1].Tag.Outcome != apply.Tagged || r.Resources[2].Tag.Outcome != apply.Tagged || !r.Settled() {
		t.Errorf("%+v, tags %v", r.Resources, w.tags)
	}
}

// TestNothingAsked: no look-up is made for what the Guard keeps, or what there is nothing
// to do about.
func TestNothingAsked(t *testing.T) {
	t.Parallel()
	w, p := newWorld(noon)
	p.Guard = &pipeline.Guard{Account: "999988887777"}
	run(t, p, table(t, "1", "t", noon))
	p.Guard = nil
	run(t, p, decoded(t, "1", "dynamodb", "DeleteTable", noon, `{"tableName":"t"}`, "null"))
	if w.asked != 0 {
		t.Errorf("asked %d times", w.asked)
	}
}
