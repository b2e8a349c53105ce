package function

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	// Again: it is tried again, after a while; or looked at again, where its tags
	// were written without a link that may yet come.
	Again End = "again"
	// DeadLetter: it is kept for a person, with the reason.
	DeadLetter End = "dead-letter"
)

// ending is a message's end and what goes with it.
type ending struct {
	end           End
	after         time.Duration // until it comes Again
	anew          bool          // it does so as a new message, which says that it was denied
	reason, cause string        // of a DeadLetter
}

// desk is what every function does its messages' ends with.
type desk struct {
	queue Queue // may be nil
	log   *slog.Logger
	now   func() time.Time
}

func (h *Handler) desk() desk { return desk{h.Queue, h.Log, h.Now} }

// end decides what becomes of a message.
func (h *Handler) end(m events.SQSMessage, r *pipeline.Result) ending {
	if r.Settled() {
		if since := h.desk().since(m); r.Provisional() && since < schedule.Denied {
			return ending{end: Again, after: schedule.Denied - since}
		}
		return ending{end: Done}
	}
	row := r.Row()
	if row.Reason != "" { // it can't be read, or the program has a fault
		return ending{end: DeadLetter, reason: row.Reason, cause: row.Detail}
	}
	since := h.desk().since(m)
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
	if len(retries) > 0 {
		return h.desk().again(m, retries)
	}
	_, twice := m.MessageAttributes[AttributeDenied]
	switch {
	case len(denials) > 0 && h.Queue != nil && !twice:
		return ending{end: Again, after: schedule.Denied, anew: true}
	case len(denials) > 0 && h.Queue == nil && since < schedule.Denied:
		return ending{end: Again, after: schedule.Denied - since}
	case len(failures) > 0:
		f := failures[0]
		return ending{end: DeadLetter, reason: "failed: " + f.why, cause: f.cause()}
	}
	return ending{end: Done}
}

// again decides when a message is tried again, or that it was for long enough.
func (d desk) again(m events.SQSMessage, retries []fate) ending {
	since := d.since(m)
	pause, ok := schedule.Next(since)
	switch {
	case slices.ContainsFunc(retries, func(f fate) bool { return f.why == apply.WhyDeadline }) && receives(m) < schedule.Tries(since)+spared:
		return ending{end: Again, after: rand.N(stagger)} // something of it wasn't tried
	case !slices.ContainsFunc(retries, func(f fate) bool { return f.after == 0 }):
		return ending{end: Again, after: slices.MinFunc(retries, func(a, b fate) int { return cmp.Compare(a.after, b.after) }).after}
	case ok:
		return ending{end: Again, after: pause}
	}
	return ending{end: DeadLetter, reason: "retries-exhausted: " + retries[0].why, cause: retries[0].cause()}
}

// stagger is within how long what the deadline has cut off comes again. Were that on
// its schedule, a backlog would take hours; were it always at once, messages that are
// unlucky again and again would use up their receives. So each may be cut off a few times
// more than the schedule has tries, and then waits for the next of these: it is never
// received more often than [schedule.Tries] and spared.
const stagger = 20 * time.Second

// since is how long ago a message was first received.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (d desk) since(m events.SQSMessage) time.Duration {
	first, ok := moment(m.Attributes["ApproximateFirstReceiveTimestamp"])
	if !ok {
		return 0
	}
	return max(0, d.now().Sub(first))
}

// received is when an event was first received, in this message or in the one that it
// was denied in; zero if that isn't known.
func received(m events.SQSMessage) time.Time {
	if denied := m.MessageAttributes[AttributeDenied].StringValue; denied != nil {
		if first, ok := moment(*denied); ok {
			return first
		}
	}
	first, _ := moment(m.Attributes["ApproximateFirstReceiveTimestamp"])
	return first
}

// moment reads milliseconds since 1970.
func moment(s string) (time.Time, bool) {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.UnixMilli(ms), true
}

// receives is how often a message was received, 0 if that isn't known.
func receives(m events.SQSMessage) int {
	n, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	return n
}

// fate is what became of one job on one resource. The outcomes of CORS have the
// names of those of tags, as far as they matter here.
type fate struct {
	outcome apply.Outcome
	why     string
	err     error
	after   time.Duration // when another try is worth it, if that is known
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
		all = append(all, fate{r.Tag.Outcome, r.Tag.Why, r.Tag.Err, r.Tag.After})
	}
	if r.CORS != nil {
		all = append(all, fate{outcome: apply.Outcome(r.CORS.Outcome), why: r.CORS.Why, err: r.CORS.Err})
	}
	return all
}

// finish brings messages to their ends and returns those that aren't acknowledged:
// the ones that come again, and those that couldn't be sent elsewhere. Without a Queue
// dead letters are left to the queue's own count of receives.
func (d desk) finish(ctx context.Context, batch []events.SQSMessage, ends []ending) []events.SQSBatchItemFailure {
	failures := []events.SQSBatchItemFailure{} // null would mean the same to Lambda, not to every emulator
	leave := func(i int) {
		failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: batch[i].MessageId})
	}
	var hidden []Hidden
	var letters []Letter
	var denied []Denied
	var dead, anew []int // their messages
	for i, e := range ends {
		m := batch[i]
		switch {
		case e.anew:
			denied, anew = append(denied, Denied{Body: m.Body, First: received(m)}), append(anew, i)
		case e.end == Again:
			leave(i)
			hidden = append(hidden, Hidden{Receipt: m.ReceiptHandle, For: e.after})
		case e.end == DeadLetter:
			letters, dead = append(letters, Letter{Body: m.Body, Reason: e.reason, Error: e.cause}), append(dead, i)
		}
	}
	if d.queue == nil {
		for _, i := range dead {
			leave(i)
		}
		return failures
	}
	unsent := func(what string, i int, err error) {
		d.log.LogAttrs(ctx, slog.LevelError, what, slog.String(KeyMessageID, batch[i].MessageId), slog.String("error", err.Error()))
		leave(i)
	}
	if len(letters) > 0 {
		for n, err := range d.queue.Keep(ctx, letters) {
			if err != nil {
				unsent("sending a dead letter", dead[n], err)
			}
		}
	}
	if len(denied) > 0 {
		for n, err := range d.queue.Renew(ctx, denied) {
			if err != nil {
				unsent("sending what was denied anew", anew[n], err)
				hidden = append(hidden, Hidden{Receipt: batch[anew[n]].ReceiptHandle, For: schedule.Denied})
			}
		}
	}
	d.hide(ctx, hidden)
	return failures
}

// hide hides messages. What can't be hidden comes when the queue wants, so that a
// failure is only told.
func (d desk) hide(ctx context.Context, hidden []Hidden) {
	if len(hidden) == 0 {
		return
	}
	if err := d.queue.Hide(ctx, hidden); err != nil {
		d.log.LogAttrs(ctx, slog.LevelError, "hiding messages", slog.String("error", err.Error()))
	}
}

// wait hides a batch that was not even begun until each message's next try, so that
// what keeps the function from its work for hours doesn't use up their receives.
func (d desk) wait(ctx context.Context, batch []events.SQSMessage) {
	var hidden []Hidden
	for _, m := range batch {
		pause, ok := schedule.Next(d.since(m))
		if !ok {
			pause = time.Hour
		}
		hidden = append(hidden, Hidden{Receipt: m.ReceiptHandle, For: pause})
	}
	if d.queue != nil {
		d.hide(ctx, hidden)
	}
}
