package emulator

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed cloud.py
var cloudScript string

// Cloud is a running ministack. It starts a function's bootstrap as a process of
// its own, which calls back to the emulator as the function's role.
//
// What it doesn't have, as far as it matters here: CloudTrail's events
// ([Cloud.Deliver] stands in), the queues' policies and dead-letter queues of
// rules, buses' forwarding to other accounts and regions.
type Cloud struct {
	*Server
	dir string
}

// Placeholder begins the physical ids of resources that CloudFormation has recorded
// and not made, because ministack doesn't know their types.
const Placeholder = "placeholder-"

// StartCloud runs ministack until Stop. The context bounds the start only.
func StartCloud(ctx context.Context, o Options) (*Cloud, error) {
	python, err := ministack().find(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "autotagger-cloud-")
	if err != nil {
		return nil, fmt.Errorf("starting ministack: %w", err)
	}
	c := &Cloud{dir: dir}
	script := filepath.Join(dir, "cloud.py")
	if err = os.WriteFile(script, []byte(cloudScript), 0o600); err == nil {
		c.Server, err = start(ctx, o, program{
			name: "ministack",
			command: func(o Options, port int) ([]string, []string) {
				return []string{python, script}, c.environment(o, port)
			},
			ready: "/_ministack/health", taken: "is already in use",
			reset: "/_ministack/reset", auth: "/_ministack/iam", on: "on", off: "off",
		})
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

// environment is ministack's and, but for their own variables, the functions'.
func (c *Cloud) environment(o Options, port int) []string {
	return []string{
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + strconv.Itoa(port),
		"IOT_MTLS_ENABLED=0", // it would listen on every interface
		"MINISTACK_ACCOUNT_ID=" + Account, "MINISTACK_REGION=" + o.Region, "AUTH=false",
		"TMPDIR=" + c.dir, "STATE_DIR=" + c.dir, "S3_DATA_DIR=" + c.dir, "PYTHONDONTWRITEBYTECODE=1",
		// A caller with this key may do everything; functions get their role's.
		"AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing",
		"AWS_ENDPOINT_URL=http://127.0.0.1:" + strconv.Itoa(port), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Stop ends the emulator and the functions that it started. It may be called
// twice.
func (c *Cloud) Stop() {
	c.Server.Stop()
	// What can't be removed is the temporary folder's, which is emptied anyway.
	_ = os.RemoveAll(c.dir)
}

// Deliver puts an EventBridge event on the default bus of its account and region
// as CloudTrail does. A caller of PutEvents can't: AWS, and the emulator, refuse
// sources that begin with "aws.".
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
func (c *Cloud) Deliver(ctx context.Context, event []byte) error {
	return c.send(ctx, http.MethodPost, "/_ministack/cloudtrail", string(event), nil)
}

// Listening are the addresses on which the emulator and the functions that it
// started listen. It reads /proc and so works on Linux.
func (c *Cloud) Listening() ([]netip.AddrPort, error) { return listening(c.cmd.Process.Pid) }
