package soak

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"

	"autotagger/internal/deployment"
	"autotagger/internal/function"
	"autotagger/internal/policy"
)

// wire carries connections between functions and the world, in memory.
type wire struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *wire) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *wire) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *wire) Addr() net.Addr { return &net.UnixAddr{Name: "aws", Net: "pipe"} }

func (l *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Fleet is Lambda: it takes batches from the queue and hands them to functions, each
// with a handler of its own.
type Fleet struct {
	World  *World
	Queue  *Queue
	Policy *policy.Policy
	Job    function.Job
	// Size is how many batches are handled at once, Batch how large they are.
	Size, Batch int
	// Deaths and Cuts are the shares of invocations that are killed, or have only a
	// few seconds left.
	Deaths, Cuts float64
	// Until is when the fleet gives up on a queue that doesn't empty.
	Until time.Time

	Invocations, Killed, Shortened, Overran atomic.Int64

	busy atomic.Int64

	wire   *wire
	server *http.Server
}

// Serve starts the world's endpoint.
func (f *Fleet) Serve() {
	f.wire = &wire{conns: make(chan net.Conn), done: make(chan struct{})}
	f.server = &http.Server{Handler: f.World, ErrorLog: log.New(io.Discard, "", 0)}
	go f.server.Serve(f.wire)
}

// Close ends it, and the connections, and waits for what is still on its way.
func (f *Fleet) Close() {
	f.server.Close()
	f.wire.Close()
	time.Sleep(time.Hour)
}

// Busy is how long the functions have worked, all together.
func (f *Fleet) Busy() time.Duration { return time.Duration(f.busy.Load()) }

// instance is one function: a process of Lambda's.
type instance struct {
	handler   *function.Handler
	transport *http.Transport
	dead      atomic.Bool
	lines     lines
}

var errDead = errors.New("the function is dead")

// RoundTrip lets a dead function call nobody.
func (i *instance) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.dead.Load() {
		return nil, errDead
	}
	return i.transport.RoundTrip(r)
}

// moving lets the clock move while the SDK waits for a rate. It may work out a wait of
// less than a nanosecond, take that for none, and look again: on the bubble's clock,
// which stands still meanwhile, for ever.
func moving(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("soak:moving", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		return next.HandleFinalize(ticking{ctx}, in)
	}), middleware.Before)
}

// ticking is a context that takes a moment to be waited for.
type ticking struct{ context.Context }

func (t ticking) Done() <-chan struct{} {
	time.Sleep(time.Microsecond)
	return t.Context.Done()
}

// start makes a function as function.New does, but for its way to AWS.
func (f *Fleet) start() *instance {
	i := &instance{transport: &http.Transport{DialContext: f.wire.dial}}
	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://aws"), HTTPClient: &http.Client{Transport: i},
		APIOptions: []func(*middleware.Stack) error{moving},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAHUB", SecretAccessKey: "secret"}, nil
		}),
	}
	env := map[string]string{
		deployment.EnvSpokeRole:   deployment.SpokeRole("tagger"),
		deployment.EnvQueue:       "http://aws/" + hub + "/tagger",
		deployment.EnvDeadLetters: "http://aws/" + hub + "/tagger-dead-letters",
	}
	i.handler = function.Assemble(cfg, f.Policy, f.Job, func(name string) string { return env[name] }, slog.New(&i.lines), io.Discard)
	return i
}

// Run handles what is in the queue until nothing is left and more says that nothing
// comes any more.
func (f *Fleet) Run(more func() bool) {
	var wg sync.WaitGroup
	for n := range f.Size {
		wg.Go(func() { f.run(n, more) })
	}
	wg.Wait()
}

func (f *Fleet) run(n int, more func() bool) {
	i := f.start()
	defer func() { i.transport.CloseIdleConnections() }()
	for turn := 0; ; turn++ {
		left, next := f.Queue.left()
		if left == 0 && !more() || time.Now().After(f.Until) {
			return
		}
		switch wait := time.Until(next); {
		case f.Queue.seen() >= f.Batch:
		case left > 0 && !more() && wait > time.Second:
			time.Sleep(wait)
		default:
			time.Sleep(time.Second) // the batching window
		}
		batch := f.Queue.receive(f.Batch)
		if len(batch) == 0 {
			continue
		}
		f.Invocations.Add(1)
		if !f.invoke(i, batch, f.World.Seed.draw("death", n, turn), f.World.Seed.draw("moment", n, turn)) {
			i.transport.CloseIdleConnections()
			i = f.start()
		}
	}
}

// invoke hands a batch to a function, and reports whether that is still alive. What
// the function answers counts only then.
func (f *Fleet) invoke(i *instance, batch []events.SQSMessage, draw, moment float64) (alive bool) {
	has := timeout
	faulty := time.Now().Before(f.World.FaultsEnd)
	kills := faulty && draw < f.Deaths
	if faulty && draw >= f.Deaths && draw < f.Deaths+f.Cuts {
		has = 2*time.Second + time.Duration(moment*float64(4*time.Second))
		f.Shortened.Add(1)
	}
	deadly := func() bool { // a message that it has taken in hand
		return slices.ContainsFunc(batch, func(m events.SQSMessage) bool {
			return strings.HasPrefix(m.Body, "deadly") && f.Queue.inHand(m.ReceiptHandle)
		})
	}
	deadline := time.Now().Add(has)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if kills || deadly() {
		defer time.AfterFunc(time.Second+time.Duration(moment*float64(5*time.Second)), func() {
			if kills || deadly() {
				i.dead.Store(true)
				cancel()
			}
		}).Stop()
	}
	began := time.Now()
	answer, err := i.handler.Handle(ctx, events.SQSEvent{Records: batch})
	f.busy.Add(int64(time.Since(began)))
	if kills = kills || deadly(); kills {
		f.Killed.Add(1)
	}
	overran := time.Now().After(deadline)
	if kills || overran {
		i.dead.Store(true)
		var receipts []string // what it did until then counts, and comes again
		for _, m := range batch {
			receipts = append(receipts, m.ReceiptHandle)
		}
		f.Queue.excuse(nil, receipts)
		if overran && !kills {
			f.Overran.Add(1)
		}
		return false
	}
	said := i.lines.take()
	if err != nil {
		return true
	}
	failed := map[string]bool{}
	for _, item := range answer.BatchItemFailures {
		failed[item.ItemIdentifier] = true
	}
	for _, m := range batch {
		if !failed[m.MessageId] {
			f.Queue.acknowledge(m.MessageId, said[m.MessageId])
		}
	}
	return true
}

// line is what a function's log says of a message.
type line struct {
	end, outcome, reason string
	outcomes             []string // of its resources: outcome and why
}

// lines is a log of one function.
type lines struct {
	mu sync.Mutex
	by map[string]*line
}

func (l *lines) take() map[string]*line {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := l.by
	l.by = nil
	return by
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *lines) WithGroup(string) slog.Handler                    { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "event" {
		return nil
	}
	said, id := &line{}, ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case function.KeyMessageID:
			id = a.Value.String()
		case function.KeyEnd:
			said.end = a.Value.String()
		case function.KeyOutcome:
			said.outcome = a.Value.String()
		case function.KeyReason:
			said.reason = a.Value.String()
		case function.KeyResults:
			results, _ := a.Value.Any().([]any)
			for _, v := range results {
				if m, ok := v.(map[string]any); ok {
					outcome, _ := m["outcome"].(string)
					why, _ := m["why"].(string)
					said.outcomes = append(said.outcomes, strings.TrimSpace(outcome+" "+why))
				}
			}
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]*line{}
	}
	l.by[id] = said
	return nil
}
