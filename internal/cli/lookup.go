package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/ledger"
	"autotagger/internal/live"
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
	if cfg.Region == "" {
		return errors.New("look-ups need a region, that of the ledger's table if there is one: set AWS_REGION")
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

// costCenters adds the valid cost centers that the policy's object has. Where that can't be
// read every value is taken, and a person told.
func (a *app) costCenters(ctx context.Context, cfg aws.Config, p *policy.Policy) *policy.Policy {
	with, err := live.CostCenters(ctx, cfg, p)
	if err != nil {
		fmt.Fprintf(a.stderr, "autotagger: cost centers aren't checked: %s\n", oneLine(err))
	}
	return with
}

// unasked tells a person what the configuration wants and isn't done, since AWS isn't
// asked.
func (a *app) unasked(p *policy.Policy) {
	if p.Asks() {
		fmt.Fprintln(a.stderr, "autotagger: the configuration's look-ups aren't made, so that creators and cost centers may be others: see explain --lookup")
	}
	if p.CostCenters.Object != "" {
		fmt.Fprintf(a.stderr, "autotagger: cost centers aren't checked: %s is read by explain --lookup and replay only\n", p.CostCenters.Object)
	}
}

// newApplier is one for the policy.
func newApplier(cfg aws.Config, p *policy.Policy) *apply.Applier {
	return apply.New(cfg, apply.Options{Replace: p.Existing == policy.Replace, OptOut: p.OptOut})
}

// look explains events with look-ups, and with the tags that resources have.
func (a *app) look(ctx context.Context, paths []string, p *policy.Policy) error {
	cfg, err := loadAWS(ctx)
	if err != nil {
		return failure{err}
	}
	if err := requireCredentials(ctx, cfg); err != nil {
		return failure{err}
	}
	p = a.costCenters(ctx, cfg, p)
	applier := newApplier(cfg, p)
	asker := &pipeline.Pipeline{}
	if err := lookUps(ctx, asker, cfg, p, applier); err != nil {
		return failure{err}
	}
	return a.handle(ctx, paths, p, func(results []pipeline.Result, line *pipeline.Pipeline) error {
		line.Finder, line.Memory = asker.Finder, asker.Memory
		line.Look(ctx, results, applier)
		return nil
	})
}
