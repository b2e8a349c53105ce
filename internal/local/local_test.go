package local

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"sync"

	"testing"
)

func TestArguments(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{"-h": 0, "-colour": 2, "now": 2} {
		var out, errs bytes.Buffer
		if code := Run(t.Context(), []string{args}, &out, &errs); code != want || errs.Len() == 0 {
			t.Errorf("%s: exit code %d, want %d; it says %s", args, code, want, &errs)
		}
	}
}

// interrupter ends a context when it reads a text, and keeps what it read.
type interrupter struct {
	on     string
	cancel context.CancelFunc
	mu     sync.Mutex
	text   strings.Builder
}

func (i *interrupter) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.text.Write(p)
	if strings.Contains(i.text.String(), i.on) {
		i.cancel()
	}
	return len(p), nil
}

// TestInterrupt: an interrupted run ends what it has started and removes what it
// has made. The run from end to end is make local.
func TestInterrupt(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &interrupter{on: "npx cdk bootstrap", cancel: cancel}
	var errs bytes.Buffer
	if code := Run(ctx, nil, out, &errs); code != 1 || !strings.Contains(errs.String(), context.Canceled.Error()) {
		t.Errorf("exit code %d: %s\n%s", code, &errs, out.text.String())
	}
	if strings.Contains(out.text.String(), "WRONG") {
		t.Errorf("it went on:\n%s", out.text.String())
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	_, url, _ := strings.Cut(out.text.String(), "http://127.0.0.1:")
	port, _, _ := strings.Cut(url, ",")
	if port == "" || listens(port) {
		t.Errorf("port %q is still taken", port)
	}
}

func listens(port string) bool {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// TestCheck: what isn't as it should be fails the run.
func TestCheck(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &stage{out: &out}
	s.check(true, "one")
	if s.differs {
		t.Error("what is right fails the run")
	}
	s.check(false, "two")
	if !s.differs || !strings.Contains(out.String(), "WRONG two") {
		t.Errorf("what is wrong doesn't fail the run: %s", &out)
	}
}
