package soak

import (
	"fmt"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/function"
)

// visibility is how long a message that is being handled stays hidden, and timeout
// how long a function has, as deployed.
const (
	timeout    = time.Minute
	visibility = 6 * timeout
)

// message is one in the queue, or what became of it.
type message struct {
	delivery
	id       string
	receives int
	receipt  string
	first    time.Time // received
	shown    time.Time // when it is to be seen again
	gone     bool
	redriven bool
	// denied is the attribute of one that the function has sent anew, "" of others.
	denied string
	// excused: the harness made something about it arrive without an answer, or
	// delivered it twice at once, so that it may have two ends.
	excused bool
	acks    int
	line    *line // the log's, of the invocation that acknowledged it
	goneAt  time.Time
}

// letter is one in the dead-letter queue.
type letter struct{ body, reason, cause string }

// Queue is an SQS queue and its dead letters: at least once, in no order, hidden while
// handled, given up after Receives.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
type Queue struct {
	Seed     Seed
	Receives int
	Faults   func() bool // whether some messages are delivered twice at once

	mu        sync.Mutex
	waiting   map[string]*message // by id
	byReceipt map[string]*message
	byBody    map[string][]*message
	hidden    map[string]bool // receipts whose holder had the message hidden
	all       []*message
	letters   []letter
	Twice     int // deliveries of what somebody else has in hand
}

// NewQueue returns an empty queue.
func NewQueue(seed Seed, receives int) *Queue {
	return &Queue{Seed: seed, Receives: receives, Faults: func() bool { return false }, waiting: map[string]*message{}, byReceipt: map[string]*message{}, byBody: map[string][]*message{}, hidden: map[string]bool{}}
}

func (q *Queue) put(d delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := &message{delivery: d, id: fmt.Sprintf("m%06d", len(q.all)), shown: time.Now()}
	q.all, q.waiting[m.id] = append(q.all, m), m
	q.byBody[d.body] = append(q.byBody[d.body], m)
}

// renew takes a message that the function sends anew, and says what is wrong with it.
func (q *Queue) renew(body, denied string, seconds int) (code string) {
	if seconds != 900 || denied == "" {
		return "InvalidParameterValue"
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	m := &message{id: fmt.Sprintf("m%06d", len(q.all)), denied: denied, shown: time.Now().Add(time.Duration(seconds) * time.Second)}
	m.body = body
	if same := q.byBody[body]; len(same) > 0 {
		m.delivery = same[0].delivery
	}
	q.all, q.waiting[m.id] = append(q.all, m), m
	q.byBody[body] = append(q.byBody[body], m)
	return ""
}

// receive takes up to n messages that can be seen.
func (q *Queue) receive(n int) []events.SQSMessage {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	var seen []*message
	for _, m := range q.waiting {
		if !m.shown.After(now) {
			seen = append(seen, m)
		}
	}
	order := func(m *message) float64 { return q.Seed.draw("order", m.id, m.receives) }
	sort.Slice(seen, func(i, j int) bool { return order(seen[i]) < order(seen[j]) })
	var out []events.SQSMessage
	for _, m := range seen[:min(n, len(seen))] {
		if m.receives == q.Receives {
			m.redriven = true
			q.end(m)
			continue
		}
		if m.receives++; m.receives == 1 {
			m.first = now
		}
		m.receipt = fmt.Sprintf("%s-%d", m.id, m.receives)
		q.byReceipt[m.receipt] = m
		m.shown = now.Add(visibility)
		if q.Faults() && q.Seed.draw("twice at once", m.receipt) < 0.003 {
			m.shown, m.excused = now, true
			q.Twice++
		}
		received := events.SQSMessage{
			MessageId: m.id, ReceiptHandle: m.receipt, Body: m.body, EventSource: "aws:sqs",
			Attributes: map[string]string{
				"ApproximateReceiveCount":          strconv.Itoa(m.receives),
				"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
			},
		}
		if m.denied != "" {
			received.MessageAttributes = map[string]events.SQSMessageAttribute{function.AttributeDenied: {DataType: "String", StringValue: &m.denied}}
		}
		out = append(out, received)
	}
	return out
}

func (q *Queue) end(m *message) {
	m.gone, m.goneAt = true, time.Now()
	delete(q.waiting, m.id)
}

// acknowledge deletes a message.
func (q *Queue) acknowledge(id string, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.waiting[id]
	if m == nil { // somebody else's delivery was first
		return
	}
	m.acks++
	m.line = l
	q.end(m)
}

// excuse lets the messages of bodies or receipts have two ends.
func (q *Queue) excuse(bodies, receipts []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range bodies {
		for _, m := range q.byBody[b] {
			m.excused = true
		}
	}
	for _, r := range receipts {
		if m := q.byReceipt[r]; m != nil {
			m.excused = true
		}
	}
}

// hide changes when a message is to be seen again.
func (q *Queue) hide(receipt string, seconds int) (code string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hidden[receipt] = true // as far as the caller is concerned
	switch m := q.byReceipt[receipt]; {
	case m == nil || m.receipt != receipt:
		return "ReceiptHandleIsInvalid"
	case seconds < 0 || time.Duration(seconds)*time.Second > 12*time.Hour:
		return "InvalidParameterValue"
	case m.gone || !m.shown.After(time.Now()):
		return "MessageNotInflight"
	default:
		m.shown = time.Now().Add(time.Duration(seconds) * time.Second)
	}
	return ""
}

// inHand reports whether who received a message has it still, rather than set aside.
func (q *Queue) inHand(receipt string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.byReceipt[receipt]
	return m != nil && !m.gone && !q.hidden[receipt]
}

func (q *Queue) keep(l letter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.letters = append(q.letters, l)
}

// seen is how many messages can be seen.
func (q *Queue) seen() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, m := range q.waiting {
		if !m.shown.After(now) {
			n++
		}
	}
	return n
}

// left is how many messages have no end yet, and when the next can be seen.
func (q *Queue) left() (n int, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.waiting {
		if next.IsZero() || m.shown.Before(next) {
			next = m.shown
		}
	}
	return len(q.waiting), next
}

// release lets messages be seen at once.
func (q *Queue) release(receipts []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range receipts {
		if m := q.byReceipt[r]; m != nil && m.receipt == r {
			m.shown = time.Now()
		}
	}
}

// by finds a message.
func (q *Queue) by(id string) *message {
	var n int
	if _, err := fmt.Sscanf(id, "m%d", &n); err != nil || n >= len(q.all) {
		return nil
	}
	return q.all[n]
}
