// Package cli is the command line. Results go to the output, logs and progress
// to the error output. It exits with 0 when all is done, 1 when something
// failed or could not be read, and 2 when the arguments can't be used.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/policy"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// errFailed ends a command that has already said on the error output what
// failed.
var errFailed = errors.New("something failed")

// failure is an error of the work, where others are of the arguments.
type failure struct{ error }

// Run runs the command that the arguments name and returns the exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(&app{stdin: stdin, stdout: stdout, stderr: stderr})
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var failed failure
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &failed):
		fmt.Fprintf(stderr, "autotagger: %s\n", plain(failed.error))
		return exitFailed
	}
	fmt.Fprintf(stderr, "autotagger: %v\nTry: autotagger --help\n", err)
	return exitUsage
}

// app is what the commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	format         string // -o
	config         string // --config
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "autotagger",
		Short: "Give new AWS resources their creator and cost center, new buckets their default CORS",
		Long: `Autotagger reads CloudTrail events, works out what was created and by whom, and
tags it. The functions that do this in AWS and this command run the same code.

Events are read from files, folders or standard input: CloudTrail records,
EventBridge events, CloudTrail log files, SQS batches and JSON Lines of these,
each perhaps gzipped. The form is recognised.

  autotagger explain event.json       what would be done, without calling AWS
  autotagger replay --dry-run logs/   the same for a folder of log files
  autotagger replay event.json        do it
  autotagger catalog --service s3     which calls are known
  autotagger doctor                   what a deployment lacks
  autotagger redrive                  which events were given up on

Exit codes: 0 done; 1 something failed or could not be read; 2 unusable
arguments.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVarP(&a.format, "output", "o", "", "table, for people, or json, one object a line (default: table on a terminal, else json)")
	root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(newExplain(a), newReplay(a), newCatalog(a), newDoctor(a), newRedrive(a))
	return root
}

// version is that of the sources, with the commit where the build knows it.
func version() string {
	v := deployment.Version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v += ", commit " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			v += ", changed"
		}
	}
	return v
}

// table reports whether the output is for people.
func (a *app) table() (bool, error) {
	switch a.format {
	case "table":
		return true, nil
	case "json":
		return false, nil
	case "":
		return isTerminal(a.stdout), nil
	}
	return false, fmt.Errorf("-o %s: there are table and json", a.format)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) configFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.config, "config", "", "configuration file (default: creator always, cost center from the create request's tags, CORS GET and HEAD)")
	c.MarkFlagFilename("config", "yaml", "yml")
}

// policy reads the configuration. It warns of what a deployment would refuse.
func (a *app) policy() (*policy.Policy, error) {
	if a.config == "" {
		return policy.Default(), nil
	}
	data, err := os.ReadFile(a.config)
	if err != nil {
		return nil, failure{fmt.Errorf("reading the configuration: %w", err)}
	}
	p, err := policy.Parse(a.config, data)
	if err != nil {
		return nil, failure{fmt.Errorf("the configuration is refused:\n%w", err)}
	}
	if len(p.Catalogue.Enable)+len(p.Catalogue.Disable) == 0 {
		return p, nil // without parsing the whole catalogue
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		return nil, failure{err}
	}
	for _, unmatched := range p.UnmatchedCalls(rows) {
		fmt.Fprintf(a.stderr, "autotagger: %s: %s\n", a.config, unmatched)
	}
	return p, nil
}

// oneLine keeps an error within the line it is printed on.
func oneLine(err error) string { return strings.ReplaceAll(plain(err), "\n", "; ") }
