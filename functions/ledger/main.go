// The function ledger remembers who began which session, and who made which stack.
// Its queue, permissions and table are those of the CDK app in infra.
package main

import (
	"os"

	"autotagger/internal/function"
)

func main() { os.Exit(function.MainLedger()) }
