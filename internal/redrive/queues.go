package redrive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"autotagger/internal/deployment"
	"autotagger/internal/live"
)

// Functions are the functions that have dead letters.
func Functions() []string {
	return []string{deployment.Tagger, deployment.CORS, deployment.Ledger}
}

// Queues are the URLs of a deployment's queues. One that isn't there is absent or "".
type Queues struct {
	Work, DeadLetters map[string]string // by function
	Undelivered       string
}

// ErrNoStack is that the hub isn't in the region.
var ErrNoStack = errors.New("there is no stack " + deployment.Stack)

// Find reads the URLs from the outputs of the hub's stack.
// CloudFormation answers ValidationError for a stack that isn't there.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func Find(ctx context.Context, cfg aws.Config) (Queues, error) {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(deployment.Stack)})
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "ValidationError" || err == nil && len(out.Stacks) == 0 {
		return Queues{}, ErrNoStack
	}
	if err != nil {
		return Queues{}, fmt.Errorf("reading the stack %s: %w", deployment.Stack, err)
	}
	outputs := map[string]string{}
	for _, o := range out.Stacks[0].Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	q := Queues{Work: map[string]string{}, DeadLetters: map[string]string{}, Undelivered: outputs[deployment.OutputUndelivered]}
	for _, f := range Functions() { // a configuration may have one off
		if work, dead := outputs[deployment.OutputQueue(f)], outputs[deployment.OutputDeadLetters(f)]; work != "" && dead != "" {
			q.Work[f], q.DeadLetters[f] = work, dead
		}
	}
	if len(q.Work) == 0 {
		return Queues{}, fmt.Errorf("reading the stack %s: its outputs name no queues", deployment.Stack)
	}
	return q, nil
}

// Region is that of the functions: their queues', or def where the URLs don't say.
func (q Queues) Region(def string) string {
	for _, f := range Functions() {
		if r := regionOf(q.Work[f]); r != "" {
			return r
		}
	}
	return def
}

// ErrOff is that the functions' switch is off.
var ErrOff = errors.New(deployment.ParameterWriting + " is " + deployment.WritingOff)

// Writing returns nil if the functions' switch is on, [ErrOff] if it is off, and
// another error where that can't be told. With it off they look at an event and are
// done with it: a letter that is sent to them is gone, and nothing is tagged.
func (q Queues) Writing(ctx context.Context, cfg aws.Config) error {
	cfg = cfg.Copy()
	cfg.Region = q.Region(cfg.Region)
	if cfg.Region == "" {
		return errors.New("reading " + deployment.ParameterWriting + ": there is no region: set AWS_REGION to that of the hub")
	}
	values, err := live.Parameters(ctx, cfg, deployment.ParameterWriting)
	if err != nil {
		return err
	}
	switch value, ok := values[deployment.ParameterWriting]; {
	case !ok:
		return fmt.Errorf("there is no parameter %s in %s", deployment.ParameterWriting, cfg.Region)
	case value == deployment.WritingOff:
		return ErrOff
	case value != deployment.WritingOn:
		return fmt.Errorf("%s is %q", deployment.ParameterWriting, value)
	}
	return nil
}

// client is for a queue's region, which may be another than the hub's: the SDK calls
// the region's endpoint, whatever the URL says.
// https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
func client(cfg aws.Config, queue string) *sqs.Client {
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.Region = cmp.Or(regionOf(queue), o.Region) })
}

// regionOf is the region in a queue's URL, "" if it has none.
func regionOf(queue string) string {
	u, err := url.Parse(queue)
	if err != nil {
		return ""
	}
	labels := strings.Split(u.Hostname(), ".")
	if len(labels) > 3 && labels[0] == "sqs" {
		return labels[1]
	}
	return ""
}

// nameOf is the name in a queue's URL.
func nameOf(queue string) string { return queue[strings.LastIndexByte(queue, '/')+1:] }
