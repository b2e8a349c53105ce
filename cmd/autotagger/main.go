// Autotagger is the command line: it explains what would be done about
// CloudTrail events, does it, and lists what is covered. `autotagger help`
// tells the rest.
package main

import (
	"context"
	"os"
	"os/signal"

	"autotagger/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
