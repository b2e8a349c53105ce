package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

// Settings are what a deployment may choose.
type Settings struct {
	// Policy is the configuration, and File its text as the functions get it.
	Policy *policy.Policy
	File   []byte
	// Build is the folder of the built functions: each has one of its name
	// with a bootstrap in it.
	Build string
	// LogDays is how long logs are kept.
	LogDays int
	// Account and Region are where the stack goes; empty if the command line
	// doesn't know, as without credentials.
	Account, Region string
}

// The context keys of the command line: npx cdk deploy -c config=other.yaml
const (
	contextConfig  = "config"
	contextLogDays = "log-retention-days"
)

const (
	defaultConfig  = "autotagger.yaml"
	defaultLogDays = "90"
)

// settings reads what the context and the environment of a CDK app say.
func settings(node constructs.Node) (Settings, error) {
	s := Settings{
		Build:   "build",
		Account: os.Getenv("CDK_DEFAULT_ACCOUNT"),
		Region:  os.Getenv("CDK_DEFAULT_REGION"),
	}
	var errConfig, errDays error
	s.Policy, s.File, errConfig = readConfig(contextText(node, contextConfig, defaultConfig))
	s.LogDays, errDays = logDays(contextText(node, contextLogDays, defaultLogDays))
	return s, errors.Join(errConfig, errDays)
}

// contextText returns a context value: a string from the command line, a
// string or number from cdk.json.
func contextText(node constructs.Node, key, fallback string) string {
	if v := node.TryGetContext(jsii.String(key)); v != nil {
		return fmt.Sprint(v)
	}
	return fallback
}

// readConfig reads a configuration that is fit to be deployed. The error lists
// every fault.
func readConfig(name string) (*policy.Policy, []byte, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no configuration %s: copy autotagger.example.yaml to it, or name another file with -c %s=FILE", name, contextConfig)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	p, err := policy.Parse(name, data)
	if err != nil {
		return nil, nil, fmt.Errorf("the configuration has faults:\n%w", err)
	}
	if !p.CORS.Declared {
		return nil, nil, fmt.Errorf("%s doesn't say which cross-origin rules new buckets get: add cors: with rules, or cors: off", name)
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		return nil, nil, err
	}
	if unmatched := p.UnmatchedCalls(rows); len(unmatched) > 0 {
		return nil, nil, fmt.Errorf("the configuration has faults:\n%s: %s", name, strings.Join(unmatched, "\n"+name+": "))
	}
	return p, data, nil
}

// retentions are the days that CloudWatch Logs can keep logs.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
func retentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

func logDays(text string) (int, error) {
	days, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(retentions(), days) {
		allowed := strings.Trim(fmt.Sprint(retentions()), "[]")
		return 0, fmt.Errorf("%s is %q; CloudWatch Logs knows %s", contextLogDays, text, strings.ReplaceAll(allowed, " ", ", "))
	}
	return days, nil
}
