package redrive

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"autotagger/internal/catalogue"
)

const (
	// Hidden is how long letters stay hidden from others, unless the desk is closed
	// before.
	Hidden = 15 * time.Minute
	// reading is how long letters are received: there has to be time left to send them.
	reading = Hidden / 3
	// room is how many bytes of letters are held in memory.
	room = 256 << 20
	// atOnce is how many calls are under way to a queue.
	atOnce = 4
	// most is how many messages SQS takes in a call, and limit how many bytes.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
	most, limit = 10, 1 << 20
)

// Options are the choices of [Open]. The zero value is usable.
type Options struct {
	// Most is how many letters are received at most, 10,000 by default. SQS takes
	// 120,000 messages in flight.
	Most int
}

// Desk is where letters lie open.
type Desk struct {
	// Errors are the queues that could not be read, or not to their end.
	Errors []error
	// Left says what else there may be; "" if nothing.
	Left []string

	cfg       aws.Config
	queues    Queues
	most      int
	catalogue *catalogue.Catalogue

	mu      sync.Mutex
	letters map[string]*Letter // by queue and ID: SQS may deliver one twice
	bytes   int
	counted map[string]int // what lies in each queue, as SQS counts
}

// Open receives all letters, as far as memory and time go.
func Open(ctx context.Context, cfg aws.Config, q Queues, o Options) *Desk {
	d := &Desk{cfg: cfg, queues: q, most: cmp.Or(o.Most, 10_000), catalogue: catalogue.Default(), letters: map[string]*Letter{}, counted: map[string]int{}}
	reader, cancel := context.WithTimeout(ctx, reading)
	defer cancel()
	var all sync.WaitGroup
	for _, b := range q.boxes() {
		all.Go(func() {
			if err := d.read(reader, b); err != nil && reader.Err() == nil {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.Errors = append(d.Errors, fmt.Errorf("reading the queue %s: %w", nameOf(b.queue), err))
			}
		})
	}
	all.Wait()
	slices.SortFunc(d.Errors, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if d.full() || reader.Err() != nil {
		d.Left = append(d.Left, fmt.Sprintf("only %d letters were read: there may be more", len(d.letters)))
	} else {
		d.count()
	}
	return d
}

// read receives what lies in a queue. Others are asked for at the same time once
// something is there.
func (d *Desk) read(ctx context.Context, b box) error {
	c := client(d.cfg, b.queue)
	attributes, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &b.queue, AttributeNames: []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	}})
	if err != nil {
		return err
	}
	total := 0
	for _, n := range attributes.Attributes {
		i, _ := strconv.Atoi(n) // SQS's own number
		total += i
	}
	d.mu.Lock()
	d.counted[b.queue] = total
	d.mu.Unlock()
	more, err := d.receive(ctx, c, b)
	if err != nil || !more {
		return err
	}
	errs := make([]error, atOnce)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for more := true; more && errs[i] == nil && !d.full(); {
				more, errs[i] = d.receive(ctx, c, b)
			}
		})
	}
	all.Wait()
	return cmp.Or(errs...)
}

// receive receives up to ten letters. There are no more where none comes while SQS waits:
// without waiting it asks only some of its servers.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
func (d *Desk) receive(ctx context.Context, c *sqs.Client, b box) (more bool, err error) {
	out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &b.queue, MaxNumberOfMessages: most, WaitTimeSeconds: 1, VisibilityTimeout: int32(Hidden.Seconds()),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range out.Messages {
		l := b.read(m, d.catalogue)
		key := l.queue + " " + l.ID
		if d.letters[key] == nil {
			d.bytes += len(l.body)
		}
		d.letters[key] = l // the last receipt is the one that counts
	}
	return len(out.Messages) > 0, nil
}

func (d *Desk) full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.letters) >= d.most || d.bytes >= room
}

// count says where SQS counts more letters than were received. It counts
// approximately, and up to a minute late.
func (d *Desk) count() {
	received := map[string]int{}
	for _, l := range d.letters {
		received[l.queue]++
	}
	for _, b := range d.queues.boxes() {
		if more := d.counted[b.queue] - received[b.queue]; more > 0 {
			d.Left = append(d.Left, fmt.Sprintf("SQS counts some %d more letters in %s: it counts late, or someone else looks at them; they show within %s", more, nameOf(b.queue), Hidden))
		}
	}
}

// Letters are what was received, the oldest first.
func (d *Desk) Letters() []*Letter {
	var all []*Letter
	for _, l := range d.letters {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *Letter) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID), strings.Compare(a.queue, b.queue))
	})
	return all
}

// Replay sends letters to their functions and says in each what became of it. When the
// context ends, what was begun is ended and the rest is Kept.
func (d *Desk) Replay(ctx context.Context, letters []*Letter) {
	type way struct{ queue, functions string }
	ways := map[way][]*Letter{}
	for _, l := range letters {
		w := way{l.queue, strings.Join(l.Functions, " ")}
		ways[w] = append(ways[w], l)
	}
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, same := range ways {
		for chunk := range chunks(same) {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if ctx.Err() != nil {
					end(chunk, Kept, "interrupted")
					return
				}
				d.move(context.WithoutCancel(ctx), chunk)
			})
		}
	}
	all.Wait()
}

// chunks yields what goes into one call.
func chunks(letters []*Letter) func(func([]*Letter) bool) {
	return func(yield func([]*Letter) bool) {
		for len(letters) > 0 {
			n, size := 0, 0
			for n < min(most, len(letters)) {
				if size += len(letters[n].body); size > limit && n > 0 {
					break
				}
				n++
			}
			if !yield(letters[:n]) {
				return
			}
			letters = letters[n:]
		}
	}
}

func end(letters []*Letter, outcome Outcome, why string) {
	for _, l := range letters {
		l.Outcome, l.Why = outcome, why
	}
}

// move sends letters of one queue and the same functions to each of these, and deletes
// those that all have taken.
func (d *Desk) move(ctx context.Context, letters []*Letter) {
	taken := letters
	for _, f := range letters[0].Functions {
		queue := d.queues.Work[f]
		if queue == "" {
			end(taken, Failed, "the queue of "+f+" isn't known")
			return
		}
		taken = d.send(ctx, queue, taken)
	}
	d.delete(ctx, taken)
}

// send returns the letters that a function's queue has taken. They go without their
// attributes: if they fail again, it is for a reason of its own.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func (d *Desk) send(ctx context.Context, queue string, letters []*Letter) []*Letter {
	if len(letters) == 0 {
		return nil
	}
	var entries []types.SendMessageBatchRequestEntry
	for i, l := range letters {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &l.body})
	}
	end(letters, Failed, "sending it: SQS said nothing of it")
	out, err := client(d.cfg, queue).SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &queue, Entries: entries})
	if err != nil {
		end(letters, Failed, "sending it: "+err.Error())
		return nil
	}
	for _, f := range out.Failed {
		end(letterOf(letters, f.Id), Failed, fmt.Sprintf("sending it: %s: %s", aws.ToString(f.Code), aws.ToString(f.Message)))
	}
	var taken []*Letter
	for _, s := range out.Successful {
		taken = append(taken, letterOf(letters, s.Id)...)
	}
	return taken
}

// letterOf is the letter of an entry of a batch.
func letterOf(letters []*Letter, id *string) []*Letter {
	if i, err := strconv.Atoi(aws.ToString(id)); err == nil && i >= 0 && i < len(letters) {
		return letters[i : i+1]
	}
	return nil
}

// delete deletes letters that were sent.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
func (d *Desk) delete(ctx context.Context, letters []*Letter) {
	if len(letters) == 0 {
		return
	}
	const twice = "it was sent, and is still here: "
	var entries []types.DeleteMessageBatchRequestEntry
	for i, l := range letters {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &l.receipt})
	}
	end(letters, Copied, twice+"SQS said nothing of it")
	out, err := client(d.cfg, letters[0].queue).DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &letters[0].queue, Entries: entries})
	if err != nil {
		end(letters, Copied, twice+err.Error())
		return
	}
	for _, f := range out.Failed {
		end(letterOf(letters, f.Id), Copied, fmt.Sprintf("%s%s: %s", twice, aws.ToString(f.Code), aws.ToString(f.Message)))
	}
	for _, s := range out.Successful {
		end(letterOf(letters, s.Id), Replayed, "")
	}
}

// Close lets the letters that are still there be seen again.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
func (d *Desk) Close(ctx context.Context) error {
	left := map[string][]*Letter{}
	for _, l := range d.letters {
		if l.Outcome != Replayed {
			left[l.queue] = append(left[l.queue], l)
		}
	}
	var (
		mu     sync.Mutex
		first  error
		hidden int
	)
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for queue, letters := range left {
		for chunk := range slices.Chunk(letters, most) {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				n, err := d.show(ctx, queue, chunk)
				mu.Lock()
				defer mu.Unlock()
				hidden += n
				first = cmp.Or(first, err)
			})
		}
	}
	all.Wait()
	if first != nil {
		return fmt.Errorf("making %d letters visible, which they will be within %s: %w", hidden, Hidden, first)
	}
	return nil
}

// show returns how many stay hidden.
func (d *Desk) show(ctx context.Context, queue string, letters []*Letter) (int, error) {
	var entries []types.ChangeMessageVisibilityBatchRequestEntry
	for i, l := range letters {
		entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &l.receipt, VisibilityTimeout: 0})
	}
	out, err := client(d.cfg, queue).ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &queue, Entries: entries})
	switch {
	case err != nil:
		return len(letters), err
	case len(out.Failed) > 0:
		f := out.Failed[0]
		return len(out.Failed), fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
	}
	return 0, nil
}
