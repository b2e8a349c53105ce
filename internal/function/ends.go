package function

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/apply"
	"autotagger/internal/pipeline"
	"autotagger/internal/schedule"
)

// End is what becomes of a message. Each has exactly one.
type End string

const (
	// Done: nothing is left to do, or nothing that another try would change: what
	// was denied twice.
	Done End = "done"
	// Again: it is tried again, after a while.
	Again End = "again"
	// DeadLetter: it is kept for a person, with the reason.
	DeadLetter End = "dead-letter"
)

// ending is a message's end and what goes with it.
type ending struct {
	end           End
	after         time.Duration // until it comes Again
	reason, cause string        // of a DeadLetter
}

// end decides what becomes of a message.
func (h *Handler) end(m events.SQSMessage, r *pipeline.Result) ending {
	if r.Settled() {
		return ending{end: Done}
	}
	row := r.Row()
	if row.Reason != "" { // it can't be read, or the program has a fault
		return ending{end: DeadLetter, reason: row.Reason, cause: row.Detail}
	}
	since := h.since(m)
	var retries, denials, failures []fate
	for i := range r.Resources {
		for _, f := range fates(&r.Resources[i]) {
			switch f.outcome {
			case apply.Retry:
				retries = append(retries, f)
			case apply.Denied:
				denials = append(denials, f)
			case apply.Failed:
				failures = append(failures, f)
			}
		}
	}
	for _, f := range retries {
		if f.why == apply.WhyDeadline { // it wasn't tried
			return ending{end: Again}
		}
	}
	if len(retries) > 0 {
		if pause, ok := schedule.Next(since); ok {
			return ending{end: Again, after: pause}
		}
		return ending{end: DeadLetter, reason: "retries-exhausted: " + retries[0].why, cause: retries[0].cause()}
	}
	switch {
	case len(failures) > 0:
		f := failures[0]
		return ending{end: DeadLetter, reason: "failed: " + f.why, cause: f.cause()}
	case len(denials) > 0 && since < schedule.Denied:
		return ending{end: Again, after: schedule.Denied - since}
	}
	return ending{end: Done}
}

// since is how long ago a message was first received.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (h *Handler) since(m events.SQSMessage) time.Duration {
	first, err := strconv.ParseInt(m.Attributes["ApproximateFirstReceiveTimestamp"], 10, 64)
	if err != nil {
		return 0
	}
	return max(0, h.Now().Sub(time.UnixMilli(first)))
}

// fate is what became of one job on one resource. The outcomes of CORS have the
// names of those of tags, as far as they matter here.
type fate struct {
	outcome apply.Outcome
	why     string
	err     error
}

func (f fate) cause() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func fates(r *pipeline.ResourceResult) []fate {
	var all []fate
	if r.Tag != nil {
		all = append(all, fate{r.Tag.Outcome, r.Tag.Why, r.Tag.Err})
	}
	if r.CORS != nil {
		all = append(all, fate{apply.Outcome(r.CORS.Outcome), r.CORS.Why, r.CORS.Err})
	}
	return all
}

// finish brings messages to their ends and returns those that aren't acknowledged:
// the ones that come again, and dead letters that couldn't be sent. Without a Queue
// those of a function's own accord are left to the queue, too.
func (h *Handler) finish(ctx context.Context, batch []events.SQSMessage, ends []ending) []events.SQSBatchItemFailure {
	failures := []events.SQSBatchItemFailure{} // null would mean the same to Lambda, not to every emulator
	leave := func(i int) {
		failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: batch[i].MessageId})
	}
	var hidden []Hidden
	var letters []Letter
	var of []int // the letters' messages
	for i, e := range ends {
		switch e.end {
		case Again:
			leave(i)
			hidden = append(hidden, Hidden{Receipt: batch[i].ReceiptHandle, For: e.after})
		case DeadLetter:
			letters, of = append(letters, Letter{Body: batch[i].Body, Reason: e.reason, Error: e.cause}), append(of, i)
		}
	}
	if h.Queue == nil {
		for _, i := range of {
			leave(i)
		}
		return failures
	}
	if len(letters) > 0 {
		for n, err := range h.Queue.Keep(ctx, letters) {
			if err != nil {
				h.Log.LogAttrs(ctx, slog.LevelError, "sending a dead letter", slog.String(KeyMessageID, batch[of[n]].MessageId), slog.String("error", err.Error()))
				leave(of[n])
			}
		}
	}
	h.hide(ctx, hidden)
	return failures
}

// hide hides messages. What can't be hidden comes when the queue wants, so that a
// failure is only told.
func (h *Handler) hide(ctx context.Context, hidden []Hidden) {
	if len(hidden) == 0 {
		return
	}
	if err := h.Queue.Hide(ctx, hidden); err != nil {
		h.Log.LogAttrs(ctx, slog.LevelError, "hiding messages", slog.String("error", err.Error()))
	}
}
