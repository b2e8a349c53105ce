// The function cors gives new buckets the default CORS configuration.
// Its queue, permissions and configuration are those of the CDK app in infra.
package main

import (
	"os"

	"autotagger/internal/function"
)

func main() { os.Exit(function.Main(function.Job{Name: "cors", CORS: true})) }
