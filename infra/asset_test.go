package main

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMakeAsset(t *testing.T) {
	build, stage := bootstraps(t), t.TempDir()
	dir, err := makeAsset(stage, Settings{Build: build, Architecture: arm64, File: []byte("mode: off\n")}, "tagger")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]os.FileMode{}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name()] = info.Mode()
	}
	if len(got) != 2 || got["bootstrap"] != 0o755 || got["autotagger.yaml"] != 0o644 {
		t.Errorf("the asset holds %v", got)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "autotagger.yaml")); err != nil || string(text) != "mode: off\n" {
		t.Errorf("the configuration is %q, %v", text, err)
	}
}

// What would fail on Lambda is refused by name before anything is deployed.
func TestBootstrapRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		want  string
	}{
		"missing": {os.Remove, "is missing"},
		"no ELF":  {func(p string) error { return os.WriteFile(p, []byte("#!/bin/sh\n"), 0o755) }, "is no Linux program"},
		"empty":   {func(p string) error { return os.WriteFile(p, nil, 0o755) }, "is no Linux program"},
		"other":   {func(p string) error { return writeProgram(p, elf.EM_X86_64) }, "is built for EM_X86_64, the function runs on arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			build := bootstraps(t)
			path := filepath.Join(build, "arm64", "cors", "bootstrap")
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			_, _, err := makeStack(testConfig, build)
			if err == nil {
				t.Fatal("it is deployed")
			}
			for _, want := range []string{path, c.want, "run make functions"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q doesn't say %q", err, want)
				}
			}
		})
	}
}
