package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/function"
	"autotagger/internal/schedule"
)

// ledger is a queue that keeps what it is told.
type ledger struct {
	hidden  []function.Hidden
	letters []function.Letter
	fails   bool // it takes nothing
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

// walk delivers a message again and again, on a clock of its own, until it is
// acknowledged. It returns how often, how long after the first time, and what was
// kept of it.
func walk(t *testing.T, body, why string) (tries int, after time.Duration, letter function.Letter, log string) {
	t.Helper()
	h, applier, out := newHandler(t, "")
	applier.why = why
	clock := time.Now()
	first := clock
	h.Now = func() time.Time { return clock }
	for tries = 1; tries <= schedule.Receives(); tries++ {
		q := &ledger{}
		h.Queue = q
		response, err := h.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{
			MessageId: "m", ReceiptHandle: "r" + strconv.Itoa(tries), Body: body,
			Attributes: map[string]string{"ApproximateFirstReceiveTimestamp": strconv.FormatInt(first.UnixMilli(), 10)},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(response.BatchItemFailures) == 0 {
			if len(q.letters) > 0 {
				letter = q.letters[0]
			}
			return tries, clock.Sub(first), letter, out.String()
		}
		if len(q.hidden) != 1 || q.hidden[0].Receipt != "r"+strconv.Itoa(tries) || len(q.letters) > 0 {
			t.Fatalf("try %d: the message isn't acknowledged, hidden are %v and kept are %v", tries, q.hidden, q.letters)
		}
		clock = clock.Add(q.hidden[0].For)
	}
	t.Fatalf("after %d tries the queue would take the message for one that kills its function", schedule.Receives())
	return
}

// TestEnds: each event has exactly one end, in its time.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, why string
		tries           int
		atLeast, atMost time.Duration
		reason, log     string
	}{
		{"tagged", table("tagged-1"), "", 1, 0, 0, "", `"end":"done"`},
		{"not ready for twelve hours", table("retry-1"), "InvalidDBInstanceState", 17, 11 * time.Hour, 12 * time.Hour, "retries-exhausted: InvalidDBInstanceState", `"reason":"retries-exhausted: InvalidDBInstanceState"`},
		{"not found for twelve hours", table("retry-1"), "ResourceNotFoundException", 17, 11 * time.Hour, 12 * time.Hour, "retries-exhausted: ResourceNotFoundException", `"end":"dead-letter"`},
		{"denied", table("denied-1"), "AccessDeniedException", 2, 15*time.Minute - time.Second, 15 * time.Minute, "", `"outcome":"denied"`},
		{"never possible", table("failed-1"), "ValidationException", 1, 0, 0, "failed: ValidationException", `"end":"dead-letter"`},
		{"no event", "{", "", 1, 0, 0, "malformed", `"reason":"malformed"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tries, after, letter, log := walk(t, c.body, c.why)
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

// TestEndsWithoutTime: what the deadline cut off comes again at once.
func TestEndsWithoutTime(t *testing.T) {
	t.Parallel()
	h, applier, _ := newHandler(t, "")
	applier.why = "deadline"
	q := &ledger{}
	h.Queue = q
	if left := handle(t, t.Context(), h, table("retry-1")); len(left) != 1 || len(q.hidden) != 1 || q.hidden[0].For != 0 {
		t.Errorf("left is %v, hidden is %v", left, q.hidden)
	}
}

// TestEndsWithoutQueues: where a letter can't be sent, the message stays.
func TestEndsWithoutQueues(t *testing.T) {
	t.Parallel()
	h, _, out := newHandler(t, "")
	h.Queue = &ledger{fails: true}
	left := handle(t, t.Context(), h, table("failed-1"), table("retry-1"), table("tagged-1"), "{")
	if got, _ := json.Marshal(left); string(got) != `["m1","m0","m3"]` {
		t.Errorf("left are %s\n%s", got, out)
	}
}
