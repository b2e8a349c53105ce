package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nothing is deployed with a configuration that has a fault or leaves open
// what new buckets get.
func TestConfigurationRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"faults":     {"mode: maybe\ncors: no\ntags: {creator: 1}\n", []string{":1: mode", ":2: cors", ":3: tags.creator"}},
		"no YAML":    {"mode: [", []string{"autotagger.yaml:"}},
		"undeclared": {"mode: enforce\n", []string{"autotagger.yaml", "add cors: with rules, or cors: off"}},
		"unmatched":  {"cors: off\ncatalogue: {enable: ['ecs:RunTsk'], disable: ['s3:Create']}\n", []string{`autotagger.yaml: catalogue.enable[0]: "ecs:RunTsk" matches no call`, `autotagger.yaml: catalogue.disable[0]: "s3:Create"`}},
		"empty":      {"", []string{"add cors: with rules, or cors: off"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "autotagger.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, _, err := readConfig(path)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q doesn't say %q", err, want)
				}
			}
		})
	}
}

func TestConfigurationMissing(t *testing.T) {
	_, _, err := readConfig(filepath.Join(t.TempDir(), "mine.yaml"))
	if err == nil || !strings.Contains(err.Error(), "mine.yaml: copy autotagger.example.yaml to it") {
		t.Errorf("the error is %v", err)
	}
}

// The configurations of the repository are fit to be deployed.
func TestConfigurationsShipped(t *testing.T) {
	for _, name := range []string{"autotagger.yaml", "autotagger.example.yaml"} {
		if _, _, err := readConfig(filepath.Join("..", name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogDays(t *testing.T) {
	if days, err := logDays("90"); err != nil || days != 90 {
		t.Errorf("90 is %d, %v", days, err)
	}
	for _, text := range []string{"91", "0", "", "ninety", "90.0"} {
		if _, err := logDays(text); err == nil || !strings.Contains(err.Error(), "60, 90, 120") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
