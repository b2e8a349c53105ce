package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/resolve"
	"autotagger/internal/schedule"
)

// The attributes of a dead letter that the function has sent. One without Reason was
// moved by the queue: it was received too often, as when a function dies of it.
const (
	AttributeReason = "Reason" // the outcome and why, in a few words
	AttributeError  = "Error"  // AWS's words, where there are any
)

// AttributeDenied is of a message that the function has put into its own queue, in place
// of one that AWS denied something of: when the event was first received, in
// milliseconds since 1970. What carries it and is denied again is done with.
const AttributeDenied = "Denied"

// Hidden is a message that is to come again after a while, by its receipt.
type Hidden struct {
	Receipt string
	For     time.Duration
}

// Letter is a message that is to be kept for a person.
type Letter struct{ Body, Reason, Error string }

// Denied is a message that is to come again as a new one, once, and when its event was
// first received: zero if that isn't known.
type Denied struct {
	Body  string
	First time.Time
}

// Queue is what a function does with its queues beside acknowledging messages.
type Queue interface {
	// Hide lets messages come again later than the queue would have them. What can't
	// be hidden comes when the queue wants.
	Hide(context.Context, []Hidden) error
	// Keep puts letters into the dead-letter queue: an error for each, in their
	// order.
	Keep(context.Context, []Letter) []error
	// Renew puts what was denied anew into the queue, with [AttributeDenied], from which
	// it comes after [schedule.Denied]: an error for each, in their order.
	Renew(context.Context, []Denied) []error
}

// queues are a function's own in SQS. Two calls of it need no client.
type queues struct {
	c                 *awsapi.Caller
	region            string
	work, deadLetters string // URLs
}

// most is how many messages SQS takes in a call.
const most = 10

// maxAttribute is how many bytes of an error go into a letter: a message has room for
// 1 MiB, and so has an event.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const maxAttribute = 1024

// Hide changes when messages become visible.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
func (q *queues) Hide(ctx context.Context, all []Hidden) error {
	var entries []any
	for i, h := range all {
		entries = append(entries, map[string]any{"Id": fmt.Sprint(i), "ReceiptHandle": h.Receipt, "VisibilityTimeout": int(math.Ceil(h.For.Seconds()))})
	}
	var first error
	for _, err := range q.batches(ctx, "ChangeMessageVisibilityBatch", q.work, entries) {
		if err != nil && first == nil {
			first = fmt.Errorf("hiding messages: %w", err)
		}
	}
	return first
}

// Keep sends letters.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func (q *queues) Keep(ctx context.Context, all []Letter) []error {
	var entries []any
	for i, l := range all {
		entries = append(entries, map[string]any{
			"Id": fmt.Sprint(i), "MessageBody": l.Body,
			"MessageAttributes": attributes(map[string]string{AttributeReason: l.Reason, AttributeError: l.Error}),
		})
	}
	return q.batches(ctx, "SendMessageBatch", q.deadLetters, entries)
}

// Renew sends messages with a timer, of fifteen minutes at most.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
func (q *queues) Renew(ctx context.Context, all []Denied) []error {
	var entries []any
	for i, d := range all {
		entries = append(entries, map[string]any{
			"Id": fmt.Sprint(i), "MessageBody": d.Body, "DelaySeconds": int(schedule.Denied.Seconds()),
			"MessageAttributes": attributes(map[string]string{AttributeDenied: fmt.Sprint(d.First.UnixMilli())}),
		})
	}
	return q.batches(ctx, "SendMessageBatch", q.work, entries)
}

// attributes are those of a message, as SQS takes them; ones without a value it doesn't.
func attributes(texts map[string]string) map[string]any {
	all := map[string]any{}
	for name, value := range texts {
		if value = attributeText(value); value != "" {
			all[name] = map[string]any{"DataType": "String", "StringValue": value}
		}
	}
	return all
}

// errUnsent is what a message starts with: only AWS's own word makes it sent.
var errUnsent = errors.New("SQS said nothing of it")

// batches sends entries, each with its index as Id, and returns an error for each.
func (q *queues) batches(ctx context.Context, op, url string, entries []any) []error {
	errs := make([]error, len(entries))
	for i := range errs {
		errs[i] = errUnsent
	}
	var wg sync.WaitGroup
	for start, end := 0, 0; start < len(entries); start = end {
		from, to := start, q.fit(entries, start)
		wg.Go(func() { q.batch(ctx, op, url, entries[from:to], errs, from) })
		end = to
	}
	wg.Wait()
	return errs
}

// fit is how far a call reaches: ten entries, and no more than it may weigh.
func (q *queues) fit(entries []any, from int) int {
	const room = 1 << 20
	size := 0
	for i := from; i < len(entries) && i < from+most; i++ {
		b, _ := json.Marshal(entries[i]) // maps of texts and numbers
		if size += len(b); size > room && i > from {
			return i
		}
	}
	return min(from+most, len(entries))
}

// batch sends one call's entries, the first of which has the given Id.
func (q *queues) batch(ctx context.Context, op, url string, entries []any, errs []error, first int) {
	body, err := q.c.Do(ctx, awsapi.Call{
		Service: &catalogue.Service{ID: "SQS", Signing: "sqs", Protocol: catalogue.JSON10, Version: "AmazonSQS"},
		Op:      op, Region: q.region, ARN: "arn:" + resolve.Partition(q.region) + ":",
		Fields: map[string]any{"QueueUrl": url, "Entries": entries},
	})
	var answer struct {
		Successful []struct{ ID string }
		Failed     []struct{ ID, Code, Message string }
	}
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		for i := range entries {
			errs[first+i] = err
		}
		return
	}
	for _, sent := range answer.Successful {
		if i, err := strconv.Atoi(sent.ID); err == nil && i >= first && i < first+len(entries) {
			errs[i] = nil
		}
	}
	for _, f := range answer.Failed {
		if i, err := strconv.Atoi(f.ID); err == nil && i >= first && i < first+len(entries) {
			errs[i] = fmt.Errorf("%s: %s: %s", op, f.Code, f.Message)
		}
	}
}

// attributeText is a text that SQS takes as an attribute's value: characters of XML, and
// not too many.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func attributeText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxAttribute {
		s = strings.ToValidUTF8(s[:maxAttribute], "")
	}
	return s
}

func newQueues(cfg aws.Config, work, deadLetters string) *queues {
	return &queues{c: awsapi.New(cfg, nil), region: cfg.Region, work: work, deadLetters: deadLetters}
}
