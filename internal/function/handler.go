package function

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/policy"
)

// The keys of a log line.
const (
	KeyOutcome   = "outcome" // "tag", or the reason for skipping
	KeyDetail    = "detail"
	KeySource    = "source"
	KeyName      = "name"
	KeyEventID   = "eventId"
	KeyMessageID = "messageId"
	KeyAccount   = "account"
	KeyRegion    = "region"
	KeyCreator   = "creator"
	KeyResources = "resources" // how many
	KeyResults   = "results"   // a list: arn, outcome, cors, why, error, sources, tags, lastResort, forgot, unfit
	KeyBy        = "creatorBy" // what the creator's name rests on: see attribute.Basis
	// KeyUnverified stands where that is the name of a session which its caller chose.
	KeyUnverified = "unverified"
	KeyLookUps    = "lookUps" // a list: of, asked, answer
	KeyMissing    = "missing" // the link that isn't there
	KeyEnd        = "end"     // see End
	KeyAfter      = "after"   // seconds until it comes again
	KeyReason     = "reason"  // of a dead letter
	KeyMillis     = "ms"      // of the whole batch
	// Of the line "tags removed".
	KeyKeys     = "keys"
	KeyActor    = "actor"
	KeyActorARN = "actorArn"
)

// margin is what is kept of an invocation's time to report what isn't done:
// work that the deadline would cut off is left to the next delivery.
const margin = 2 * time.Second

// answering is what is kept of that to answer in: one without an answer is as if it had
// done nothing.
const answering = 250 * time.Millisecond

// lookFor is how long an invocation waits for the configuration.
const lookFor = 15 * time.Second

// Configuration says which policy holds. It is package live's, or the one that a
// function was deployed with.
type Configuration interface {
	// Policy returns the same pointer as long as the policy doesn't change.
	Policy(context.Context) (*policy.Policy, error)
	// Watch returns a context that ends when another policy than the given one
	// holds.
	Watch(context.Context, *policy.Policy) (watched context.Context, stop func())
}

// Handler handles batches of messages.
type Handler struct {
	Configuration Configuration
	// Line makes the pipeline for a policy.
	Line func(*policy.Policy) *pipeline.Pipeline
	// Queue may be nil: then nothing is hidden, and dead letters are left to the
	// queue's own count of receives.
	Queue   Queue
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time

	// The policy of the last invocation, and its pipeline.
	policy *policy.Policy
	line   *pipeline.Pipeline
}

// ErrNotABatch is what an invocation by anything but a queue ends with:
// reporting success would lose the event.
var ErrNotABatch = errors.New("reading the invocation: no SQS messages; the function is to be fed by its queue")

// Handle runs the pipeline over a batch and returns the messages that are to come
// again.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (h *Handler) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	if len(batch.Records) == 0 {
		return events.SQSEventResponse{}, ErrNotABatch
	}
	work, report, end := within(ctx)
	defer end()
	started := h.Now()
	line, work, stop, err := h.current(work)
	if err != nil {
		h.desk().wait(report, batch.Records)
		h.Metrics.Flush()
		return events.SQSEventResponse{}, err
	}
	defer stop()
	messages, aside := h.desk().part(report, batch.Records)
	records := make([]cloudtrail.Record, len(messages))
	for i, m := range messages {
		e, err := cloudtrail.Decode(m.Body)
		records[i] = cloudtrail.Record{N: i + 1, Event: e, Err: err, Received: received(m)}
	}
	results := line.Run(work, records)
	took := h.Now().Sub(started)
	ends := make([]ending, len(results))
	for i := range results {
		ends[i] = h.end(messages[i], &results[i])
		h.log(ctx, messages[i], &results[i], ends[i], took)
		h.count(&results[i], ends[i])
	}
	failures := append(h.desk().finish(report, messages, ends), aside...)
	h.Metrics.Flush()
	return events.SQSEventResponse{BatchItemFailures: failures}, nil
}

// within divides an invocation's time: work has to be done by then, and what became of it
// told.
func within(ctx context.Context) (work, report context.Context, end func()) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, ctx, func() {}
	}
	work, endWork := context.WithDeadline(ctx, deadline.Add(-margin))
	report, endReport := context.WithDeadline(ctx, deadline.Add(-answering))
	return work, report, func() { endWork(); endReport() }
}

// current returns the pipeline for the policy that holds, and a context that ends
// when another one does: what isn't done by then comes again, and is done under that.
// Lambda runs one invocation of a process at a time.
func (h *Handler) current(ctx context.Context) (*pipeline.Pipeline, context.Context, func(), error) {
	look, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	p, err := h.Configuration.Policy(look)
	if err != nil {
		return nil, nil, nil, err
	}
	if p != h.policy {
		h.policy, h.line = p, h.Line(p)
	}
	watched, stop := h.Configuration.Watch(ctx, p)
	return h.line, watched, stop, nil
}

// log writes the event's line.
func (h *Handler) log(ctx context.Context, m events.SQSMessage, r *pipeline.Result, e ending, took time.Duration) {
	row := r.Row()
	outcome := row.Reason
	if outcome == "" {
		outcome = row.Decision
	}
	results := make([]any, 0, len(row.Resources))
	for _, res := range row.Resources {
		result := map[string]any{"arn": res.ARN}
		if res.LastResort {
			result["lastResort"] = true
		}
		if len(res.Unfit) > 0 {
			result["unfit"] = res.Unfit
		}
		if len(res.From) > 0 {
			result["sources"] = res.From
		}
		if res.Outcome == string(apply.Tagged) || res.Outcome == string(pipeline.WouldTag) {
			result["tags"] = res.Tags
		}
		for key, value := range map[string]string{"outcome": res.Outcome, "cors": res.CORS, "why": res.Why, "error": res.Error, "forgot": res.Forgot} {
			if value != "" {
				result[key] = value
			}
		}
		results = append(results, result)
	}
	level := slog.LevelInfo
	if e.end != Done {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String(KeyOutcome, outcome), slog.String(KeyDetail, row.Detail),
		slog.String(KeySource, row.Event.Source), slog.String(KeyName, row.Event.Name), slog.String(KeyEventID, row.Event.ID),
		slog.String(KeyMessageID, m.MessageId), slog.String(KeyAccount, row.Event.Account), slog.String(KeyRegion, row.Event.Region),
		slog.String(KeyCreator, row.Creator.Name), slog.Int(KeyResources, len(row.Resources)), slog.Any(KeyResults, results),
		slog.String(KeyEnd, string(e.end)), slog.Int(KeyAfter, int(e.after.Seconds())), slog.String(KeyReason, e.reason), slog.Int64(KeyMillis, took.Milliseconds()),
		slog.String(KeyBy, string(r.Plan.Creator.By)),
	}
	if r.Plan.Creator.By == attribute.BySession {
		attrs = append(attrs, slog.Bool(KeyUnverified, true))
	}
	if f := r.Plan.Facts; f != nil {
		attrs = append(attrs, slog.Any(KeyLookUps, f.Steps), slog.String(KeyMissing, f.Missing))
	}
	h.Log.LogAttrs(ctx, level, "event", attrs...)
	if len(r.Plan.Removed) > 0 {
		h.Log.LogAttrs(ctx, slog.LevelWarn, "tags removed",
			slog.Any(KeyKeys, r.Plan.Removed), slog.String(KeySource, row.Event.Source), slog.String(KeyName, row.Event.Name), slog.String(KeyEventID, row.Event.ID),
			slog.String(KeyAccount, row.Event.Account), slog.String(KeyRegion, row.Event.Region), slog.String(KeyActor, row.Creator.Name), slog.String(KeyActorARN, row.Creator.ARN))
	}
	h.Log.LogAttrs(ctx, slog.LevelDebug, "body", slog.String(KeyMessageID, m.MessageId), slog.String("body", m.Body))
}

// count adds the event and its resources to the metrics.
func (h *Handler) count(r *pipeline.Result, e ending) {
	service := "none"
	if e := r.Record.Event; e != nil && r.Record.Err == nil {
		service = e.Service()
	}
	decision := string(r.Plan.Reason)
	if decision == "" {
		decision = "tag"
	}
	if len(r.Plan.Removed) > 0 {
		h.Metrics.Count("TagsRemoved", 1)
		h.Metrics.Count("TagsRemoved", 1, Dimension{"Service", service})
	}
	h.Metrics.Count("Ends", 1, Dimension{"End", string(e.end)})
	h.Metrics.Count("Events", 1)
	h.Metrics.Count("Events", 1, Dimension{"Service", service}, Dimension{"Decision", decision})
	for i := range r.Resources {
		out := &r.Resources[i]
		if out.Refused != "" {
			h.Metrics.Count("Refused", 1)
		}
		if r.Plan.Resources[i].CostCenterUnknown != "" && out.Tag != nil && e.end != Again {
			h.Metrics.Count("CostCenterUnknown", 1)
		}
		if out.Tag != nil {
			h.outcome(service, string(out.Tag.Outcome))
			switch {
			case out.Tag.Outcome != apply.Tagged:
			case r.Plan.Restores:
				h.Metrics.Count("TagsRestored", 1)
			case !r.Record.Event.Time.IsZero():
				h.Metrics.Observe("TagLatency", "Seconds", h.Now().Sub(r.Record.Event.Time).Seconds())
			}
		}
		if out.CORS != nil {
			h.outcome(service, "cors-"+string(out.CORS.Outcome))
		}
		for _, f := range fates(out) {
			if f.outcome == apply.Denied {
				h.Metrics.Count("Denied", 1, Dimension{"Account", r.Plan.Resources[i].Account}, Dimension{"Service", service})
			}
		}
	}
}

// outcome counts what became of a resource, of its service and of all.
func (h *Handler) outcome(service, outcome string) {
	h.Metrics.Count("Resources", 1, Dimension{"Outcome", outcome})
	h.Metrics.Count("Resources", 1, Dimension{"Service", service}, Dimension{"Outcome", outcome})
}
