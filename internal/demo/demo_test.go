package demo

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestRun runs the whole demo.
func TestRun(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := Run(t.Context(), nil, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, &errs, &out)
	}
	for _, want := range []string{"autotagger replay --config", "cors: put", "cors: kept", "All 12 resources are as they should be"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("the output has colours, though it is no terminal")
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{"-h": 0, "-colour": 2, "now": 2} {
		var out, errs bytes.Buffer
		if code := Run(t.Context(), []string{args}, &out, &errs); code != want || errs.Len() == 0 {
			t.Errorf("%s: exit code %d, want %d; it says %s", args, code, want, &errs)
		}
	}
}

// TestCompare: what differs is named.
func TestCompare(t *testing.T) {
	t.Parallel()
	one := func(name string, want, now state) resource {
		return resource{name: name, want: want, look: func(context.Context) (state, error) { return now, nil }}
	}
	good := state{tags: tags{"creator": "alice"}, cors: "GET from *"}
	for name, c := range map[string]struct {
		now    state
		differ bool
	}{
		"as it should be": {good, false},
		"no tag":          {state{cors: good.cors}, true},
		"another tag":     {state{tags{"creator": "alice", "x": "y"}, good.cors}, true},
		"another value":   {state{tags{"creator": "bob"}, good.cors}, true},
		"no CORS":         {state{tags: good.tags}, true},
	} {
		var out bytes.Buffer
		differ, err := compare(t.Context(), &out, []resource{one("a bucket", good, c.now)}, make([]state, 1))
		if err != nil || differ != c.differ || strings.Contains(out.String(), "WRONG") != c.differ || strings.Contains(out.String(), "it should be") != c.differ {
			t.Errorf("%s: %v, %v:\n%s", name, differ, err, &out)
		}
	}
}
