package doctor

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// lambdas looks at the functions and at what brings them the queues' messages.
func (v *visit) lambdas(ctx context.Context) []Finding {
	var findings []Finding
	for _, j := range v.functions {
		findings = append(findings, j.state()...)
		if j.found != nil {
			findings = append(findings, v.mapping(ctx, j))
		}
	}
	return findings
}

// state judges a function by what Lambda says of it.
// https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
func (j job) state() []Finding {
	c := j.config()
	switch {
	case j.err != nil:
		return []Finding{unseen(j.name, j.err)}
	case j.absent:
		return []Finding{{"", Fail, j.name, "the function is gone", restore}}
	case c.State == types.StateFailed || c.LastUpdateStatus == types.LastUpdateStatusFailed:
		return []Finding{{"", Fail, j.name, fmt.Sprintf("state %s, last update %s: %s%s", c.State, c.LastUpdateStatus, aws.ToString(c.StateReason), aws.ToString(c.LastUpdateStatusReason)), "make deploy"}}
	case c.State == types.StatePending || c.LastUpdateStatus == types.LastUpdateStatusInProgress:
		return []Finding{{"", Warn, j.name, "is being set up", "look again in a minute"}}
	}
	if limit := j.found.Concurrency; limit != nil && aws.ToInt32(limit.ReservedConcurrentExecutions) == 0 && limit.ReservedConcurrentExecutions != nil {
		return []Finding{{"", Fail, j.name, "its reserved concurrency is 0: it never runs", "aws lambda delete-function-concurrency --function-name " + j.name}}
	}
	return []Finding{{"", OK, j.name, fmt.Sprintf("%s, %d MB", c.State, aws.ToInt32(c.MemorySize)), ""}}
}

// mapping looks at what polls the function's queue.
func (v *visit) mapping(ctx context.Context, j job) Finding {
	out, err := lambda.NewFromConfig(v.cfg).ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: &j.name})
	subject := j.name + " mapping"
	if err != nil {
		return unseen(subject, err)
	}
	f := Finding{Status: Fail, Subject: subject, Found: "nothing polls the function's queue", Do: restore}
	for _, m := range out.EventSourceMappings {
		switch state := aws.ToString(m.State); state {
		case "Enabled":
			return Finding{Status: OK, Subject: subject, Found: "polls " + aws.ToString(m.EventSourceArn)}
		case "Creating", "Enabling", "Updating":
			f = Finding{Status: Warn, Subject: subject, Found: state, Do: "look again in a minute"}
		default:
			f = Finding{Status: Fail, Subject: subject, Found: state + ": " + aws.ToString(m.EventSourceArn) + " isn't polled", Do: "aws lambda update-event-source-mapping --enabled --uuid " + aws.ToString(m.UUID)}
		}
	}
	return f
}
