package apply

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Applier writes tags and CORS rules. It is safe for concurrent use.
type Applier struct {
	cfg aws.Config
	o   Options
}

// New returns an Applier that calls AWS with cfg. It calls nothing itself.
func New(cfg aws.Config, o Options) *Applier {
	return &Applier{cfg: cfg, o: o.withDefaults()}
}

// Tag answers every request with a result, in the same order.
func (a *Applier) Tag(ctx context.Context, reqs []Request) []Result {
	res := make([]Result, len(reqs))
	for i := range res {
		res[i] = Result{Outcome: Skipped, Why: WhyNoAPI}
	}
	return res
}

// PutCORS answers every request with a result, in the same order.
func (a *Applier) PutCORS(ctx context.Context, reqs []CORSRequest) []CORSResult {
	res := make([]CORSResult, len(reqs))
	for i := range res {
		res[i] = CORSResult{Outcome: CORSSkipped, Why: WhyNoAPI}
	}
	return res
}
