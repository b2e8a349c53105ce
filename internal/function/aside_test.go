package function_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// deadly is a queue whose messages come back together when a function dies of one.
type deadly struct {
	clock    time.Time
	receives map[string]int
	shown    map[string]time.Time
}

// TestSetAside: of a hundred messages with one that functions die of, only that one is
// given up.
func TestSetAside(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t, "")
	start := time.Now()
	q := &deadly{clock: start, receives: map[string]int{}, shown: map[string]time.Time{}}
	h.Now = func() time.Time { return q.clock }
	bodies := map[string]string{"killer": "killer"}
	for i := range 99 {
		bodies[fmt.Sprint("m", i)] = table(fmt.Sprint("tagged-", i))
	}
	for id := range bodies {
		q.shown[id] = start
	}
	for len(q.shown) > 1 {
		var batch events.SQSEvent
		next := start.Add(24 * time.Hour)
		for id, at := range q.shown {
			if at.After(q.clock) {
				if at.Before(next) {
					next = at
				}
				continue
			}
			if q.receives[id]++; q.receives[id] > 16 && id != "killer" {
				t.Fatalf("%s was received %d times, after %v", id, q.receives[id], q.clock.Sub(start))
			}
			batch.Records = append(batch.Records, events.SQSMessage{MessageId: id, ReceiptHandle: id, Body: bodies[id], Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(q.receives[id]), "ApproximateFirstReceiveTimestamp": strconv.FormatInt(start.UnixMilli(), 10),
			}})
		}
		if len(batch.Records) == 0 {
			q.clock = next
			continue
		}
		l := &ledger{}
		h.Queue = l
		response, err := h.Handle(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		hidden := map[string]time.Duration{}
		for _, one := range l.hidden {
			hidden[one.Receipt] = one.For
		}
		_, spared := hidden["killer"]
		there := false
		for _, m := range batch.Records {
			there = there || m.MessageId == "killer"
		}
		failed := map[string]bool{}
		for _, item := range response.BatchItemFailures {
			failed[item.ItemIdentifier] = true
		}
		for _, m := range batch.Records {
			switch after, away := hidden[m.MessageId]; {
			case away:
				q.shown[m.MessageId] = q.clock.Add(after)
			case there && !spared:
				q.shown[m.MessageId] = q.clock.Add(6 * time.Minute)
			case !failed[m.MessageId]:
				delete(q.shown, m.MessageId)
			}
		}
		q.clock = q.clock.Add(time.Second)
	}
	if _, left := q.shown["killer"]; !left {
		t.Error("the killer was acknowledged")
	}
}

// TestNothingSetAside: what was tried as often as the schedule has it isn't suspected.
func TestNothingSetAside(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(t, "")
	l := &ledger{}
	h.Queue = l
	for try, after := range []time.Duration{0, 1, 3, 8, 23, 53, 113} {
		h.Now = func() time.Time { return time.UnixMilli(0).Add(after * time.Minute) }
		var batch events.SQSEvent
		for i := range 10 {
			batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: table("tagged-1"), Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(try + 1), "ApproximateFirstReceiveTimestamp": "0",
			}})
		}
		response, err := h.Handle(t.Context(), batch)
		if err != nil || len(response.BatchItemFailures) > 0 || len(l.hidden) > 0 {
			t.Errorf("try %d: %v, %v left, %v hidden", try+1, err, response.BatchItemFailures, l.hidden)
		}
	}
}
