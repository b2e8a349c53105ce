package function_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every metric that is written is documented.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	metric, found := regexp.MustCompile(`\.(?:Count|Observe)\("(\w+)"`), 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metric.FindAllStringSubmatch(string(text), -1) {
			found++
			if !strings.Contains(string(doc), "| `"+m[1]+"` |") {
				t.Errorf("docs/metrics.md has no %s", m[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d metrics found", found)
	}
}
