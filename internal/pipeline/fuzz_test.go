package pipeline_test

import (
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// FuzzPlan: whatever a record becomes, there is a row for it, with resources or
// with a reason, and what is to be tagged is an ARN.
func FuzzPlan(f *testing.F) {
	for _, doc := range sampleEvents(f) {
		f.Add(doc)
	}
	p := &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}}
	f.Fuzz(func(t *testing.T, doc string) {
		e, err := cloudtrail.Decode(doc)
		results := p.Plan([]cloudtrail.Record{{N: 1, Event: e, Err: err}})
		row := results[0].Row()
		if results[0].Err != nil || (row.Decision == "tag") != (len(row.Resources) > 0) || (row.Reason == "") != (row.Decision == "tag") || row.Creator.Name == "" {
			t.Errorf("%+v: %v", row, results[0].Err)
		}
		for _, res := range row.Resources {
			// No record has the UUID that is in an Auto Scaling group's ARN.
			arn := strings.Replace(res.ARN, ":autoScalingGroup:*:", ":autoScalingGroup::", 1)
			if !strings.HasPrefix(arn, "arn:aws") || strings.ContainsAny(arn, "\t\n*?") || strings.TrimSpace(arn) != arn {
				t.Errorf("the ARN is %q", res.ARN)
			}
		}
	})
}
