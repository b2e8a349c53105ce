// Local deploys autotagger onto an emulator on this machine: make local.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"autotagger/internal/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := local.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
