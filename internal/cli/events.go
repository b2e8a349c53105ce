package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// batchSize is how many records are handled together: as many as the queue
// gives the functions.
const batchSize = 100

func newExplain(a *app) *cobra.Command {
	var lookup bool
	c := &cobra.Command{
		Use:   "explain [PATH…]",
		Short: "Say what would be done about events, without calling AWS",
		Long: `Explain prints a row for each record: what the call created, who did it, the
tags and CORS that the resources would get and the permissions that takes; or
why the event is skipped. It calls nothing. Without --config it takes the built-in
configuration, whatever autotagger.yaml says: name that, to see what a deployment
with it would do.

A row's decision is tag or skip. The reasons of a skip:
  malformed       the record can't be read
  not-cloudtrail  some other notification
  dry-run, error  the call did nothing, or failed
  own-event       autotagger's own call
  sign-in, service-event, data-event, read-only
  unknown-event   looks like a create, but is not in the catalogue
  not-a-create, not-taggable
  no-identifier   the record doesn't say what was created
  excluded        the configuration leaves it out, or the catalogue unless the
                  configuration turns the call on

With --lookup it asks AWS, and still writes nothing: for the tags that resources have,
and for what the configuration's look-ups find out. A row then has the look-ups in their
order, the link that is missing if there is one, the source of each value, and what would
become of the resource as things are now. It asks with the credentials of the environment,
and only in their account; the ledger's table is found in the hub's account and region
alone. Of other accounts' events it says so.

Rows are the tagger's. Events that only the function ledger takes, such as AssumeRole and
UpdateStack, are skipped as read-only or not-a-create; stacks are reported, and never
written to.`,
		Example: "  autotagger explain events/s3\n  autotagger explain --config autotagger.yaml -o json log.json.gz\n  autotagger explain --lookup --config autotagger.yaml event.json",
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.policy()
			if err != nil {
				return err
			}
			if lookup {
				return a.look(c.Context(), args, p)
			}
			a.unasked(p)
			return a.handle(c.Context(), args, p, func([]pipeline.Result, *pipeline.Pipeline) error { return nil })
		},
	}
	a.configFlag(c)
	c.Flags().BoolVar(&lookup, "lookup", false, "ask AWS what the record doesn't say, with the credentials of the environment")
	return c
}

func newReplay(a *app) *cobra.Command {
	var dryRun bool
	var wait time.Duration
	c := &cobra.Command{
		Use:   "replay [PATH…]",
		Short: "Do what the functions would do about events",
		Long: `Replay runs the functions' own code on events, with the credentials of the
environment, against AWS or what AWS_ENDPOINT_URL names. Without --config it takes
the built-in configuration, as explain does. It prints the rows of
explain, each resource with its outcome:
  tagged     the tags were written
  unchanged  it is as wanted, or has other values that stay
  skipped    it must not be tagged (see why)
  retry      it could not be tagged yet
  denied     AWS refused
  failed     it can't be tagged so
  would-tag  with --dry-run, or where the configuration only observes
and each bucket with its CORS: put, kept or failed.

With look-ups it asks AWS as explain --lookup does; what misses a link that may yet come
is left at retry, in the end. Where the configuration has a ledger it reads the table,
and keeps there what the tagger does (items written/… and restored/…), which takes the
permission to write them. It fills in no sessions and stacks: those events are for the
function ledger alone, and skipped here as read-only or not-a-create; stacks are reported.

It exits with 1 if any is left at retry, denied or failed.`,
		Example: "  autotagger replay --dry-run --config autotagger.yaml logs/\n  AWS_ENDPOINT_URL=http://127.0.0.1:5000 autotagger replay events/s3/CreateBucket.json",
		RunE: func(c *cobra.Command, args []string) error {
			if wait < 0 {
				return fmt.Errorf("--wait %s: it can't be negative", wait)
			}
			p, err := a.policy()
			if err != nil {
				return err
			}
			if dryRun {
				a.unasked(p)
				return a.handle(c.Context(), args, p, func(results []pipeline.Result, line *pipeline.Pipeline) error {
					line.Pretend(results)
					return nil
				})
			}
			// The first interrupt lets calls that are under way end, so that
			// what they did is printed; the next one kills.
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer context.AfterFunc(ctx, stop)()
			cfg, err := loadAWS(ctx)
			if err != nil {
				return failure{err}
			}
			p = a.costCenters(ctx, cfg, p)
			applier := newApplier(cfg, p)
			left, looks := wait, false
			return a.handle(ctx, args, p, func(results []pipeline.Result, line *pipeline.Pipeline) error {
				if slices.ContainsFunc(results, writes) {
					// Without credentials every call would be tried again for as
					// long as --wait says.
					if err := requireCredentials(ctx, cfg); err != nil {
						return failure{err}
					}
					if !looks {
						if err := lookUps(ctx, line, cfg, p, applier); err != nil {
							return failure{err}
						}
						looks = true
					}
				}
				line.Applier = applier
				left -= applyAll(ctx, line, results, left)
				return nil
			})
		},
	}
	a.configFlag(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing and call nothing")
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long in all to try again what can't be tagged yet")
	return c
}

// writes reports whether a plan has something to be written.
func writes(r pipeline.Result) bool {
	return slices.ContainsFunc(r.Plan.Resources, func(res plan.Resource) bool {
		return res.Mode == policy.Enforce && res.API != catalogue.APINone
	})
}

// applyAll applies the plans and, for as long as wait, tries again what isn't
// ready. It returns how long it has waited.
func applyAll(ctx context.Context, p *pipeline.Pipeline, results []pipeline.Result, wait time.Duration) time.Duration {
	p.Apply(ctx, results, func(*pipeline.ResourceResult) bool { return true })
	var waited time.Duration
	for pause := time.Second; ; pause *= 2 {
		waiting := false
		for i := range results {
			for j := range results[i].Resources {
				waiting = waiting || results[i].Resources[j].Retryable()
			}
		}
		pause = min(pause, wait-waited)
		if !waiting || pause <= 0 {
			return waited
		}
		select {
		case <-ctx.Done():
			return waited
		case <-time.After(pause):
		}
		waited += pause
		p.Apply(ctx, results, (*pipeline.ResourceResult).Retryable)
	}
}

// handle plans for all records of the inputs, does what act says with each batch
// of plans, and prints the rows.
func (a *app) handle(ctx context.Context, paths []string, p *policy.Policy, act func([]pipeline.Result, *pipeline.Pipeline) error) error {
	table, err := a.table()
	if err != nil {
		return err
	}
	line := &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: p}, Tag: true, CORS: true}
	out := newRows(a.stdout, table)
	failed := false
	var batch []cloudtrail.Record
	flush := func() error {
		results := line.Plan(batch)
		if err := act(results, line); err != nil {
			return err
		}
		for i := range results {
			failed = failed || len(results[i].Resources) > 0 && !results[i].Settled()
			if err := results[i].Err; err != nil {
				failed = true
				fmt.Fprintf(a.stderr, "autotagger: %s\n", oneLine(err))
			}
			if err := out.print(results[i].Row()); err != nil {
				return failure{fmt.Errorf("writing the output: %w", err)}
			}
		}
		batch = batch[:0]
		if err := out.flush(); err != nil {
			return failure{fmt.Errorf("writing the output: %w", err)}
		}
		return nil
	}
	for rec := range a.records(inputs(paths), &failed) {
		if ctx.Err() != nil {
			break
		}
		if batch = append(batch, rec); len(batch) == batchSize {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return failure{errors.New("interrupted: what was not printed was not done")}
	}
	if err := flush(); err != nil {
		return err
	}
	if failed {
		return errFailed
	}
	return nil
}
