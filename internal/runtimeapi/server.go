// Package runtimeapi is a Lambda Runtime API on loopback: it runs a function's
// real bootstrap binary as Lambda does, for tests and benchmarks.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// Function is a bootstrap that runs against a Runtime API of its own.
type Function struct {
	cmd     *exec.Cmd
	server  *http.Server
	started time.Time
	timeout time.Duration

	invocations chan []byte
	answers     chan answer
	exited      chan struct{}

	mu    sync.Mutex
	ready time.Time // of the first request for work
	log   bytes.Buffer
}

type answer struct {
	body []byte
	err  error
}

// ErrExited is returned by Invoke when the process has ended.
var ErrExited = errors.New("the function's process has ended")

// Start starts the bootstrap with the environment that Lambda gives and env
// besides. Timeout is the function's; each invocation's deadline is made of it.
func Start(bootstrap, dir string, timeout time.Duration, env ...string) (*Function, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the Runtime API: %w", err)
	}
	f := &Function{timeout: timeout, invocations: make(chan []byte), answers: make(chan answer), exited: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", f.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		f.answer(w, r, func(body []byte) answer { return answer{body: body} })
	})
	failed := func(w http.ResponseWriter, r *http.Request) {
		f.answer(w, r, func(body []byte) answer { return answer{err: fmt.Errorf("the function failed: %s", body)} })
	}
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", failed)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", failed)
	f.server = &http.Server{Handler: mux}
	go f.server.Serve(listener)

	f.cmd = exec.Command(bootstrap)
	f.cmd.Dir = dir
	f.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=function", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=ACCESSKEY", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_SESSION_TOKEN=token", "LAMBDA_TASK_ROOT=" + dir, "AWS_EC2_METADATA_DISABLED=true",
	}, env...)
	f.cmd.Stdout, f.cmd.Stderr = (*logWriter)(f), (*logWriter)(f)
	f.started = time.Now()
	if err := f.cmd.Start(); err != nil {
		f.server.Close()
		return nil, fmt.Errorf("starting %s: %w", bootstrap, err)
	}
	go func() {
		f.cmd.Wait()
		close(f.exited)
	}()
	return f, nil
}

// next hands out an invocation when there is one.
func (f *Function) next(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.ready.IsZero() {
		f.ready = time.Now()
	}
	f.mu.Unlock()
	select {
	case payload := <-f.invocations:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(f.timeout).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:111122223333:function:function")
		w.Write(payload)
	case <-r.Context().Done():
	}
}

func (f *Function) answer(w http.ResponseWriter, r *http.Request, made func([]byte) answer) {
	body, err := io.ReadAll(r.Body)
	a := made(body)
	if err != nil {
		a = answer{err: fmt.Errorf("reading the function's answer: %w", err)}
	}
	w.WriteHeader(http.StatusAccepted)
	select {
	case f.answers <- a:
	case <-time.After(time.Minute): // an error of the start, that nobody asked for
	}
}

// Invoke gives the function a payload and returns what it answers.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case f.invocations <- payload:
	case a := <-f.answers: // the start failed
		return nil, a.err
	case <-f.exited:
		return nil, ErrExited
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-f.answers:
		return a.body, a.err
	case <-f.exited:
		return nil, ErrExited
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Ready returns how long the function took from its start to asking for work,
// 0 if it has not.
func (f *Function) Ready() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ready.IsZero() {
		return 0
	}
	return f.ready.Sub(f.started)
}

// Started returns when the process was started.
func (f *Function) Started() time.Time { return f.started }

// PeakMemory returns the most memory that the process has held, in bytes. It
// reads /proc and so works on Linux.
func (f *Function) PeakMemory() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var kb int64
	_, after, _ := bytes.Cut(data, []byte("VmHWM:"))
	if _, err := fmt.Sscan(string(after), &kb); err != nil {
		return 0, fmt.Errorf("reading the peak memory: %w", err)
	}
	return kb << 10, nil
}

// Log returns what the function has written. What it wrote last may still be on
// its way until Stop.
func (f *Function) Log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

// Stop ends the process. It may be called more than once.
func (f *Function) Stop() {
	f.cmd.Process.Kill()
	<-f.exited
	f.server.Close()
}

type logWriter Function

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// Build builds a function's bootstrap as the Makefile does, but for this machine: pkg is
// its import path. One set of flags makes one build of all that it links.
func Build(ctx context.Context, pkg, bootstrap string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", bootstrap, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}
