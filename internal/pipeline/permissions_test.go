package pipeline_test

import (
	"slices"
	"testing"

	"autotagger/internal/apply"
)

// TestPermissionsAreThoseOfTheCalls: a row asks for what tagging its resources
// calls, no less and no more.
func TestPermissionsAreThoseOfTheCalls(t *testing.T) {
	t.Parallel()
	// The documented way of reading a bucket's tags beside TagResource, should
	// GetBucketTagging go; and the older action of log groups, which the tagging
	// API may still check.
	spare := []string{"s3:ListTagsForResource", "logs:TagLogGroup"}
	for _, name := range eventFiles(t) {
		for _, row := range explain(t, name) {
			for _, res := range row.Resources {
				called := apply.Actions(res.API, res.ARN)
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
