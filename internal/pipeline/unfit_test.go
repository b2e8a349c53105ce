package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// TestUnfit: where the service takes none of our keys nothing is called, and the row
// names the key; the same holds for what is only observed.
func TestUnfit(t *testing.T) {
	t.Parallel()
	e, err := cloudtrail.Decode(`{"eventSource":"evs.amazonaws.com","eventName":"CreateEnvironment","awsRegion":"eu-west-1","recipientAccountId":"111122223333",
		"userIdentity":{"type":"IAMUser","userName":"alice","arn":"arn:aws:iam::111122223333:user/alice"},
		"responseElements":{"environment":{"environmentArn":"arn:aws:evs:eu-west-1:111122223333:environment/env-abcdef1234"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"enforce", "observe"} {
		rules, err := policy.Parse("test.yaml", []byte("mode: "+mode+"\ntags: {creator: Made by}"))
		if err != nil {
			t.Fatal(err)
		}
		p := pipeline.Pipeline{Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: rules}, Tag: true}
		results := p.Run(context.Background(), []cloudtrail.Record{{Event: e}})
		row := results[0].Row()
		if len(row.Resources) != 1 {
			t.Fatalf("%+v", row)
		}
		r := row.Resources[0]
		if r.Outcome != string(apply.Skipped) || r.Why != pipeline.WhyUnfit || len(r.Tags) != 0 || !strings.Contains(strings.Join(r.Unfit, " "), "evs takes no ' ' in a tag's key: Made by") {
			t.Errorf("%s: %+v", mode, r)
		}
	}
}
