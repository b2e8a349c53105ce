package redrive

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/deployment"
	"autotagger/internal/function"
	"autotagger/internal/plan"
)

// The reasons of letters to which no function gave one, and of those that it can't
// read.
const (
	ReceiveCountExceeded = "receive-count-exceeded"
	Undelivered          = "undelivered"
	Malformed            = string(cloudtrail.Malformed)
)

// Outcome is what became of a letter.
type Outcome string

const (
	// Replayed: the function's queue has it, and the dead letter is gone.
	Replayed Outcome = "replayed"
	// Copied: the function's queue has it, and the dead letter could not be deleted.
	Copied Outcome = "copied"
	// Kept: it was left as it is.
	Kept Outcome = "kept"
	// Failed: it could not be sent, and is still there.
	Failed Outcome = "failed"
	// WouldReplay is what a dry run says.
	WouldReplay Outcome = "would-replay"
)

// Letter is a message of a dead-letter queue.
type Letter struct {
	ID        string            // SQS's messageId
	Event     *cloudtrail.Event // nil where none can be read
	Functions []string          // whose it is; none where it is nobody's
	Reason    string
	Error     string // AWS's words, where there are any
	// Since is when it came into the queue, or of what SQS itself moved when its event
	// came into the function's: SQS keeps messages for so long from then on.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
	Since time.Time

	Outcome Outcome
	Why     string // of a letter that isn't Replayed

	rule          string // of an undelivered one
	queue         string // where it lies
	body, receipt string
}

// Malformed reports whether a function has no use for it: another try ends the same.
func (l *Letter) Malformed() bool { return l.Reason == Malformed }

// at is the time that a letter is about.
func (l *Letter) at() time.Time {
	if l.Event != nil && !l.Event.Time.IsZero() {
		return l.Event.Time
	}
	return l.Since
}

// box is a queue that letters lie in: a function's, or that of the undelivered.
type box struct{ queue, function string }

func (q Queues) boxes() []box {
	var all []box
	for _, f := range Functions() {
		if url := q.DeadLetters[f]; url != "" {
			all = append(all, box{url, f})
		}
	}
	if q.Undelivered != "" {
		all = append(all, box{queue: q.Undelivered})
	}
	return all
}

// read makes a letter of a message.
func (b box) read(m types.Message, c *catalogue.Catalogue) *Letter {
	text := func(name string) string { return aws.ToString(m.MessageAttributes[name].StringValue) }
	l := &Letter{
		ID: aws.ToString(m.MessageId), queue: b.queue, body: aws.ToString(m.Body), receipt: aws.ToString(m.ReceiptHandle),
		Reason: text(function.AttributeReason), Error: text(function.AttributeError),
	}
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		l.Since = time.UnixMilli(ms).UTC()
	}
	event, err := cloudtrail.Decode(l.body)
	unusable, _ := errors.AsType[*cloudtrail.Error](err)
	malformed := unusable != nil && unusable.Reason == cloudtrail.Malformed
	if !malformed {
		l.Event = event
	}
	switch {
	case b.function != "":
		l.Functions = []string{b.function}
		if l.Reason == "" {
			l.Reason = ReceiveCountExceeded
		}
	default:
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
		l.Reason, l.Error = Undelivered, strings.Trim(text("ERROR_CODE")+": "+text("ERROR_MESSAGE"), ": ")
		l.rule = nameOf(text("RULE_ARN"))
		l.Functions = recipients(c, l.rule, event, err)
	}
	if malformed {
		l.Reason = Malformed
		if l.Error == "" {
			l.Error = unusable.Detail
		}
	}
	return l
}

// recipients are the functions that a rule's events are for. What a spoke could not
// forward is for those that the hub's bus would have given it to.
func recipients(c *catalogue.Catalogue, rule string, event *cloudtrail.Event, unreadable error) []string {
	for _, f := range Functions() {
		if strings.HasPrefix(rule, deployment.RulePrefix(f)) {
			return []string{f}
		}
	}
	switch {
	case !strings.HasPrefix(rule, deployment.RulePrefix(deployment.Forward)) || unreadable != nil:
		return nil
	case slices.Contains(catalogue.LedgerSources(), event.Source):
		return []string{deployment.Ledger}
	case makesBucket(c, event):
		return []string{deployment.Tagger, deployment.CORS}
	}
	return []string{deployment.Tagger}
}

func makesBucket(c *catalogue.Catalogue, e *cloudtrail.Event) bool {
	row, err := c.Lookup(e.Source, e.Name)
	return err == nil && row != nil && slices.ContainsFunc(row.Resources, func(r catalogue.Resource) bool { return r.Type == plan.BucketType })
}
