package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
)

func main() {
	os.Exit(run())
}

func run() int {
	defer closeQuietly()
	if err := synth(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// closeQuietly ends the constructs' process and removes its files. jsii waits twice
// for that end: mostly one of the two finds nothing to wait for, and complains.
func closeQuietly() {
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = null
	}
	jsii.Close()
}

// synth writes the stack's template and assets to the folder that the CDK
// command line names.
func synth() (err error) {
	defer func() {
		// The constructs run in another process; what they refuse comes back as
		// a panic.
		if r := recover(); r != nil {
			err = fmt.Errorf("synthesising: %v", r)
		}
	}()
	app := awscdk.NewApp(nil)
	s, err := settings(app.Node())
	if err != nil {
		return err
	}
	stage, err := os.MkdirTemp("", "autotagger-")
	if err != nil {
		return fmt.Errorf("making a folder for the assets: %w", err)
	}
	defer os.RemoveAll(stage) // the app has its own copy by then
	if err := newApp(app, s, stage); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}

// newApp adds the stacks of a deployment to an app: the hub, and where it serves
// one account what forwards to it from other regions; or spokes alone.
func newApp(app awscdk.App, s Settings, stage string) error {
	catalogued, err := catalogue.Default().All()
	if err != nil {
		return err
	}
	rows := s.Policy.RowsOn(catalogued)
	all, global, warnings := places(s, rows)
	if s.Hub != "" {
		return addSpokes(app, s, rows, all, global, slices.Concat(s.Warnings, warnings))
	}
	h, err := newHub(app, s, rows, stage)
	if err != nil || s.Organization != "" || len(all) == 0 {
		return err
	}
	return h.addRegions(app, all[1:], global)
}
