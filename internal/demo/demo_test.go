package demo

import (
	"bytes"
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
