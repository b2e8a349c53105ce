package local

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"autotagger/internal/shop"
)

// cdk is the CDK's command line, as package.json pins it, on the cloud.
type cdk struct {
	root string // the project
	dir  string // for what is made
	url  string // the cloud's
	out  io.Writer
	// context is what the app is told besides, such as hub=….
	context []string
}

// with is the same with more context.
func (c cdk) with(context ...string) cdk {
	c.context = slices.Concat(c.context, context)
	return c
}

func (c cdk) config() string { return filepath.Join(c.dir, "autotagger.yaml") }

// configure writes the configuration that is deployed.
func (c cdk) configure(text string) error {
	if err := os.WriteFile(c.config(), []byte(text), 0o644); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// run runs a command on the app.
func (c cdk) run(ctx context.Context, args ...string) error {
	architecture := "arm64"
	if runtime.GOARCH == "amd64" {
		architecture = "x86_64"
	}
	for _, told := range slices.Concat([]string{"config=" + c.config(), "architecture=" + architecture}, c.context) {
		args = append(args, "-c", told)
	}
	fmt.Fprintf(c.out, "  $ npx cdk %s\n", strings.Join(args, " "))
	// What is synthesised goes beside cdk.out, which may be in use.
	args = append([]string{"--no-install", "cdk"}, append(args, "--output", filepath.Join(c.dir, "cdk.out"))...)
	cmd := exec.CommandContext(ctx, "npx", args...)
	cmd.Dir = c.root
	cmd.Env = append(environment(c.url), "CI=true", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	// npx runs the CDK, the CDK runs make and the app: all end with the context.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	start := time.Now()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("running cdk %s: %w\n%s", args[2], err, &output)
	}
	fmt.Fprintf(c.out, "  %s\n", shop.Faint(c.out, fmt.Sprintf("in %.0f s", time.Since(start).Seconds())))
	return nil
}

// environment is a command's: the cloud's, and no AWS_… variable of the person's
// own.
func environment(url string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "AWS_") {
			env = append(env, kv)
		}
	}
	return append(env, append(variables(url), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)...)
}

func variables(url string) []string {
	return []string{"AWS_ENDPOINT_URL=" + url, "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing"}
}
