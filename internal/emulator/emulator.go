// Package emulator starts AWS emulators in Python on loopback, for tests and for
// the demonstrations.
//
//	srv, err := emulator.Start(ctx, emulator.Options{})
//	if err != nil { … }
//	defer srv.Stop()
//	client := sqs.NewFromConfig(srv.Config())
//
// [Start] starts moto, which knows many services' tags. [StartCloud] starts
// ministack, which runs whole deployments: CloudFormation, EventBridge, queues,
// and functions as processes.
//
// A start takes one to four seconds, so that the tests of a package share one
// server, started in TestMain, and each uses names of its own. State lives in
// the server's memory; [Server.Reset] drops it for everyone.
//
// moto is found as moto_server on PATH or in the project's .venv, or else
// installed there with pip, which takes a network once, as is ministack. Their
// documentation:
// https://docs.getmoto.org/en/latest/docs/server_mode.html
// https://ministack.org/docs/
package emulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Account is the account that every resource in the emulator belongs to.
const Account = "123456789012"

// Options are the choices of Start. The zero value is usable.
type Options struct {
	// Log gets the server's output. Nil: it is kept for the error of a start
	// that fails, then dropped.
	Log io.Writer
	// Region is the region of Config, us-east-1 by default.
	Region string
	// Wait is how long a start may take once the emulator is installed, 60 s by
	// default: a loaded machine imports slowly.
	Wait time.Duration
}

// Server is a running emulator.
type Server struct {
	// URL is its endpoint, such as "http://127.0.0.1:40123": the value for
	// AWS_ENDPOINT_URL.
	URL string

	program program
	region  string
	cmd     *exec.Cmd
	stdin   io.Closer
	exited  chan struct{}
	once    sync.Once
}

// program is an emulator, as it is run and steered.
type program struct {
	name string
	// command is the command line and what it gets in the environment besides.
	command func(o Options, port int) (argv, env []string)
	ready   string // the path that answers once it runs
	taken   string // what it says where another has the port

	reset, auth string // paths
	on, off     string // bodies for auth
}

// Start runs moto until Stop. The context bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := moto().find(ctx)
	if err != nil {
		return nil, err
	}
	return start(ctx, o, program{
		name: "moto_server",
		command: func(_ Options, port int) ([]string, []string) {
			return []string{bin, "-H", "127.0.0.1", "-p", strconv.Itoa(port)}, nil
		},
		ready: "/moto-api/data.json", taken: "Address already in use",
		// The body is how many calls go unchecked from now on.
		reset: "/moto-api/reset", auth: "/moto-api/reset-auth", on: "0", off: "inf",
	})
}

func start(ctx context.Context, o Options, p program) (*Server, error) {
	if o.Wait == 0 {
		o.Wait = 60 * time.Second
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	// The port is free when it is asked for and may be taken when the emulator
	// binds it, so that a server that exits at once gets another one.
	var last error
	for range 3 {
		srv, err := launch(ctx, p, o)
		if err == nil {
			return srv, nil
		}
		if last = err; !errors.Is(err, errExited) {
			break
		}
	}
	return nil, last
}

var errExited = errors.New("it exited")

func launch(ctx context.Context, p program, o Options) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	output := &head{out: o.Log}
	argv, env := p.command(o, port)
	// The shell between ends its group when its standard input does, and so also
	// when this process dies without having called Stop.
	cmd := exec.Command("sh", append([]string{"-c", `"$0" "$@" & cat >/dev/null; kill -9 0`}, argv...)...)
	cmd.Stdout, cmd.Stderr = output, output
	// Emulators read AWS's settings too: moto answers 500 where AWS_PROFILE names
	// a profile that isn't there.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AWS_") }), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that outlives the group must not hold Wait up.
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	s := &Server{
		URL: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), program: p, region: o.Region,
		cmd: cmd, stdin: stdin, exited: make(chan struct{}),
	}
	go func() {
		// The exit status is the signal's that Stop sends.
		_ = cmd.Wait()
		close(s.exited)
	}()
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	for {
		if err := s.send(ctx, http.MethodGet, p.ready, "", nil); err == nil {
			return s, nil
		}
		if strings.Contains(output.String(), p.taken) {
			s.Stop()
			return nil, fmt.Errorf("starting %s: %w: %s", p.name, errExited, output)
		}
		select {
		case <-s.exited:
			return nil, fmt.Errorf("starting %s: %w: %s", p.name, errExited, output)
		case <-ctx.Done():
			s.Stop()
			return nil, fmt.Errorf("starting %s: %w: %s", p.name, ctx.Err(), output)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the server and everything that it started. It may be called twice.
func (s *Server) Stop() {
	s.once.Do(func() {
		_ = s.stdin.Close()
		// The group is this server's own (Setpgid). It may be gone already.
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.exited
	})
}

// Config returns a configuration for the emulator, with credentials that it
// takes as they are.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region:       s.region,
		BaseEndpoint: aws.String(s.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing", Source: "emulator"}, nil
		}),
	}
}

// Reset drops all resources.
func (s *Server) Reset(ctx context.Context) error {
	return s.send(ctx, http.MethodPost, s.program.reset, "", nil)
}

// EnforceIAM turns the check of IAM policies on or off for everyone. With it
// on, moto's calls need the access key of a user or role that exists there
// (https://docs.getmoto.org/en/latest/docs/iam.html).
func (s *Server) EnforceIAM(ctx context.Context, on bool) error {
	body := s.program.off
	if on {
		body = s.program.on
	}
	return s.send(ctx, http.MethodPost, s.program.auth, body, nil)
}

func (s *Server) send(ctx context.Context, method, path, body string, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the emulator for %s: %w", path, err)
	}
	maps.Copy(req.Header, header)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the emulator for %s: %w", path, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("asking the emulator for %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the emulator for %s: %s", path, resp.Status)
	}
	return nil
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// head keeps the first 16 KB of output for an error, and passes all of it on.
type head struct {
	out io.Writer
	mu  sync.Mutex
	buf bytes.Buffer
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := 16<<10 - h.buf.Len(); room > 0 {
		h.buf.Write(p[:min(room, len(p))])
	}
	if h.out != nil {
		return h.out.Write(p)
	}
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(h.buf.String())
}
