// Package demo shows the program at work without an AWS account. It
//
//  1. starts an emulator on loopback,
//  2. creates resources there through the AWS SDK, some with tags and CORS of
//     their own,
//  3. writes the CloudTrail events of these calls, made from the project's
//     samples since no emulator emits any,
//  4. replays them with the command line, built as a person would build it,
//  5. shows tags and CORS before and after, read through each service's own
//     API, and compares them with what they should be.
//
// Nothing of it reaches AWS: the environment's AWS_… variables are not passed
// on.
package demo

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"autotagger/internal/emulator"
	"autotagger/internal/shop"
)

const region = "eu-west-1"

// errDiffers ends a demo that has shown on the output what isn't as it should
// be.
var errDiffers = errors.New("not every resource ended as it should")

// Run runs the demo and returns the exit code: 0 if every resource ended as it
// should, 1 if not, 2 for unusable arguments.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	keep := flags.Bool("keep", false, "keep the emulator and the files until interrupted, to try more commands")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "demo: unexpected argument %s\n", flags.Arg(0))
		return 2
	}
	if err := run(ctx, *keep, stdout); err != nil {
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return 1
	}
	return 0
}

// stage is where the demo plays.
type stage struct {
	out  io.Writer
	root string // the project
	dir  string // for what is made
	srv  *emulator.Server
}

func run(ctx context.Context, keep bool, stdout io.Writer) (err error) {
	s := &stage{out: stdout}
	if s.root, err = emulator.ProjectRoot(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "autotagger-demo-"); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	if err := s.build(ctx); err != nil {
		return err
	}
	s.step("Starting the emulator (moto; the first time installs it)")
	if s.srv, err = emulator.Start(ctx, emulator.Options{Region: region}); err != nil {
		return err
	}
	defer s.srv.Stop()
	fmt.Fprintf(s.out, "  %s\n", s.srv.URL)

	all := shop.Resources(s.srv.Config())
	s.step("Creating %d resources through the AWS SDK for Go", len(all))
	rows := make([]shop.Row, len(all))
	for i, r := range all {
		before, err := s.create(ctx, i, r)
		if err != nil {
			return err
		}
		rows[i] = shop.Row{Name: r.Name, Before: before, Want: r.Want}
		fmt.Fprintf(s.out, "  %s\n", r.Name)
	}
	s.step("Replaying the events of these calls")
	s.commands()
	if err := s.replay(ctx); err != nil {
		return err
	}
	s.step("What the services say")
	for i, r := range all {
		if rows[i].Now, err = r.Look(ctx); err != nil {
			return err
		}
	}
	differ, err := shop.Table(s.out, rows, "")
	if err != nil {
		return err
	}
	s.step("Replaying the same events again, which must change nothing")
	if err := s.replayAgain(ctx, all); err != nil {
		return err
	}
	if keep {
		s.step("The emulator keeps running until you press Ctrl-C")
		s.commands()
		<-ctx.Done()
	}
	if differ {
		return errDiffers
	}
	s.step("All %d resources are as they should be", len(all))
	return nil
}

func (s *stage) step(format string, args ...any) {
	shop.Step(s.out, format, args...)
}

func (s *stage) binary() string { return filepath.Join(s.dir, "autotagger") }
func (s *stage) config() string { return filepath.Join(s.dir, "autotagger.yaml") }
func (s *stage) events() string { return filepath.Join(s.dir, "events") }

// build makes the command line and the files that it gets.
func (s *stage) build(ctx context.Context) error {
	s.step("Building the command line")
	fmt.Fprintf(s.out, "  $ go build -o %s ./cmd/autotagger\n", s.binary())
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.binary(), "./cmd/autotagger")
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command line: %w\n%s", err, out)
	}
	if err := os.Mkdir(s.events(), 0o755); err != nil {
		return fmt.Errorf("making the events' folder: %w", err)
	}
	if err := os.WriteFile(s.config(), []byte(shop.Config), 0o644); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// create makes a resource and writes the event of the call. It returns what the
// resource is like before the replay.
func (s *stage) create(ctx context.Context, n int, r shop.Resource) (shop.State, error) {
	event, before, err := r.Create(ctx, s.srv.Config(), os.DirFS(filepath.Join(s.root, "events")))
	if err != nil {
		return shop.State{}, err
	}
	if err := os.WriteFile(filepath.Join(s.events(), r.File(n+1)), event, 0o644); err != nil {
		return shop.State{}, fmt.Errorf("writing the event of %s: %w", r.Name, err)
	}
	return before, nil
}

// environment is the command line's: the emulator's, and no AWS_… variable of
// the person's own.
func (s *stage) environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "AWS_") {
			env = append(env, kv)
		}
	}
	return append(env, append(s.variables(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)...)
}

func (s *stage) variables() []string {
	return []string{"AWS_ENDPOINT_URL=" + s.srv.URL, "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing"}
}

// commands prints what a person would type.
func (s *stage) commands() {
	fmt.Fprintf(s.out, "  $ export %s\n", strings.Join(s.variables(), " "))
	fmt.Fprintf(s.out, "  $ %s explain --config %s %s\n", s.binary(), s.config(), s.events())
	fmt.Fprintf(s.out, "  $ %s replay --config %s %s\n", s.binary(), s.config(), s.events())
	fmt.Fprintf(s.out, "  (go run ./cmd/demo -keep leaves emulator and files for you to try these)\n\n")
}

func (s *stage) command(ctx context.Context, format string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, s.binary(), "replay", "-o", format, "--config", s.config(), s.events())
	cmd.Env = s.environment()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

func (s *stage) replay(ctx context.Context) error {
	started := time.Now()
	cmd, out := s.command(ctx, "table")
	err := cmd.Run()
	fmt.Fprintf(s.out, "%s", indent(out.String()))
	if err != nil {
		return fmt.Errorf("replaying the events: %w", err)
	}
	fmt.Fprintf(s.out, "  %s\n", shop.Faint(s.out, fmt.Sprintf("in %d ms", time.Since(started).Milliseconds())))
	return nil
}

// replayAgain replays once more and wants everything as the first replay left
// it.
func (s *stage) replayAgain(ctx context.Context, all []shop.Resource) error {
	before := make([]shop.State, len(all))
	for i, r := range all {
		var err error
		if before[i], err = r.Look(ctx); err != nil {
			return err
		}
	}
	cmd, out := s.command(ctx, "json")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("replaying the events again: %w\n%s", err, out)
	}
	for i, r := range all {
		now, err := r.Look(ctx)
		if err != nil {
			return err
		}
		if !now.Equal(before[i]) {
			return fmt.Errorf("replaying the events again: %s changed from %s to %s", r.Name, before[i], now)
		}
	}
	if n := strings.Count(out.String(), `"outcome":"tagged"`); n > 0 {
		return fmt.Errorf("replaying the events again: %d resources were tagged anew", n)
	}
	fmt.Fprintf(s.out, "  nothing changed\n")
	return nil
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}
