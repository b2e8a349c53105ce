package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/deployment"
	"autotagger/internal/function"
	"autotagger/internal/schedule"
)

// ledger is a queue that keeps what it is told.
type ledger struct {
	hidden  []function.Hidden
	letters []function.Letter
	anew    []function.Denied
	fails   bool // it takes nothing
}

func (l *ledger) Renew(_ context.Context, all []function.Denied) []error {
	errs := make([]error, len(all))
	for i := range all {
		if l.fails {
			errs[i] = errors.New("the queue is away")
			continue
		}
		l.anew = append(l.anew, all[i])
	}
	return errs
}

func (l *ledger) Hide(_ context.Context, all []function.Hidden) error {
	if l.fails {
		return errors.New("the queue is away")
	}
	l.hidden = append(l.hidden, all...)
	return nil
}

func (l *ledger) Keep(_ context.Context, all []function.Letter) []error {
	errs := make([]error, len(all))
	for i := range all {
		if l.fails {
			errs[i] = errors.New("the queue is away")
			continue
		}
		l.letters = append(l.letters, all[i])
	}
	return errs
}

// instances is the event of a call that made instances with such ids.
func instances(ids ...string) string {
	var items []string
	for _, id := range ids {
		items = append(items, `{"instanceId":"`+id+`"}`)
	}
	e := strings.NewReplacer("aws.dynamodb", "aws.ec2", "dynamodb.amazonaws.com", "ec2.amazonaws.com", "CreateTable", "RunInstances").Replace(table("x"))
	i, j := strings.Index(e, `"responseElements":`), strings.Index(e, `,"eventID"`)
	return e[:i] + `"responseElements":{"instancesSet":{"items":[` + strings.Join(items, ",") + `]}}` + e[j:]
}

// message is one as Lambda hands it over.
func message(id, body string, receives int, first time.Time) events.SQSMessage {
	return events.SQSMessage{MessageId: id, ReceiptHandle: id + strconv.Itoa(receives), Body: body, Attributes: map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(receives),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(first.UnixMilli(), 10),
	}}
}

// walk delivers a message again and again, on a clock of its own, until it is
// acknowledged and not sent anew. The applier answers each try with the next of whys, and
// with the last from then on. It returns how often, how long after the first time, and
// what was kept of it.
func walk(t *testing.T, body string, whys ...string) (tries int, after time.Duration, letter function.Letter, log string) {
	t.Helper()
	h, applier, out := newHandler(t, "")
	clock := time.Now().Truncate(time.Millisecond)
	begin := clock
	h.Now = func() time.Time { return clock }
	m := message("m", body, 0, clock)
	for receives := 1; receives <= schedule.Receives(); receives++ {
		applier.why = whys[min(tries, len(whys)-1)]
		tries++
		q := &ledger{}
		h.Queue = q
		m.Attributes["ApproximateReceiveCount"] = strconv.Itoa(receives)
		response, err := h.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{m}})
		if err != nil {
			t.Fatal(err)
		}
		gone := len(response.BatchItemFailures) == 0
		switch {
		case gone && len(q.anew) == 1 && len(q.letters)+len(q.hidden) == 0:
			if m.MessageAttributes != nil || q.anew[0].Body != body || q.anew[0].First.Sub(begin).Abs() > time.Millisecond {
				t.Fatalf("try %d: %+v is sent anew, of %+v", tries, q.anew, m)
			}
			clock = clock.Add(schedule.Denied)
			m, receives = message("n", body, 0, clock), 0
			m.MessageAttributes = map[string]events.SQSMessageAttribute{function.AttributeDenied: {DataType: "String", StringValue: new(strconv.FormatInt(q.anew[0].First.UnixMilli(), 10))}}
		case gone:
			if len(q.letters) > 0 {
				letter = q.letters[0]
			}
			return tries, clock.Sub(begin), letter, out.String()
		case len(q.hidden) != 1 || q.hidden[0].Receipt != m.ReceiptHandle || len(q.letters)+len(q.anew) > 0:
			t.Fatalf("try %d: the message isn't acknowledged, hidden are %v, kept are %v, sent anew %v", tries, q.hidden, q.letters, q.anew)
		default:
			clock = clock.Add(q.hidden[0].For)
		}
	}
	t.Fatalf("after %d tries the queue would take the message for one that kills its function", schedule.Receives())
	return
}

// TestEnds: each event has exactly one end, in its time.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, why string // each try's, with commas
		tries           int
		atLeast, atMost time.Duration
		reason, log     string
	}{
		{"tagged", table("tagged-1"), "", 1, 0, 0, "", `"end":"done"`},
		{"not ready for twelve hours", table("retry-1"), "InvalidDBInstanceState", 17, 11 * time.Hour, 12 * time.Hour, "retries-exhausted: InvalidDBInstanceState", `"reason":"retries-exhausted: InvalidDBInstanceState"`},
		{"not found for twelve hours", table("retry-1"), "ResourceNotFoundException", 17, 11 * time.Hour, 12 * time.Hour, "retries-exhausted: ResourceNotFoundException", `"end":"dead-letter"`},
		{"denied", table("denied-1"), "AccessDeniedException", 2, 15 * time.Minute, 15 * time.Minute, "", `"outcome":"denied"`},
		{"denied after an hour", table("scripted-1"), "retry X,retry X,retry X,retry X,retry X,retry X,denied Y", 8, 128 * time.Minute, 128 * time.Minute, "", `"outcome":"denied"`},
		{"denied once", table("scripted-1"), "denied X,tagged", 2, 15 * time.Minute, 15 * time.Minute, "", `"outcome":"tagged"`},
		{"denied, not ready, denied", table("scripted-1"), "denied X,retry Y,retry Y,denied X", 4, 18 * time.Minute, 18 * time.Minute, "", `"outcome":"denied"`},
		{"denied, then not ready for twelve hours", table("scripted-1"), "denied X,retry Y", 18, 11 * time.Hour, 13 * time.Hour, "retries-exhausted: Y", `"end":"dead-letter"`},
		{"denied, then never possible", table("scripted-1"), "denied X,failed Y", 2, 15 * time.Minute, 15 * time.Minute, "failed: Y", `"end":"dead-letter"`},
		{"no time for twelve hours", table("retry-1"), "deadline", 20, 11 * time.Hour, 12 * time.Hour, "retries-exhausted: deadline", `"end":"dead-letter"`},
		{"never possible", table("failed-1"), "ValidationException", 1, 0, 0, "failed: ValidationException", `"end":"dead-letter"`},
		{"no event", "{", "", 1, 0, 0, "malformed", `"reason":"malformed"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tries, after, letter, log := walk(t, c.body, strings.Split(c.why, ",")...)
			if tries != c.tries || after < c.atLeast || after > c.atMost {
				t.Errorf("it ends at try %d, after %v; want %d, %v to %v", tries, after, c.tries, c.atLeast, c.atMost)
			}
			kept := c.reason != ""
			if letter.Reason != c.reason || kept && letter.Body != c.body || !strings.Contains(log, c.log) {
				t.Errorf("the dead letter is %+v and the log\n%s", letter, log)
			}
		})
	}
}

// TestEndsOfSeveral: of a message with several resources each gets what is due to it: the
// schedule goes before the denial, and that before what can't be done.
func TestEndsOfSeveral(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]struct{ left, anew, letters int }{
		"denied-1 retry-1":          {left: 1},
		"denied-1 tagged-1":         {anew: 1},
		"denied-1 failed-1":         {anew: 1},
		"denied-1 failed-1 retry-1": {left: 1},
		"failed-1 tagged-1":         {letters: 1},
	} {
		t.Run(names, func(t *testing.T) {
			t.Parallel()
			h, _, _ := newHandler(t, "")
			q := &ledger{}
			h.Queue = q
			left := handle(t, t.Context(), h, instances(strings.Fields(names)...))
			if len(left) != want.left || len(q.anew) != want.anew || len(q.letters) != want.letters {
				t.Errorf("left is %v, sent anew %v, kept %v", left, q.anew, q.letters)
			}
		})
	}
}

// TestEndsWithoutTime: what the deadline cut off comes again soon, and not all at once.
func TestEndsWithoutTime(t *testing.T) {
	t.Parallel()
	h, applier, _ := newHandler(t, "")
	applier.why = "deadline"
	q := &ledger{}
	h.Queue = q
	var bodies []string
	for range 20 {
		bodies = append(bodies, table("retry-1"))
	}
	left := handle(t, t.Context(), h, bodies...)
	pauses := map[time.Duration]bool{}
	for _, one := range q.hidden {
		pauses[one.For] = true
		if one.For > time.Minute {
			t.Errorf("it comes after %v", one.For)
		}
	}
	if len(left) != 20 || len(q.hidden) != 20 || len(pauses) < 10 {
		t.Errorf("left is %v, hidden is %v", left, q.hidden)
	}
}

// TestReceivesWithoutTime: however many functions run out of time, whenever a message
// comes, it isn't received more often than it has tries, and a few times more.
func TestReceivesWithoutTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		chance := rand.New(rand.NewPCG(seed, 0))
		h, applier, _ := newHandler(t, "")
		clock := time.Now()
		first := clock
		h.Now = func() time.Time { return clock }
		done := false
		for receives := 1; !done; receives++ {
			q := &ledger{}
			h.Queue = q
			applier.why = "deadline"
			if chance.IntN(3) == 0 {
				applier.why = "InvalidState"
			}
			tries := schedule.Tries(clock.Sub(first))
			if receives > tries+3 || receives > schedule.Receives()-10 {
				t.Fatalf("seed %d: received %d times, after %v with %d tries", seed, receives, clock.Sub(first), tries)
			}
			response, err := h.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{message("m", table("retry-1"), receives, first)}})
			if err != nil {
				t.Fatal(err)
			}
			if done = len(response.BatchItemFailures) == 0; !done {
				clock = clock.Add(q.hidden[0].For + time.Duration(chance.IntN(120))*time.Second) // a backlog is before it
			}
		}
		if took := clock.Sub(first); took < schedule.Patience-2*time.Hour {
			t.Errorf("seed %d: it was given up after %v", seed, took)
		}
	}
}

// TestEndsWithoutQueues: where a letter can't be sent, the message stays.
func TestEndsWithoutQueues(t *testing.T) {
	t.Parallel()
	h, _, out := newHandler(t, "")
	h.Queue = &ledger{fails: true}
	left := handle(t, t.Context(), h, table("failed-1"), table("retry-1"), table("tagged-1"), "{", table("denied-1"))
	if got, _ := json.Marshal(left); string(got) != `["m1","m0","m3","m4"]` {
		t.Errorf("left are %s\n%s", got, out)
	}
}

// TestEndsWithoutConfiguration: what a function can't begin waits for its schedule, so
// that hours without a configuration cost few receives.
func TestEndsWithoutConfiguration(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t, "")
	h.Configuration.(*steady).err = errors.New("no parameters")
	q := &ledger{}
	h.Queue = q
	clock := time.Now()
	h.Now = func() time.Time { return clock }
	_, err := h.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{
		message("new", table("x"), 1, clock), message("older", table("x"), 7, clock.Add(-3*time.Hour)), message("old", table("x"), 20, clock.Add(-13*time.Hour)),
	}})
	if err == nil || len(q.hidden) != 3 {
		t.Fatalf("it ended with %v, hidden are %v", err, q.hidden)
	}
	for i, want := range []time.Duration{time.Minute, 53 * time.Minute, time.Hour} {
		if got := q.hidden[i].For; (got - want).Abs() > time.Second {
			t.Errorf("message %d comes after %v, want %v", i, got, want)
		}
	}
}

// TestQueuesRenew: what SQS gets of a message that was denied, and what it makes of it is
// believed.
func TestQueuesRenew(t *testing.T) {
	t.Parallel()
	var got struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []struct {
			ID                string `json:"Id"`
			MessageBody       string
			DelaySeconds      int
			MessageAttributes map[string]struct{ DataType, StringValue string }
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target := r.Header.Get("X-Amz-Target"); target != "AmazonSQS.SendMessageBatch" {
			t.Errorf("unexpected call %s", target)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"Successful":[{"Id":"0","MessageId":"x"}],"Failed":[{"Id":"1","Code":"AccessDenied","Message":"no"}]}`)
	}))
	defer server.Close()
	first := time.UnixMilli(1764000000123)
	env := map[string]string{deployment.EnvQueue: "work", deployment.EnvDeadLetters: "dead"}
	h := function.Assemble(aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}, nil
		}),
	}, nil, function.Job{}, func(name string) string { return env[name] }, slog.New(slog.DiscardHandler), io.Discard)
	errs := h.Queue.Renew(t.Context(), []function.Denied{{Body: "a", First: first}, {Body: "b"}})
	if len(errs) != 2 || errs[0] != nil || errs[1] == nil {
		t.Errorf("it says %v", errs)
	}
	if len(got.Entries) != 2 || got.QueueURL != "work" {
		t.Fatalf("SQS got %+v", got)
	}
	if e := got.Entries[0]; e.MessageBody != "a" || e.DelaySeconds != 900 || e.MessageAttributes["Denied"].StringValue != "1764000000123" || e.MessageAttributes["Denied"].DataType != "String" {
		t.Errorf("SQS got %+v", e)
	}
}
