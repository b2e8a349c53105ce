package function

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"autotagger/internal/apply"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/deployment"
	"autotagger/internal/ledger"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/resolve"
)

// outcomeRecord is that of an event that left something in the ledger.
const outcomeRecord = "record"

// Recorder handles batches of messages for the ledger. It has no configuration: what it
// gets is what the rules let through.
type Recorder struct {
	Table interface {
		// Put writes items: an error for each, in their order.
		Put(context.Context, []ledger.Item) []error
	}
	Guard *pipeline.Guard
	// Queue may be nil, as a [Handler]'s.
	Queue   Queue
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time
}

// MainLedger runs the function ledger until Lambda stops it and returns the exit code.
func MainLedger() int {
	r, err := NewRecorder(context.Background(), os.Getenv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		return 1
	}
	lambda.Start(r.Handle)
	return 0
}

// NewRecorder sets up the function ledger's handler, as New does the others'.
func NewRecorder(ctx context.Context, env func(string) string) (*Recorder, error) {
	if env(deployment.EnvTable) == "" {
		return nil, fmt.Errorf("opening the ledger: %s is not set; it is to name the table", deployment.EnvTable)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return AssembleRecorder(cfg, env, lambdacontext.NewLogger(), os.Stdout), nil
}

// AssembleRecorder is NewRecorder where the way to AWS and the outputs are given. Metrics
// go to out.
func AssembleRecorder(cfg aws.Config, env func(string) string, log *slog.Logger, out io.Writer) *Recorder {
	r := &Recorder{
		Guard: &pipeline.Guard{Account: env(deployment.EnvAccount)},
		Log:   log, Metrics: NewMetrics(out, deployment.Ledger, time.Now), Now: time.Now,
	}
	r.Table = ledger.New(cfg, env(deployment.EnvTable), ledger.Options{Now: time.Now, OnCall: r.Metrics.Call})
	if work, deadLetters := env(deployment.EnvQueue), env(deployment.EnvDeadLetters); work != "" && deadLetters != "" {
		r.Queue = newQueues(cfg, work, deadLetters)
	}
	return r
}

// note is what becomes of a message's event.
type note struct {
	event  *cloudtrail.Event // nil of a message that isn't one
	why    string            // outcomeRecord, or why it leaves nothing
	detail string
	items  []ledger.Item
	errs   []fate
}

// Handle records a batch and returns the messages that are to come again.
func (r *Recorder) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	if len(batch.Records) == 0 {
		return events.SQSEventResponse{}, ErrNotABatch
	}
	work, report, end := within(ctx)
	defer end()
	started := r.Now()
	d := desk{r.Queue, r.Log, r.Now}
	messages, aside := d.part(report, batch.Records)
	notes := make([]note, len(messages))
	var items []ledger.Item
	for i, m := range messages {
		notes[i] = r.read(m)
		items = append(items, notes[i].items...)
	}
	errs := r.Table.Put(work, items)
	ends := make([]ending, len(messages))
	recorded := map[ledger.Kind]int{}
	for i := range notes {
		n := &notes[i]
		for _, err := range errs[:len(n.items)] {
			if err != nil {
				n.errs = append(n.errs, unwritten(err))
			}
		}
		errs = errs[len(n.items):]
		ends[i] = n.end(d, messages[i])
		r.log(ctx, messages[i], n, ends[i])
		if r.count(n, ends[i]) {
			recorded[n.items[0].Kind()]++
		}
	}
	r.Log.LogAttrs(ctx, slog.LevelInfo, "batch", slog.Int("events", len(messages)), slog.Any("recorded", recorded), slog.Int64(KeyMillis, r.Now().Sub(started).Milliseconds()))
	failures := append(d.finish(report, messages, ends), aside...)
	r.Metrics.Flush()
	return events.SQSEventResponse{BatchItemFailures: failures}, nil
}

// read is what a message leaves in the ledger.
func (r *Recorder) read(m events.SQSMessage) note {
	e, err := cloudtrail.Decode(m.Body)
	if err != nil {
		why, detail := cloudtrail.Fault(err)
		return note{event: e, why: string(why), detail: detail}
	}
	if why := r.Guard.Refuses(e, plan.Resource{Resource: resolve.Resource{Account: e.Delivered}}); why != "" {
		return note{event: e, why: apply.WhyAccounts, detail: why}
	}
	items, why := ledger.Read(e)
	if why != "" {
		return note{event: e, why: string(why)}
	}
	return note{event: e, why: outcomeRecord, items: items}
}

// unwritten is the fate of an item that couldn't be written. What is denied may be
// allowed later: nothing but the deployment itself can deny it.
func unwritten(err error) fate {
	outcome, why := apply.Fate(err)
	if outcome == apply.Denied {
		outcome = apply.Retry
	}
	return fate{outcome: outcome, why: why, err: err}
}

// end decides what becomes of the message.
func (n *note) end(d desk, m events.SQSMessage) ending {
	if n.why == string(cloudtrail.Malformed) {
		return ending{end: DeadLetter, reason: n.why, cause: n.detail}
	}
	var retries []fate
	for _, f := range n.errs {
		if f.outcome != apply.Retry {
			return ending{end: DeadLetter, reason: "failed: " + f.why, cause: f.cause()}
		}
		retries = append(retries, f)
	}
	if len(retries) > 0 {
		return d.again(m, retries)
	}
	return ending{end: Done}
}

// log writes a line for an event that doesn't simply end, and for the others at debug
// level: of roles that are assumed there are many.
func (r *Recorder) log(ctx context.Context, m events.SQSMessage, n *note, e ending) {
	level := slog.LevelDebug
	if e.end != Done || n.why == apply.WhyAccounts {
		level = slog.LevelWarn
	}
	if !r.Log.Enabled(ctx, level) {
		return
	}
	event := n.event
	if event == nil {
		event = &cloudtrail.Event{}
	}
	var ids []string
	for _, i := range n.items {
		ids = append(ids, i.ID)
	}
	cause := n.detail
	if len(n.errs) > 0 {
		cause = n.errs[0].cause()
	}
	r.Log.LogAttrs(ctx, level, "event",
		slog.String(KeyOutcome, n.why), slog.String(KeyDetail, cause),
		slog.String(KeySource, event.Source), slog.String(KeyName, event.Name), slog.String(KeyEventID, event.ID),
		slog.String(KeyMessageID, m.MessageId), slog.String(KeyAccount, event.Account), slog.String(KeyRegion, event.Region), slog.Any("items", ids),
		slog.String(KeyEnd, string(e.end)), slog.Int(KeyAfter, int(e.after.Seconds())), slog.String(KeyReason, e.reason))
}

// count adds the event to the metrics, and reports whether it was recorded.
func (r *Recorder) count(n *note, e ending) bool {
	service := "none"
	if n.event != nil && n.event.Source != "" {
		service = n.event.Service()
	}
	r.Metrics.Count("Events", 1)
	r.Metrics.Count("Events", 1, Dimension{"Service", service}, Dimension{"Decision", n.why})
	r.Metrics.Count("Ends", 1, Dimension{"End", string(e.end)})
	if n.why == apply.WhyAccounts {
		r.Metrics.Count("Refused", 1)
	}
	if len(n.items) == 0 || len(n.errs) > 0 {
		return false
	}
	r.Metrics.Count("Recorded", 1, Dimension{"Kind", string(n.items[0].Kind())})
	r.Metrics.Observe("RecordLatency", "Seconds", r.Now().Sub(n.event.Time).Seconds())
	return true
}
