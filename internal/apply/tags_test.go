package apply_test

import (
	"maps"
	"strings"
	"testing"

	"autotagger/internal/apply"
)

// TestTags: resources are read together, and where the tagging API is silent their own
// service is asked, however new they are.
func TestTags(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		switch a.Op {
		case "GetResources":
			return mapping(map[string]map[string]string{table(1): {"aws:cloudformation:stack-id": "s"}})
		case "ListTagsOfResource":
			if arn, _ := a.JSON["ResourceArn"].(string); arn == table(3) {
				return refuse(400, "AccessDeniedException")
			}
			return answer{Status: 200, Body: map[string]any{"Tags": []any{map[string]string{"Key": "creator", "Value": "bob"}}}}
		}
		t.Errorf("unexpected %s", a.Op)
		return ok
	})
	var reqs []apply.Request
	for i := 1; i <= 3; i++ {
		r := request(table(i), "tagging")
		r.Tags = nil
		reqs = append(reqs, r)
	}
	got := apply.New(e.config(), options()).Tags(t.Context(), reqs)
	if got[0].All["aws:cloudformation:stack-id"] != "s" || got[1].All["creator"] != "bob" || got[0].Err != nil || got[1].Err != nil {
		t.Errorf("read %v", got)
	}
	if err := got[2].Err; err == nil || !strings.Contains(err.Error(), table(3)) || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("what can't be read: %v", err)
	}
	if reads, own := e.count("GetResources"), e.count("ListTagsOfResource"); reads != 1 || own != 2 {
		t.Errorf("%d and %d reads", reads, own)
	}
}

// TestRead: tags that were just read aren't read again.
func TestRead(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Op != "TagResources" {
			t.Errorf("unexpected %s", a.Op)
		}
		return failures(nil)
	})
	open, stands := request(table(1), "tagging"), request(table(2), "tagging")
	open.Read, stands.Read = map[string]string{}, map[string]string{"creator": "bob"}
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{open, stands})
	if got[0].Outcome != apply.Tagged || got[1].Outcome != apply.Unchanged || got[1].Standing["creator"] != "bob" {
		t.Errorf("%+v", got)
	}
}

// TestProvisional: only what we wrote, and what still stands so, is replaced.
func TestProvisional(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		standing, provisional map[string]string
		want                  apply.Outcome
	}{
		"ours still":       {map[string]string{"creator": "Deploy"}, map[string]string{"creator": "Deploy"}, apply.Tagged},
		"someone else's":   {map[string]string{"creator": "bob"}, map[string]string{"creator": "Deploy"}, apply.Unchanged},
		"nothing of ours":  {map[string]string{"creator": "Deploy"}, nil, apply.Unchanged},
		"another key":      {map[string]string{"creator": "bob"}, map[string]string{"cost-center": "bob"}, apply.Unchanged},
		"right already":    {map[string]string{"creator": "alice"}, map[string]string{"creator": "alice"}, apply.Unchanged},
		"taken away since": {map[string]string{}, map[string]string{"creator": "Deploy"}, apply.Tagged},
	} {
		e := script(t, func(a asked) answer {
			if a.Op == "GetResources" {
				return mapping(map[string]map[string]string{table(1): c.standing})
			}
			return failures(nil)
		})
		r := request(table(1), "tagging")
		r.Provisional = c.provisional
		got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{r})
		if got[0].Outcome != c.want || c.want == apply.Tagged && !maps.Equal(got[0].Written, r.Tags) {
			t.Errorf("%s: %+v, want %s", name, got[0], c.want)
		}
	}
}
