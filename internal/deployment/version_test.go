package deployment_test

import (
	"os"
	"strings"
	"testing"

	"autotagger/internal/deployment"
)

// The newest heading of the changelog is this version's.
func TestVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, newest, _ := strings.Cut(string(text), "\n## ")
	heading, _, _ := strings.Cut(newest, "\n")
	want := deployment.Version
	if strings.HasSuffix(want, "-dev") {
		want = "Unreleased"
	}
	if heading != want && !strings.HasPrefix(heading, want+" ") {
		t.Errorf("the changelog begins with %q, this is %s", heading, deployment.Version)
	}
}
