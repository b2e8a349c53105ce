package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"autotagger/internal/doctor"
)

// deployedConfig is the configuration that a deployment takes unless told another.
const deployedConfig = "autotagger.yaml"

func newDoctor(a *app) *cobra.Command {
	var o doctor.Options
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing, before and after a deployment, and what to do",
		Long: `Doctor looks at the account, and at the deployment in it, with the credentials
and the region of the environment. It only reads. Each finding is
  ok       as it should be
  info     worth knowing
  warn     it works, but something is left out, or will go wrong
  unknown  it can't be seen, mostly for want of a permission
  fail     resources aren't tagged, or events are lost
and says what to do. docs/doctor.md explains each, and has a policy with the
permissions that doctor itself needs.

Run it in the account and region of the hub. It exits with 1 if any finding is
fail or unknown.`,
		Example: "  autotagger doctor\n  autotagger doctor --organization -o json\n  autotagger doctor --drained && make destroy",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			table, err := a.table()
			if err != nil {
				return err
			}
			o.File = a.config
			if _, err := os.Stat(deployedConfig); o.File == "" && !errors.Is(err, fs.ErrNotExist) {
				o.File = deployedConfig
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			cfg, err := loadAWS(ctx)
			o.Unloaded = err
			findings := doctor.Examine(ctx, cfg, o)
			if err := a.printFindings(findings, table); err != nil {
				return failure{fmt.Errorf("writing the output: %w", err)}
			}
			if !doctor.Healthy(findings) {
				return errFailed
			}
			return nil
		},
	}
	c.Flags().StringVar(&a.config, "config", "", "configuration file that is deployed (default: "+deployedConfig+", if it is there)")
	c.MarkFlagFilename("config", "yaml", "yml")
	c.Flags().BoolVar(&o.Organization, "organization", false, "check what an organisation needs, although no hub for one is deployed yet")
	c.Flags().BoolVar(&o.Drained, "drained", false, "check only that no message is left in any queue")
	return c
}

// printFindings prints an object a finding, or a table in which what to do has a
// line of its own.
func (a *app) printFindings(findings []doctor.Finding, table bool) error {
	if !table {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		for _, f := range findings {
			if err := enc.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	out := &rows{tab: tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0), color: isTerminal(a.stdout) && os.Getenv("NO_COLOR") == ""}
	if err := out.line("", "STATUS", "CHECK", "SUBJECT", "FOUND"); err != nil {
		return err
	}
	colors := map[doctor.Status]string{doctor.OK: "32", doctor.Info: "2", doctor.Warn: "33", doctor.Unknown: "33", doctor.Fail: "31"}
	for _, f := range findings {
		if err := out.line(colors[f.Status], string(f.Status), f.Check, f.Subject, f.Found); err != nil {
			return err
		}
		if f.Do == "" {
			continue
		}
		if err := out.line("", "", "", "", "→ "+f.Do); err != nil {
			return err
		}
	}
	return out.flush()
}
