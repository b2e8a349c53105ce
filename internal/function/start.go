package function

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/ledger"
	"autotagger/internal/live"
	"autotagger/internal/lookup"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// Job is what a function does with the events it gets.
type Job struct {
	Name string // as in metrics
	Tag  bool
	CORS bool
}

// Main runs a function until Lambda stops it and returns the exit code.
func Main(j Job) int {
	h, err := New(context.Background(), j, os.Getenv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		return 1
	}
	lambda.Start(h.Handle)
	return 0
}

// New sets up a function's handler: the configuration from the file that env
// names and what package live finds, AWS from the environment. Log and metrics go
// to standard output; the log's level is Lambda's own setting.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-logging.html
func New(ctx context.Context, j Job, env func(string) string) (*Handler, error) {
	p, err := readPolicy(env(deployment.EnvConfig))
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return Assemble(cfg, p, j, env, lambdacontext.NewLogger(), os.Stdout), nil
}

// Assemble is New where the policy, the way to AWS and the outputs are given. Metrics
// go to out.
func Assemble(cfg aws.Config, p *policy.Policy, j Job, env func(string) string, log *slog.Logger, out io.Writer) *Handler {
	h := &Handler{Log: log, Metrics: NewMetrics(out, j.Name, time.Now), Now: time.Now}
	o := apply.Options{Now: time.Now, OnCall: h.Metrics.Call}
	if role := env(deployment.EnvSpokeRole); role != "" {
		o.Credentials = newSpokes(cfg, role).credentials
	}
	guard := &pipeline.Guard{Account: env(deployment.EnvAccount)}
	looks := looks{cfg: cfg, env: env, metrics: h.Metrics, options: o}
	h.Line = func(p *policy.Policy) *pipeline.Pipeline {
		o := o
		o.Replace, o.OptOut = p.Existing == policy.Replace, p.OptOut
		applier := apply.New(cfg, o)
		line := &pipeline.Pipeline{
			Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: p},
			Applier: applier,
			Tag:     j.Tag, CORS: j.CORS,
			Guard: guard,
			Late:  &pipeline.Late{Historian: applier, Now: time.Now},
		}
		if j.Tag && p.Asks() {
			looks.join(line, p, applier)
		}
		return line
	}
	if work, deadLetters := env(deployment.EnvQueue), env(deployment.EnvDeadLetters); work != "" && deadLetters != "" {
		h.Queue = newQueues(cfg, work, deadLetters)
	}
	h.Configuration = fixed{p}
	if env(deployment.EnvParameters) != "" {
		h.Configuration = live.New(cfg, live.Options{
			Deployed: p, Log: h.Log, Now: time.Now,
			OnRefused: func() { h.Metrics.Count("ConfigurationRefused", 1) },
		})
	}
	return h
}

// looks makes what finds out and what remembers, when a policy first asks for it, and
// keeps what was found out when the policy changes.
type looks struct {
	cfg     aws.Config
	env     func(string) string
	metrics *Metrics
	options apply.Options

	finder *lookup.Finder
	table  *ledger.Table
}

// join gives them to a policy's pipeline. The ledger and the organisation are asked with
// the function's own credentials, all else with those of the event's account.
func (l *looks) join(line *pipeline.Pipeline, p *policy.Policy, tags lookup.Tags) {
	if name := l.env(deployment.EnvTable); l.table == nil && name != "" {
		l.table = ledger.New(l.cfg, name, ledger.Options{Now: time.Now, OnCall: l.metrics.Call})
	}
	if l.finder == nil {
		cfg := l.cfg.Copy()
		cfg.APIOptions = append(slices.Clone(cfg.APIOptions), awsapi.Observe(l.metrics.Call, time.Now))
		c := lookup.Config{
			Policy: p, Tags: tags, Caller: awsapi.New(cfg, l.options.Credentials), Own: awsapi.New(cfg, nil),
			Account: l.env(deployment.EnvAccount), Catalogue: catalogue.Default(), OnLookUp: l.metrics.LookUp,
		}
		if l.table != nil {
			c.Ledger = l.table
		}
		l.finder = lookup.New(c)
	}
	line.Finder = l.finder.Under(p)
	if l.table != nil && p.LookUps.Ledger {
		line.Memory = l.table
	}
}

// fixed is a configuration that doesn't change.
type fixed struct{ policy *policy.Policy }

func (f fixed) Policy(context.Context) (*policy.Policy, error) { return f.policy, nil }

func (f fixed) Watch(ctx context.Context, _ *policy.Policy) (context.Context, func()) {
	return ctx, func() {}
}

// readPolicy reads the configuration. A function has one: without it tags
// would be written that nobody asked for.
func readPolicy(path string) (*policy.Policy, error) {
	if path == "" {
		return nil, fmt.Errorf("reading the configuration: %s is not set; it is to name the file", deployment.EnvConfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return policy.Parse(path, data)
}
