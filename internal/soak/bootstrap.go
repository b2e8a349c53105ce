package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/deployment"
	"autotagger/internal/function"
	"autotagger/internal/runtimeapi"
)

// Bootstraps are a function's real binary, several at once, on the machine's own clock.
// The queue doesn't wait there: what is to come again comes at once.
type Bootstraps struct {
	World *World
	Queue *Queue
	// Binary is the bootstrap, Dir has its configuration autotagger.yaml, and URL is
	// the world's endpoint.
	Binary, Dir, URL string
	// Size is how many run at once, Batch how large batches are, Deaths the share of
	// invocations that are killed.
	Size, Batch int
	Deaths      float64

	mu     sync.Mutex
	Killed int
	Peak   int64 // bytes of the largest process
	logs   []string
}

// Run handles what is in the queue until nothing is left.
func (b *Bootstraps) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, b.Size)
	for n := range b.Size {
		wg.Go(func() { errs[n] = b.run(ctx, n) })
	}
	wg.Wait()
	b.say()
	return errors.Join(errs...)
}

func (b *Bootstraps) start() (*runtimeapi.Function, error) {
	return runtimeapi.Start(b.Binary, b.Dir, timeout,
		deployment.EnvConfig+"=autotagger.yaml", deployment.EnvSpokeRole+"="+deployment.SpokeRole("tagger"),
		deployment.EnvQueue+"="+b.URL+"/"+hub+"/tagger", deployment.EnvDeadLetters+"="+b.URL+"/"+hub+"/tagger-dead-letters",
		"AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_ENDPOINT_URL="+b.URL)
}

func (b *Bootstraps) run(ctx context.Context, n int) error {
	f, err := b.start()
	if err != nil {
		return err
	}
	defer func() { b.stop(f) }()
	for turn := 0; ctx.Err() == nil; turn++ {
		if left, _ := b.Queue.left(); left == 0 {
			return nil
		}
		batch := b.Queue.receive(b.Batch)
		if len(batch) == 0 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		payload, err := json.Marshal(events.SQSEvent{Records: batch})
		if err != nil {
			return err
		}
		kills := time.Now().Before(b.World.FaultsEnd) && b.World.Seed.draw("death", n, turn) < b.Deaths
		if kills {
			time.AfterFunc(time.Duration(b.World.Seed.draw("moment", n, turn)*float64(300*time.Millisecond)), f.Stop)
		}
		said, err := f.Invoke(ctx, payload)
		failed := map[string]bool{}
		var answer events.SQSEventResponse
		if err == nil {
			err = json.Unmarshal(said, &answer)
		}
		for _, item := range answer.BatchItemFailures {
			failed[item.ItemIdentifier] = true
		}
		var receipts []string
		for _, m := range batch {
			if err == nil && !failed[m.MessageId] {
				b.Queue.acknowledge(m.MessageId, nil)
				continue
			}
			receipts = append(receipts, m.ReceiptHandle)
		}
		if err != nil {
			b.Queue.excuse(nil, receipts)
		}
		b.Queue.release(receipts)
		if kills || err != nil {
			b.mu.Lock()
			b.Killed++
			b.mu.Unlock()
			b.stop(f)
			if f, err = b.start(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// stop ends a process and keeps what it said.
func (b *Bootstraps) stop(f *runtimeapi.Function) {
	peak, err := f.PeakMemory()
	f.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.Peak = max(b.Peak, peak)
	}
	b.logs = append(b.logs, f.Log())
}

// say tells the queue what the logs say of its messages: the latest word that is an
// end.
func (b *Bootstraps) say() {
	latest := map[string]string{}
	for _, log := range b.logs {
		for text := range strings.Lines(log) {
			var entry struct {
				Message, Time, MessageID, End, Outcome, Reason string
				Results                                        []struct{ Outcome, Why string }
			}
			if json.Unmarshal([]byte(text), &entry) != nil || entry.Message != "event" || entry.End == string(function.Again) {
				continue
			}
			m := b.Queue.by(entry.MessageID)
			if m == nil || entry.Time < latest[m.id] {
				continue
			}
			latest[m.id] = entry.Time
			m.line = &line{end: entry.End, outcome: entry.Outcome, reason: entry.Reason}
			for _, r := range entry.Results {
				m.line.outcomes = append(m.line.outcomes, strings.TrimSpace(fmt.Sprint(r.Outcome, " ", r.Why)))
			}
		}
	}
}
