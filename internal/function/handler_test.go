package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
	"autotagger/internal/function"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// scripted answers each resource with the outcome that its name asks for:
// denied-1 is denied; scripted-1 has the outcome that stands before why.
type scripted struct {
	called   bool
	why      string
	deadline time.Time
}

func (s *scripted) Tag(ctx context.Context, reqs []apply.Request) []apply.Result {
	s.called = true
	s.deadline, _ = ctx.Deadline()
	results := make([]apply.Result, len(reqs))
	for i, r := range reqs {
		name := r.ARN[strings.LastIndexByte(r.ARN, '/')+1:]
		outcome, _, _ := strings.Cut(name, "-")
		if ctx.Err() != nil {
			outcome = string(apply.Retry)
		}
		why := s.why
		if outcome == "scripted" {
			outcome, why, _ = strings.Cut(why, " ")
		}
		results[i] = apply.Result{Outcome: apply.Outcome(outcome), Why: why}
	}
	return results
}

func (s *scripted) PutCORS(_ context.Context, reqs []apply.CORSRequest) []apply.CORSResult {
	results := make([]apply.CORSResult, len(reqs))
	for i, r := range reqs {
		outcome, _, _ := strings.Cut(r.Bucket[strings.LastIndexByte(r.Bucket, ':')+1:], "-")
		results[i] = apply.CORSResult{Outcome: apply.CORSOutcome(outcome), Why: s.why}
	}
	return results
}

// TestHandleCountsDenials: by account and service, of tags and of buckets' rules, at each
// try; and the rules get their second try as tags do.
func TestHandleCountsDenials(t *testing.T) {
	t.Parallel()
	bucket := strings.NewReplacer("aws.dynamodb", "aws.s3", "dynamodb.amazonaws.com", "s3.amazonaws.com", "CreateTable", "CreateBucket", `"tableName"`, `"bucketName"`).Replace(table("denied-1"))
	for event, want := range map[string]string{table("denied-1"): "dynamodb", bucket: "s3"} {
		h, _, out := newHandler(t, "cors: {exclude-service-buckets: true}")
		line := h.Line
		h.Line = func(p *policy.Policy) *pipeline.Pipeline {
			l := line(p)
			l.Tag, l.CORS = want != "s3", want == "s3"
			return l
		}
		q := &ledger{}
		h.Queue = q
		if left := handle(t, t.Context(), h, event); left != nil || len(q.anew) != 1 {
			t.Errorf("%s: left is %v, sent anew %v", want, left, q.anew)
		}
		counted := false
		for line := range strings.Lines(out.String()) {
			counted = counted || strings.Contains(line, `"Denied":1`) && strings.Contains(line, `"Account":"111122223333"`) && strings.Contains(line, `"Service":"`+want+`"`)
		}
		if !counted {
			t.Errorf("%s: the denial isn't counted\n%s", want, out)
		}
	}
}

// steady is a configuration that changes when the test says so.
type steady struct {
	policy  *policy.Policy
	err     error
	changes bool // as soon as work under it begins
}

func (s *steady) Policy(context.Context) (*policy.Policy, error) { return s.policy, s.err }

func (s *steady) Watch(ctx context.Context, _ *policy.Policy) (context.Context, func()) {
	watched, cancel := context.WithCancel(ctx)
	if s.changes {
		cancel()
	}
	return watched, cancel
}

func newHandler(t *testing.T, config string) (*function.Handler, *scripted, *bytes.Buffer) {
	t.Helper()
	p, err := policy.Parse("test.yaml", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	applier := &scripted{why: "scripted"}
	return &function.Handler{
		Configuration: &steady{policy: p},
		Line: func(p *policy.Policy) *pipeline.Pipeline {
			return &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: p}, Applier: applier, Tag: true, Guard: &pipeline.Guard{}}
		},
		Log:     slog.New(slog.NewJSONHandler(&out, nil)),
		Metrics: function.NewMetrics(&out, "tagger", time.Now),
		Now:     time.Now,
	}, applier, &out
}

func handle(t *testing.T, ctx context.Context, h *function.Handler, bodies ...string) []string {
	t.Helper()
	var in events.SQSEvent
	if err := json.Unmarshal(batch(t, bodies...), &in); err != nil {
		t.Fatal(err)
	}
	response, err := h.Handle(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, item := range response.BatchItemFailures {
		left = append(left, item.ItemIdentifier)
	}
	return left
}

// TestHandleAcknowledges: what was done, or skipped on purpose, is
// acknowledged; all else is left in the queue.
func TestHandleAcknowledges(t *testing.T) {
	t.Parallel()
	h, _, out := newHandler(t, "")
	outcomes := []string{"tagged", "unchanged", "skipped", "retry", "denied", "failed"}
	var bodies []string
	for _, o := range outcomes {
		bodies = append(bodies, table(o+"-1"))
	}
	bodies = append(bodies, strings.Replace(table("x"), "CreateTable", "DeleteTable", 1), "not an event")
	if left, want := handle(t, t.Context(), h, bodies...), []string{"m3", "m4", "m5", "m7"}; !slices.Equal(left, want) {
		t.Errorf("left in the queue are %v, want %v\n%s", left, want, out)
	}
	for _, want := range []string{`"end":"again"`, `"end":"dead-letter"`, `"reason":"failed: scripted"`, `"outcome":"not-a-create"`, `"outcome":"malformed"`, `"Outcome":"denied"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log has no %s\n%s", want, out)
		}
	}
}

func TestHandleObserves(t *testing.T) {
	t.Parallel()
	h, applier, out := newHandler(t, "mode: observe\n")
	if left := handle(t, t.Context(), h, table("denied-1")); left != nil || !strings.Contains(out.String(), `"outcome":"would-tag"`) {
		t.Errorf("left in the queue is %v\n%s", left, out)
	}
	if !applier.deadline.IsZero() {
		t.Error("something was applied")
	}
}

// TestHandleWantsAQueue: an invocation by something else is an error, not a
// success.
func TestHandleWantsAQueue(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t, "")
	if _, err := h.Handle(t.Context(), events.SQSEvent{}); !errors.Is(err, function.ErrNotABatch) {
		t.Errorf("it ended with %v", err)
	}
}

// TestHandleLeavesTime: the work ends before the invocation does.
func TestHandleLeavesTime(t *testing.T) {
	t.Parallel()
	h, applier, _ := newHandler(t, "")
	deadline := time.Now().Add(time.Minute)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	handle(t, ctx, h, table("tagged-1"))
	if left := deadline.Sub(applier.deadline); left < time.Second || left > 5*time.Second {
		t.Errorf("%v are left to report", left)
	}
}

// TestHandleRefusesOtherAccounts: where an event's accounts don't agree, nothing is
// applied, and it is counted.
func TestHandleRefusesOtherAccounts(t *testing.T) {
	t.Parallel()
	const own, other = "111122223333", "444455556666"
	good := table("tagged-1")
	record := good[strings.Index(good, `"detail":`)+len(`"detail":`) : len(good)-1]
	for _, c := range []struct {
		name, event, account, want string
	}{
		{"all agree", good, "", ""},
		{"the deployment's own", good, own, ""},
		{"another deployment's", good, other, "acts for " + other},
		{"another envelope", strings.Replace(good, `"account":"`+own, `"account":"`+other, 1), "", "recipientAccountId is " + own},
		{"another recipient", strings.Replace(good, `"recipientAccountId":"`+own, `"recipientAccountId":"`+other, 1), "", "recipientAccountId is " + other},
		{"no recipient", strings.Replace(good, `"recipientAccountId"`, `"x"`, 1), "", "recipientAccountId is missing"},
		{"another resource", strings.Replace(good, "dynamodb:eu-west-1:"+own, "dynamodb:eu-west-1:"+other, 1), "", "the resource of " + other},
		{"everything but the envelope", strings.Replace(strings.ReplaceAll(good, own, other), `"account":"`+other, `"account":"`+own, 1), "", "recipientAccountId is " + other},
		{"no envelope", record, "", "without EventBridge's envelope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, applier, out := newHandler(t, "")
			line := h.Line
			h.Line = func(p *policy.Policy) *pipeline.Pipeline {
				l := line(p)
				l.Guard.Account = c.account
				return l
			}
			if left := handle(t, t.Context(), h, c.event); left != nil {
				t.Errorf("left in the queue is %v", left)
			}
			refused := c.want != ""
			if applier.called == refused || strings.Contains(out.String(), `"Refused":1`) != refused || !strings.Contains(out.String(), c.want) {
				t.Errorf("applied: %v; the log is\n%s", applier.called, out)
			}
		})
	}
}

// TestHandleStopsForAnotherPolicy: what isn't done when the policy changes comes
// again.
func TestHandleStopsForAnotherPolicy(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t, "")
	h.Configuration.(*steady).changes = true
	if left := handle(t, t.Context(), h, table("tagged-1")); len(left) != 1 {
		t.Errorf("left in the queue is %v", left)
	}
}

// TestHandleTakesANewPolicy: the next invocation is under it.
func TestHandleTakesANewPolicy(t *testing.T) {
	t.Parallel()
	h, applier, out := newHandler(t, "")
	c := h.Configuration.(*steady)
	c.policy = c.policy.Observing()
	handle(t, t.Context(), h, table("tagged-1"))
	if applier.called || !strings.Contains(out.String(), `"outcome":"would-tag"`) {
		t.Errorf("applied: %v\n%s", applier.called, out)
	}
	c.err = errors.New("no parameters")
	if _, err := h.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{Body: table("tagged-1")}}}); !errors.Is(err, c.err) {
		t.Errorf("without a policy it ended with %v", err)
	}
}

// TestMetricsAreDivided: a line has a hundred values at most.
func TestMetricsAreDivided(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := function.NewMetrics(&out, "tagger", time.Now)
	for i := range 250 {
		m.Observe("TagLatency", "Seconds", float64(i))
		m.Count("Events", 2)
	}
	m.Flush()
	m.Flush() // nothing is left
	values, events, lines := 0, 0.0, 0
	for line := range strings.Lines(out.String()) {
		var entry struct {
			TagLatency []float64
			Events     float64
			AWS        struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if len(entry.TagLatency) > 100 {
			t.Errorf("a line has %d values", len(entry.TagLatency))
		}
		definition := entry.AWS.CloudWatchMetrics[0]
		if definition.Namespace != function.Namespace || !slices.Equal(definition.Dimensions[0], []string{"Function"}) {
			t.Errorf("defined as %+v", definition)
		}
		for _, d := range definition.Metrics {
			if want := map[string]string{"TagLatency": "Seconds", "Events": "Count"}[d.Name]; d.Unit != want {
				t.Errorf("%s has the unit %q, want %q", d.Name, d.Unit, want)
			}
		}
		values += len(entry.TagLatency)
		events += entry.Events
		lines++
	}
	if values != 250 || events != 500 || lines != 3 {
		t.Errorf("%d values and %v events in %d lines", values, events, lines)
	}
}

// TestHandleLogsLastResort: what was worked out without the catalogue is marked.
func TestHandleLogsLastResort(t *testing.T) {
	t.Parallel()
	const unknown = `{"eventSource":"x.amazonaws.com","eventName":"CreateGizmo","eventType":"AwsApiCall","awsRegion":"eu-west-1","recipientAccountId":"111122223333","readOnly":false,"userIdentity":{"type":"IAMUser","userName":"alice"},"responseElements":{"gizmoArn":"arn:aws:x:eu-west-1:111122223333:gizmo/tagged-1"}}`
	for config, want := range map[string]string{
		"":                               `"outcome":"unknown-event"`,
		"catalogue: {last-resort: true}": `"lastResort":true`,
	} {
		h, _, out := newHandler(t, config)
		if left := handle(t, t.Context(), h, unknown); len(left) > 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%q: %v is left, and the log\n%slacks %s", config, left, out, want)
		}
	}
}
