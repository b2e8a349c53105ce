// Autotagger is the command line: it explains what would be done about
// CloudTrail events, does it, and lists what is covered. `autotagger help`
// tells the rest.
package main

import (
	"context"
	"os"

	"autotagger/internal/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
