package pipeline_test

import (
	"slices"
	"strings"
	"testing"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
)

// ofService reports whether an action is a service's own, not the tagging API's.
func ofService(action string) bool { return !strings.HasPrefix(action, "tag:") }

// TestPermissionsAreThoseOfTheCalls: a row asks for what tagging its resources
// calls, no less and no more.
func TestPermissionsAreThoseOfTheCalls(t *testing.T) {
	t.Parallel()
	// The documented way of reading a bucket's tags beside TagResource, should
	// GetBucketTagging go; and the older action of log groups, which the tagging
	// API may still check.
	spare := []string{"s3:ListTagsForResource", "logs:TagLogGroup"}
	for _, name := range eventFiles(t) {
		for _, result := range planned(t, name) {
			for _, res := range result.Plan.Resources {
				called := apply.Actions(res.API, res.ARN, res.Calls)
				if res.API == catalogue.APITagging && !slices.ContainsFunc(called, ofService) {
					continue // the tagging API alone serves it: by which of the service's actions only AWS knows
				}
				for _, action := range called {
					if !slices.Contains(res.Permissions, action) {
						t.Errorf("%s: tagging %s calls %s, which its row doesn't name", name, res.ARN, action)
					}
				}
				for _, action := range res.Permissions {
					if !slices.Contains(called, action) && !slices.Contains(spare, action) {
						t.Errorf("%s: the row of %s names %s, which is never called", name, res.Type, action)
					}
				}
			}
		}
	}
}

// TestPermissionsOfEveryRow is the same for rows without a sample, of what the
// calls need: an action that is missing would make each event of the row fail.
func TestPermissionsOfEveryRow(t *testing.T) {
	t.Parallel()
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Off != "" {
			continue // it may be without what names the resource
		}
		for _, res := range r.Resources {
			arn, ok := res.ARN.Expand(func(name string) string {
				if name == "partition" {
					return "aws"
				}
				return "x"
			})
			if !ok {
				t.Errorf("%s %s: %s", r.Source, r.Event, res.ARN)
			}
			for _, action := range slices.Concat(apply.Actions(res.API, arn, res.Calls), apply.LookUpActions(res.LookUp)) {
				if !slices.Contains(res.Permissions, action) {
					t.Errorf("%s %s: tagging %s calls %s, which its row doesn't name", r.Source, r.Event, res.ARN, action)
				}
			}
		}
	}
}
