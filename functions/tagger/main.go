// The function tagger gives new resources their creator and cost center.
// Its queue, permissions and configuration are those of the CDK app in infra.
package main

import (
	"os"

	"autotagger/internal/function"
)

func main() { os.Exit(function.Main(function.Job{Name: "tagger", Tag: true})) }
