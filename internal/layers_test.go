// Package internal_test holds the lines between the packages.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	GoFiles    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	// Looking at the sources makes the result of an earlier run invalid when one of
	// them changes: what go list reads isn't noticed.
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == "build") {
			return fs.SkipDir
		}
		if err == nil && filepath.Ext(name) == ".go" {
			_, err = os.Stat(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Without the CDK app: that it may import what it likes needs no check,
	// and listing it is slow.
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps,GoFiles", "autotagger/cmd/...", "autotagger/functions/...", "autotagger/internal/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestPure: every step before apply is bytes and data in, data out.
func TestPure(t *testing.T) {
	t.Parallel()
	pure := map[string]bool{}
	for _, name := range []string{"cloudtrail", "catalogue", "resolve", "attribute", "policy", "plan"} {
		pure["autotagger/internal/"+name] = false
	}
	for _, p := range list(t) {
		if _, ok := pure[p.ImportPath]; !ok {
			continue
		}
		pure[p.ImportPath] = true
		for _, dep := range p.Deps {
			if strings.HasPrefix(dep, "github.com/aws/") || dep == "net/http" {
				t.Errorf("%s depends on %s", p.ImportPath, dep)
			}
		}
		if slices.Contains(p.Imports, "os") {
			t.Errorf("%s imports os", p.ImportPath)
		}
	}
	for name, seen := range pure {
		if !seen {
			t.Errorf("there is no package %s", name)
		}
	}
}

// TestFunctionsLinkFewClients: each costs start time. sso, ssooidc and signin come
// with the SDK's configuration, and so does sts.
func TestFunctionsLinkFewClients(t *testing.T) {
	t.Parallel()
	const services = "github.com/aws/aws-sdk-go-v2/service/"
	for _, p := range list(t) {
		if slices.Contains(p.Imports, services+"ec2") {
			t.Errorf("%s imports %sec2, which takes 3 GB to build", p.ImportPath, services)
		}
		if !strings.HasPrefix(p.ImportPath, "autotagger/functions/") {
			continue
		}
		for _, dep := range p.Deps {
			client, ok := strings.CutPrefix(dep, services)
			client, _, _ = strings.Cut(client, "/")
			if ok && !slices.Contains([]string{"internal", "s3", "signin", "sso", "ssooidc", "sts"}, client) {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}

// TestCDKStaysInInfra: linking it would make every build slow.
func TestCDKStaysInInfra(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, dep := range p.Deps {
			if strings.Contains(dep, "/aws-cdk-go/") || strings.Contains(dep, "/jsii-runtime-go") {
				t.Errorf("%s depends on %s", p.ImportPath, dep)
			}
		}
	}
}

// TestMainsOnlyWire: a function's main is short, what it does is in packages
// that are tested.
func TestMainsOnlyWire(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		if strings.HasPrefix(p.ImportPath, "autotagger/functions/") && !slices.Equal(p.GoFiles, []string{"main.go"}) {
			t.Errorf("%s has %v", p.ImportPath, p.GoFiles)
		}
	}
}
