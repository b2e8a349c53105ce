package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"autotagger/internal/deployment"
)

// old is how long the oldest message of a working queue may wait before it is worth
// a look. SQS leaves out those that were received three times, as what is tried again
// for twelve hours.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
const old = time.Hour

// queue is a queue and what is in it.
type queue struct {
	name   string // what the stack's output calls it, or SQS's name
	region string
	url    string
	inside depth
	arn    string
	err    error
	absent bool
}

// depth counts messages. All counts of SQS are approximate and up to a minute late.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
type depth struct{ visible, inFlight, delayed int }

func (d depth) total() int { return d.visible + d.inFlight + d.delayed }

func (d depth) String() string {
	text := fmt.Sprintf("%d messages", d.total())
	if d.total() == 1 {
		text = "1 message"
	}
	if d.inFlight > 0 {
		text += fmt.Sprintf(", %d of them being handled", d.inFlight)
	}
	return text
}

// kind tells what a queue is for by its name.
func (q queue) kind() string {
	name := strings.ToLower(q.name)
	switch {
	case strings.Contains(name, "undelivered"):
		return "undelivered"
	case strings.Contains(name, "deadletter"), strings.Contains(name, "dlq"):
		return "dead letters"
	}
	return "work"
}

func (v *visit) client(region string) *sqs.Client {
	return sqs.NewFromConfig(v.cfg, func(o *sqs.Options) { o.Region = region })
}

// measure counts what is in a queue.
func (v *visit) measure(ctx context.Context, q queue) queue {
	out, err := v.client(q.region).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); ok {
		q.absent = true
		return q
	}
	if err != nil {
		q.err = err
		return q
	}
	number := func(name types.QueueAttributeName) int {
		n, _ := strconv.Atoi(out.Attributes[string(name)]) // SQS's own number
		return n
	}
	q.inside = depth{
		visible:  number(types.QueueAttributeNameApproximateNumberOfMessages),
		inFlight: number(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible),
		delayed:  number(types.QueueAttributeNameApproximateNumberOfMessagesDelayed),
	}
	q.arn = out.Attributes[string(types.QueueAttributeNameQueueArn)]
	return q
}

// hubQueues are the queues that the hub's stack names.
func (v *visit) hubQueues() []queue {
	urls := v.hub.queueURLs()
	var all []queue
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		all = append(all, queue{name: name, region: v.region, url: urls[name]})
	}
	return all
}

// spokeQueues lists the queues of this account's spokes in a region, beside those
// of the hub: CloudFormation names them for their stacks.
func (v *visit) spokeQueues(ctx context.Context, region string) ([]queue, error) {
	ours := map[string]bool{} // by name: hosts of URLs may differ
	for _, q := range v.hubQueues() {
		ours[q.region+last(q.url)] = true
	}
	var all []queue
	for _, prefix := range []string{deployment.Stack + "-", "StackSet-" + deployment.Prefix} {
		pages := sqs.NewListQueuesPaginator(v.client(region), &sqs.ListQueuesInput{QueueNamePrefix: &prefix})
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, url := range out.QueueUrls {
				if !ours[region+last(url)] {
					// What a spoke has is a dead-letter queue, whatever its name.
					all = append(all, queue{name: "spoke's Undelivered", region: region, url: url})
				}
			}
		}
	}
	return all, nil
}

// everyQueue measures the hub's queues and those of this account's spokes.
func (v *visit) everyQueue(ctx context.Context) ([]queue, []Finding) {
	all := v.hubQueues()
	var findings []Finding
	type seen struct {
		queues []queue
		err    error
	}
	for i, s := range each(v.regions, func(region string) seen {
		queues, err := v.spokeQueues(ctx, region)
		return seen{queues, err}
	}) {
		if s.err != nil {
			findings = append(findings, unseen("queues in "+v.regions[i], s.err))
		}
		all = append(all, s.queues...)
	}
	return each(all, func(q queue) queue { return v.measure(ctx, q) }), findings
}

// queues looks for messages that wait too long or that nobody will handle.
func (v *visit) queues(ctx context.Context) []Finding {
	all, findings := v.everyQueue(ctx)
	if len(all) == 0 {
		return append(findings, Finding{"", Fail, deployment.Stack, "the stack names no queues", "make deploy"})
	}
	ages, err := v.ages(ctx, all)
	if err != nil {
		findings = append(findings, unseen("age of the oldest message", err))
	}
	for _, q := range all {
		f := Finding{Status: OK, Subject: q.name, Found: q.inside.String()}
		if q.region != v.region {
			f.Subject += " in " + q.region
		}
		switch {
		case q.err != nil:
			f = unseen(f.Subject, q.err)
		case q.absent:
			f.Status, f.Found, f.Do = Fail, "the queue is gone", restore
		case q.inside.total() == 0:
			f.Found = "empty"
		case q.kind() == "dead letters":
			f.Status = Fail
			f.Found += ": events that the function gave up on, kept for 14 days"
			f.Do = "autotagger redrive says why; mend it, then autotagger redrive --replay: docs/redrive.md"
		case q.kind() == "undelivered":
			f.Status = Fail
			f.Found += ": events that EventBridge could not deliver, kept for 14 days"
			f.Do = "autotagger redrive says why; mend it, then autotagger redrive --replay: docs/redrive.md"
			if q.region != v.region {
				f.Do = "autotagger redrive --undelivered " + q.url + " says why: docs/redrive.md"
			}
		case ages[q.url] > old:
			f.Status = Warn
			f.Found += ", the oldest " + ages[q.url].Round(time.Minute).String() + " old"
			f.Do = "look at the function's errors and throttles: docs/troubleshooting.md"
		}
		findings = append(findings, f)
	}
	if v.organization {
		findings = append(findings, Finding{"", Info, "spokes", "queues of spokes in other accounts can't be seen from here", "their alarms say when one isn't empty"})
	}
	return findings
}

// drained answers one question: is any message left? Removing the stacks loses what
// is in their queues.
func (v *visit) drained(ctx context.Context, file string) []Finding {
	const name = "drained"
	findings, ok := v.identify(ctx)
	if !ok {
		return findings
	}
	v.configuration(file) // for the companions; its faults are nothing to drain
	findings = nil
	for _, f := range v.survey(ctx) {
		if f.Status == Fail && v.hub == nil || f.Status == Unknown {
			findings = append(findings, f)
		}
	}
	if v.hub == nil {
		if len(findings) > 0 {
			return findings
		}
		// Other regions' stacks may belong to a hub elsewhere.
		return []Finding{{name, Fail, deployment.Stack, "there is no hub in " + v.region + ", so that its queues weren't looked at", "set AWS_REGION to the hub's region; if the hub is gone already, npx cdk destroy --all removes what is left"}}
	}
	return append(findings, v.runAll(ctx, []check{{name, func(v *visit, ctx context.Context) []Finding {
		all, findings := v.everyQueue(ctx)
		for _, q := range all {
			f := Finding{Status: OK, Subject: q.name, Found: "empty"}
			if q.region != v.region {
				f.Subject += " in " + q.region
			}
			switch {
			case q.err != nil:
				f = unseen(f.Subject, q.err)
			case q.absent:
				f.Found = "the queue is gone"
			case q.inside.total() == 0:
			case q.kind() == "work":
				f.Status, f.Found, f.Do = Fail, q.inside.String()+" to be handled yet", "disable the rules, then wait: what isn't ready is tried again for up to twelve hours"
			default:
				f.Status, f.Found, f.Do = Fail, q.inside.String()+" that nobody handles any more", "redrive or save them ("+page+"), or give them up: aws sqs purge-queue --region "+q.region+" --queue-url "+q.url
			}
			findings = append(findings, f)
		}
		return findings
	}}})...)
}
