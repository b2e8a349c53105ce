// Command scp writes service control policies that protect the configured tags:
// `make scp`. It prints what they can't hold. Package scp explains them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
	"autotagger/internal/policy"
	"autotagger/internal/scp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o scp.Options
	flags := flag.NewFlagSet("scp", flag.ContinueOnError)
	flags.StringVar(&o.BreakGlass, "break-glass", scp.BreakGlass, "a glob over the names of roles that may do it all the same")
	flags.StringVar(&o.Hub, "hub", "", "the hub's account, where the CDK may deploy our roles; without it, deploy the hub as the break-glass role")
	flags.StringVar(&o.Partition, "partition", "aws", "the partition of the organization")
	flags.IntVar(&o.Size, "size", scp.MaxSize, "how many characters a policy may have")
	config := flags.String("config", "autotagger.yaml", "the configuration that names the tags")
	inputs := flags.String("cache", "build/inputs", "the folder that IAM's reference is fetched into")
	out := flags.String("out", "build", "the folder that the policies are written to, as scp-1.json and so on")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	text, err := os.ReadFile(*config)
	if err != nil {
		return err
	}
	p, err := policy.Parse(*config, text)
	if err != nil {
		return err
	}
	o.Keys = p.Keys()
	iam, err := models.ReadIAM(ctx, *inputs)
	if err != nil {
		return err
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		return err
	}
	return scp.Cover(iam, catalogue.Actions(rows)).Write(*out, o, stdout)
}
