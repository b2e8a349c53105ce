package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// The same sources make the same bytes, whatever folder they are in and however
// old: a deployment after a rebuild changes nothing.
func TestFunctionsBuiltAlike(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	for _, name := range []string{"Makefile", "go.mod", "go.sum", "functions", "internal"} {
		if err := copyTree(filepath.Join("..", name), filepath.Join(first, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyTree(first, second); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := filepath.WalkDir(second, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, old, old))
	}); err != nil {
		t.Fatal(err)
	}
	const name = "build/arm64/tagger/bootstrap"
	var built [][]byte
	for _, dir := range []string{first, second} {
		cmd := exec.Command("make", "--silent", name)
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building: %v\n%s", err, text)
		}
		code, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		built = append(built, code)
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Errorf("the builds have %d bytes and %d, which differ", len(built[0]), len(built[1]))
	}
}

// copyTree copies a file or folder.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rest), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rest), data, 0o644)
	})
}
