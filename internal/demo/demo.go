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
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"autotagger/internal/emulator"
	"autotagger/internal/sample"
)

const region = "eu-west-1"

// config is the demo's configuration. It gives every resource both tags.
const config = `# The cost center is the one that the create request names, else its creator's.
cost-center:
  - tag: [CostCenter, cost-center]
  - rule: {creators: ["*@shop.example.com"], value: "1001"}
  - default: "9000"
cors:
  rules:
    - allowed-methods: [GET, HEAD]
      allowed-origins: ["*"]
      max-age-seconds: 3000
`

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
	if s.root, err = projectRoot(ctx); err != nil {
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

	all := resources(s.srv.Config())
	s.step("Creating %d resources through the AWS SDK for Go", len(all))
	states := make([]state, len(all))
	for i, r := range all {
		if states[i], err = s.create(ctx, i, r); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "  %s\n", r.name)
	}
	s.step("Replaying the events of these calls")
	s.commands()
	if err := s.replay(ctx); err != nil {
		return err
	}
	s.step("What the services say")
	differ, err := compare(ctx, s.out, all, states)
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

// projectRoot is the folder of the module that the demo is run in.
func projectRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the project: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("finding the project: run the demo inside its folder")
	}
	return filepath.Dir(mod), nil
}

func (s *stage) step(format string, args ...any) {
	fmt.Fprintf(s.out, "\n"+bold(s.out, format)+"\n", args...)
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
	if err := os.WriteFile(s.config(), []byte(config), 0o644); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// create makes a resource, writes the event of the call, and looks at what the
// resource is like before the replay.
func (s *stage) create(ctx context.Context, n int, r resource) (state, error) {
	values, err := r.create(ctx)
	if err != nil {
		return state{}, fmt.Errorf("creating %s: %w", r.name, err)
	}
	home := region
	if strings.HasPrefix(r.sample, "iam/") {
		home = "us-east-1" // where CloudTrail has IAM's calls
	}
	e := sample.Read(os.DirFS(filepath.Join(s.root, "events")), r.sample).
		Place(emulator.Account, home).At(time.Now().Add(-time.Minute)).By(r.by).Untag()
	for path, v := range values {
		e.Set(path, v)
	}
	data, err := e.JSON()
	if err != nil {
		return state{}, err
	}
	name := filepath.Join(s.events(), fmt.Sprintf("%02d-%s", n+1, strings.ReplaceAll(r.sample, "/", "-")))
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return state{}, fmt.Errorf("writing the event of %s: %w", r.name, err)
	}
	return r.look(ctx)
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
	fmt.Fprintf(s.out, "  %s\n", faint(s.out, fmt.Sprintf("in %d ms", time.Since(started).Milliseconds())))
	return nil
}

// replayAgain replays once more and wants everything as the first replay left
// it.
func (s *stage) replayAgain(ctx context.Context, all []resource) error {
	before := make([]state, len(all))
	for i, r := range all {
		var err error
		if before[i], err = r.look(ctx); err != nil {
			return err
		}
	}
	cmd, out := s.command(ctx, "json")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("replaying the events again: %w\n%s", err, out)
	}
	for i, r := range all {
		now, err := r.look(ctx)
		if err != nil {
			return err
		}
		if !maps.Equal(now.tags, before[i].tags) || now.cors != before[i].cors {
			return fmt.Errorf("replaying the events again: %s changed from %s to %s", r.name, before[i], now)
		}
	}
	if n := strings.Count(out.String(), `"outcome":"tagged"`); n > 0 {
		return fmt.Errorf("replaying the events again: %d resources were tagged anew", n)
	}
	fmt.Fprintf(s.out, "  nothing changed\n")
	return nil
}
