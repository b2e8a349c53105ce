package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/ledger"
	"autotagger/internal/lookup"
	"autotagger/internal/pipeline"
	"autotagger/internal/policy"
)

// lookUps gives a pipeline what finds out and remembers, as far as the policy asks for
// that. All is asked with the credentials of the environment, and so in their account
// alone; the ledger is where they find its table.
func lookUps(ctx context.Context, line *pipeline.Pipeline, cfg aws.Config, p *policy.Policy, tags lookup.Tags) error {
	if !p.Asks() {
		return nil
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return fmt.Errorf("asking whose credentials these are: %w", err)
	}
	caller := awsapi.New(cfg, nil)
	c := lookup.Config{
		Policy: p, Tags: tags, Caller: caller, Own: caller, Account: aws.ToString(who.Account), Catalogue: catalogue.Default(),
	}
	if p.LookUps.Ledger {
		table := ledger.New(cfg, deployment.Table, ledger.Options{Now: time.Now})
		c.Ledger, line.Memory = table, table
	}
	line.Finder = lookup.New(c)
	return nil
}

// newApplier is one for the policy.
func newApplier(cfg aws.Config, p *policy.Policy) *apply.Applier {
	return apply.New(cfg, apply.Options{Replace: p.Existing == policy.Replace, OptOut: p.OptOut})
}

// look makes look-ups for batches of plans, and reads the tags that resources have.
func (a *app) look(ctx context.Context, p *policy.Policy) (func([]pipeline.Result, *pipeline.Pipeline) error, error) {
	cfg, err := loadAWS(ctx)
	if err != nil {
		return nil, err
	}
	if err := requireCredentials(ctx, cfg); err != nil {
		return nil, err
	}
	applier := newApplier(cfg, p)
	asker := &pipeline.Pipeline{}
	if err := lookUps(ctx, asker, cfg, p, applier); err != nil {
		return nil, err
	}
	return func(results []pipeline.Result, line *pipeline.Pipeline) error {
		line.Finder = asker.Finder
		line.Look(ctx, results, applier)
		return nil
	}, nil
}
