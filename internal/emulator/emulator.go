// Package emulator starts moto, an AWS emulator in Python, on loopback for
// tests and for the demo.
//
//	srv, err := emulator.Start(ctx, emulator.Options{})
//	if err != nil { … }
//	defer srv.Stop()
//	client := sqs.NewFromConfig(srv.Config())
//
// A start takes two to four seconds, so that the tests of a package share one
// server, started in TestMain, and each uses names of its own. State lives in
// the server's memory; [Server.Reset] drops it for everyone.
//
// moto is found as moto_server on PATH or in the project's .venv, or else
// installed there with pip, which takes a network once. Its documentation:
// https://docs.getmoto.org/en/latest/docs/server_mode.html
package emulator

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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// MotoVersion is the release that is installed where none is found. Tests rely
// on what it emulates.
const MotoVersion = "5.2.1"

// Account is the account that every resource in the emulator belongs to.
const Account = "123456789012"

// Options are the choices of Start. The zero value is usable.
type Options struct {
	// Log gets the server's output. Nil: it is kept for the error of a start
	// that fails, then dropped.
	Log io.Writer
	// Region is the region of Config, us-east-1 by default.
	Region string
	// Wait is how long a start may take once moto is installed, 60 s by
	// default: a loaded machine imports slowly.
	Wait time.Duration
}

// Server is a running emulator.
type Server struct {
	// URL is its endpoint, such as "http://127.0.0.1:40123": the value for
	// AWS_ENDPOINT_URL.
	URL string

	region string
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan struct{}
	once   sync.Once
}

// Start runs an emulator until Stop. The context bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Wait == 0 {
		o.Wait = 60 * time.Second
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	bin, err := find(ctx)
	if err != nil {
		return nil, err
	}
	// The port is free when it is asked for and may be taken when moto binds
	// it, so that a server that exits at once gets another one.
	var last error
	for range 3 {
		srv, err := launch(ctx, bin, o)
		if err == nil {
			return srv, nil
		}
		if last = err; !errors.Is(err, errExited) {
			break
		}
	}
	return nil, last
}

var errExited = errors.New("moto_server exited")

func launch(ctx context.Context, bin string, o Options) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	output := &head{out: o.Log}
	// The shell between ends the server when its standard input does, and so
	// also when this process dies without having called Stop.
	cmd := exec.Command("sh", "-c", `"$0" "$@" & pid=$!; cat >/dev/null; kill $pid; wait $pid`,
		bin, "-H", "127.0.0.1", "-p", strconv.Itoa(port))
	cmd.Stdout, cmd.Stderr = output, output
	// moto reads AWS's settings too, and answers 500 where AWS_PROFILE names a
	// profile that isn't there.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AWS_") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that outlives the group must not hold Wait up.
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting moto_server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting moto_server: %w", err)
	}
	s := &Server{
		URL: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), region: o.Region,
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
		if err := s.send(ctx, http.MethodGet, "/moto-api/data.json", ""); err == nil {
			return s, nil
		}
		if strings.Contains(output.String(), "Address already in use") {
			s.Stop()
			return nil, fmt.Errorf("starting moto_server: %w: %s", errExited, output)
		}
		select {
		case <-s.exited:
			return nil, fmt.Errorf("starting moto_server: %w: %s", errExited, output)
		case <-ctx.Done():
			s.Stop()
			return nil, fmt.Errorf("starting moto_server: %w: %s", ctx.Err(), output)
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
	return s.send(ctx, http.MethodPost, "/moto-api/reset", "")
}

// EnforceIAM turns the check of IAM policies on or off for everyone. With it
// on, calls need the access key of a user or role that exists in the emulator
// (https://docs.getmoto.org/en/latest/docs/iam.html).
func (s *Server) EnforceIAM(ctx context.Context, on bool) error {
	// The body is how many calls go unchecked from now on.
	unchecked := "inf"
	if on {
		unchecked = "0"
	}
	return s.send(ctx, http.MethodPost, "/moto-api/reset-auth", unchecked)
}

func (s *Server) send(ctx context.Context, method, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the emulator for %s: %w", path, err)
	}
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

// find is moto_server's path, installed if it has to be.
func find(ctx context.Context) (string, error) {
	if bin, err := exec.LookPath("moto_server"); err == nil {
		return bin, nil
	}
	root, err := projectRoot()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, ".venv", "bin", "moto_server")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	return bin, install(ctx, root, bin)
}

// projectRoot is the folder with go.mod, above the working directory: tests run
// in their package's.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the project's root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the project's root: no go.mod above the working directory")
		}
		dir = parent
	}
}

// install puts moto into the project's .venv. Packages are tested at the same
// time, so that the first one installs and the others wait: go.mod serves as
// the lock, since it is there and nobody else locks it.
func install(ctx context.Context, root, bin string) error {
	lock, err := os.Open(filepath.Join(root, "go.mod"))
	if err != nil {
		return fmt.Errorf("installing moto: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("installing moto: %w", err)
	}
	if _, err := os.Stat(bin); err == nil {
		return nil
	}
	venv := filepath.Join(root, ".venv")
	for _, args := range [][]string{
		{"python3", "-m", "venv", venv},
		{filepath.Join(venv, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "moto[server]==" + MotoVersion},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("installing moto: %s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
	}
	return nil
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
