package function

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/config"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// EnvConfig names the variable that holds the path of the configuration file.
const EnvConfig = "AUTOTAGGER_CONFIG"

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
// names, AWS from the environment. Log and metrics go to standard output; the
// log's level is Lambda's own setting.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-logging.html
func New(ctx context.Context, j Job, env func(string) string) (*Handler, error) {
	p, err := readPolicy(env(EnvConfig))
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	metrics := NewMetrics(os.Stdout, j.Name, time.Now)
	return &Handler{
		Pipeline: &pipeline.Pipeline{
			Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: p},
			Applier: apply.New(cfg, apply.Options{
				Replace: p.Existing == policy.Replace, OptOut: p.OptOut, Now: time.Now, OnCall: metrics.Call,
			}),
			Tag: j.Tag, CORS: j.CORS,
		},
		Log:     lambdacontext.NewLogger(),
		Metrics: metrics,
		Now:     time.Now,
	}, nil
}

// readPolicy reads the configuration. A function has one: without it tags
// would be written that nobody asked for.
func readPolicy(path string) (*policy.Policy, error) {
	if path == "" {
		return nil, fmt.Errorf("reading the configuration: %s is not set; it is to name the file", EnvConfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return policy.Parse(path, data)
}
