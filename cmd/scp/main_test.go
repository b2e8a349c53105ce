package main

import (
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-h"}, &out); err != nil {
		t.Errorf("asking for help fails: %v", err)
	}
	if err := run(t.Context(), []string{"-sise", "1"}, &out); err == nil {
		t.Error("a misspelt flag is taken")
	}
	if out.Len() > 0 {
		t.Errorf("no policy was asked for, and it prints %q", out.String())
	}
}
