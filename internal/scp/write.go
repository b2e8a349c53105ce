package scp

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write writes the policies into a folder, as scp-1.json and so on, removes those
// of an earlier time, and reports.
func (c Coverage) Write(folder string, o Options, report io.Writer) error {
	policies, err := c.Policies(o)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "scp-*.json"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for i, p := range policies {
		name := filepath.Join(folder, fmt.Sprintf("scp-%d.json", i+1))
		if err := os.WriteFile(name, p, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(report, "%s: %d characters\n", name, len(p))
	}
	if len(policies) >= MaxAttached {
		fmt.Fprintf(report, "a root, unit or account may take no more than %d policies, FullAWSAccess included: attach some to units above, or give -size a newer limit\n", MaxAttached)
	}
	fmt.Fprintf(report, "\n%s", c.Report())
	return nil
}
