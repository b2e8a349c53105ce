// Demo shows autotagger at work on an emulator on this machine: make demo.
package main

import (
	"context"
	"os"
	"os/signal"

	"autotagger/internal/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := demo.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
