package live_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/live"
	"autotagger/internal/policy"
)

var server *emulator.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		srv, err := emulator.Start(context.Background(), emulator.Options{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer srv.Stop()
		server = srv
		return m.Run()
	}())
}

// account is a deployment's region: parameters are regional, so that each test has
// one of its own.
type account struct {
	*testing.T
	cfg    aws.Config
	s3     *s3.Client
	bucket string
}

func newAccount(t *testing.T, region string) *account {
	t.Helper()
	cfg := server.Config()
	cfg.Region = region
	a := &account{T: t, cfg: cfg, bucket: "config-" + region, s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })}
	_, err := a.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &a.bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.set(deployment.ParameterWriting, "on")
	a.set(deployment.ParameterConfiguration, "deployed")
	return a
}

func (a *account) versioned() {
	a.Helper()
	if _, err := a.s3.PutBucketVersioning(a.Context(), &s3.PutBucketVersioningInput{
		Bucket: &a.bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		a.Fatal(err)
	}
}

// set puts a parameter, as the console and the command line do.
func (a *account) set(name, value string) {
	a.Helper()
	a.ssm("PutParameter", map[string]any{"Name": name, "Value": value, "Type": "String", "Overwrite": true})
}

func (a *account) ssm(op string, in map[string]any) {
	a.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		a.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.Context(), http.MethodPost, server.URL, bytes.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSSM."+op)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/"+a.cfg.Region+"/ssm/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		a.Fatalf("%s: %s", op, resp.Status)
	}
}

// put writes the object that holds the configuration, and points to it.
func (a *account) put(text string) {
	a.Helper()
	if _, err := a.s3.PutObject(a.Context(), &s3.PutObjectInput{Bucket: &a.bucket, Key: aws.String("autotagger.yaml"), Body: strings.NewReader(text)}); err != nil {
		a.Fatal(err)
	}
	a.set(deployment.ParameterConfiguration, "s3://"+a.bucket+"/autotagger.yaml")
}

// process is a function that has just started.
type process struct {
	*live.Configuration
	t       *testing.T
	now     time.Time
	log     bytes.Buffer
	refused int
}

const deployed = "cors: off\ncost-center: [{default: deployed}]\n"

func (a *account) start() *process {
	a.Helper()
	p := &process{t: a.T, now: time.Now()}
	base, err := policy.Parse("autotagger.yaml", []byte(deployed))
	if err != nil {
		a.Fatal(err)
	}
	p.Configuration = live.New(a.cfg, live.Options{
		Deployed: base, Log: slog.New(slog.NewJSONHandler(&p.log, nil)), Now: func() time.Time { return p.now },
		OnRefused: func() { p.refused++ },
	})
	return p
}

// later is the policy a while later.
func (p *process) later() *policy.Policy {
	p.t.Helper()
	p.now = p.now.Add(time.Minute)
	pol, err := p.Policy(p.t.Context())
	if err != nil {
		p.t.Fatalf("%v\n%s", err, &p.log)
	}
	return pol
}

// is checks whose cost center holds, and whether it is written.
func (p *process) is(costCenter string, mode policy.Mode) *policy.Policy {
	p.t.Helper()
	pol := p.later()
	if value, _ := pol.CostCenterFor(policy.Subject{}, policy.Known{}); value != costCenter || pol.Mode != mode {
		p.t.Errorf("the cost center is %q and the mode %s, want %q and %s\n%s", value, pol.Mode, costCenter, mode, &p.log)
	}
	return pol
}

func config(costCenter string) string {
	return "cors: off\ncost-center: [{default: " + costCenter + "}]\n"
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "eu-west-1")
	p := a.start()
	first := p.is("deployed", policy.Enforce)
	if p.is("deployed", policy.Enforce) != first {
		t.Error("nothing changed, and it is another policy")
	}
	a.set(deployment.ParameterWriting, "off")
	if again, err := p.Policy(t.Context()); err != nil || again != first {
		t.Errorf("a look within its time calls AWS: %v", err)
	}
	p.is("deployed", policy.Observe)
	a.set(deployment.ParameterWriting, "on")
	if p.is("deployed", policy.Enforce) != first {
		t.Error("the policy is as it was, and another one")
	}
	if !strings.Contains(p.log.String(), `"writing":"off"`) || !strings.Contains(p.log.String(), `"writing":"on"`) || p.refused > 0 {
		t.Errorf("%d refused, and the log is\n%s", p.refused, &p.log)
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "eu-west-2")
	p := a.start()
	p.is("deployed", policy.Enforce)
	a.put(config("first"))
	first := p.is("first", policy.Enforce)
	if p.is("first", policy.Enforce) != first {
		t.Error("the object didn't change, and it is another policy")
	}
	a.set(deployment.ParameterWriting, "off")
	p.is("first", policy.Observe)
	a.put(config("second"))
	p.is("second", policy.Observe)
	a.set(deployment.ParameterWriting, "on")
	p.is("second", policy.Enforce)
	a.set(deployment.ParameterConfiguration, "deployed")
	p.is("deployed", policy.Enforce)
	if got := strings.Count(p.log.String(), `"msg":"configuration"`); got != 6 {
		t.Errorf("the log tells %d changes, want 6\n%s", got, &p.log)
	}
}

// TestRefused: what can't be taken is reported, and the last good one stays, for a
// process that starts later too.
func TestRefused(t *testing.T) {
	t.Parallel()
	for i, c := range []struct{ name, text, want string }{
		{"faults", "cors: off\nmode: enfroce\n", "autotagger.yaml:2: mode"},
		{"no YAML", "a: [", "reading YAML"},
		{"a tag key without permission", "cors: off\ntags: {creator: owner}\n", "may not write the key"},
		{"a call without rules", "cors: off\ncatalogue: {enable: ['ecs:RunTask']}\n", "catalogue.enable"},
		{"no function", "cors: {}\n", "there is no function for it"},
		{"undeclared", "mode: enforce\n", "cors: is missing"},
		{"more than was deployed", "cors: off\nexisting: replace\n", "existing: the deployment keeps"},
		{"large", strings.Repeat("#\n", 1<<20), "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, []string{"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2", "ap-south-1", "eu-central-1", "eu-central-2"}[i])
			a.versioned()
			a.put(config("good"))
			p := a.start()
			good := p.is("good", policy.Enforce)
			a.put(c.text)
			if p.is("good", policy.Enforce) != good {
				t.Error("it is another policy")
			}
			p.is("good", policy.Enforce)
			// It counts as long as it lasts, and is told once.
			if p.refused != 2 || strings.Count(p.log.String(), "configuration refused") != 1 || !strings.Contains(p.log.String(), c.want) {
				t.Errorf("refused %d times, and the log is\n%s", p.refused, &p.log)
			}
			a.set(deployment.ParameterWriting, "off") // the switch works all the same
			p.is("good", policy.Observe)
			a.set(deployment.ParameterWriting, "on")

			a.put("another: fault\n")
			fresh := a.start()
			fresh.is("good", policy.Enforce)
			a.put(config("mended"))
			fresh.is("mended", policy.Enforce)
			p.is("mended", policy.Enforce)
		})
	}
}

// TestRefusedSwitch: a bad object instead of a good one isn't told as taken, and what
// came before it comes back.
func TestRefusedSwitch(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "eu-south-1")
	p := a.start()
	p.is("deployed", policy.Enforce)
	p.log.Reset()
	a.put("a: [")
	p.is("deployed", policy.Enforce)
	p.is("deployed", policy.Enforce)
	if p.refused != 2 || strings.Contains(p.log.String(), "INFO") {
		t.Errorf("refused %d times, and the log is\n%s", p.refused, &p.log)
	}
	a.set(deployment.ParameterWriting, "off")
	p.is("deployed", policy.Observe)
	if !strings.Contains(p.log.String(), `"from":"deployed"`) || p.refused != 3 {
		t.Errorf("refused %d times, and the log is\n%s", p.refused, &p.log)
	}
	a.set(deployment.ParameterConfiguration, "deployed")
	p.is("deployed", policy.Observe)
	if p.refused != 3 {
		t.Errorf("the deployed one is refused")
	}
	a.put(config("good"))
	p.is("good", policy.Observe)
	a.set(deployment.ParameterConfiguration, "deployed")
	p.is("deployed", policy.Observe)
	a.set(deployment.ParameterConfiguration, "s3://"+a.bucket+"/autotagger.yaml")
	p.is("good", policy.Observe)
}

// TestDeleted: a deleted object is no other configuration, for a process that starts
// later neither.
func TestDeleted(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "eu-south-2")
	a.versioned()
	a.put(config("good"))
	a.put("a: [")
	p := a.start()
	p.is("good", policy.Enforce)
	if _, err := a.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &a.bucket, Key: aws.String("autotagger.yaml")}); err != nil {
		t.Fatal(err)
	}
	p.is("good", policy.Enforce)
	fresh := a.start()
	fresh.is("good", policy.Enforce)
	fresh.is("good", policy.Enforce)
	if fresh.refused != 2 || !strings.Contains(fresh.log.String(), "NoSuchKey") {
		t.Errorf("refused %d times, and the log is\n%s", fresh.refused, &fresh.log)
	}
	a.put(config("again"))
	fresh.is("again", policy.Enforce)
}

// TestCut: a caller whose time is up doesn't spoil the configuration.
func TestCut(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "me-south-1")
	p := a.start()
	over, end := context.WithCancel(t.Context())
	end()
	if _, err := p.Policy(over); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing is known, and the error is %v", err)
	}
	good := p.is("deployed", policy.Enforce)
	p.log.Reset()
	p.now = p.now.Add(time.Minute)
	if pol, err := p.Policy(over); pol != good || err != nil {
		t.Errorf("a policy is known, and the error is %v", err)
	}
	if p.refused > 0 || p.log.Len() > 0 {
		t.Errorf("refused %d times, and the log is\n%s", p.refused, &p.log)
	}
	late, end := context.WithDeadline(t.Context(), time.Now())
	defer end()
	if pol, err := p.Policy(late); pol != good || err != nil || p.refused != 1 {
		t.Errorf("nothing answered in time, it was counted %d times, and the error is %v", p.refused, err)
	}
	p.now = p.now.Add(time.Minute)
	a.set(deployment.ParameterWriting, "off")
	if _, err := p.Policy(over); err != nil {
		t.Error(err)
	}
	if pol, err := p.Policy(t.Context()); err != nil || pol == good {
		t.Errorf("a look that was cut off counts as one: %v", err)
	}
}

// TestWatchCut: work that ends, or runs out of time, while its watch looks isn't counted.
func TestWatchCut(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "me-central-1")
	asked := make(chan struct{}, 100)
	slow := a.cfg.Copy()
	slow.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		if asked <- struct{}{}; len(asked) > 1 { // the first look is Policy's own
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return http.DefaultClient.Do(r)
	})
	base, refused := policy.Default(), make(chan struct{}, 100)
	c := live.New(slow, live.Options{
		Deployed: base, Log: slog.New(slog.DiscardHandler), Now: time.Now, Every: time.Millisecond,
		OnRefused: func() { refused <- struct{}{} },
	})
	p, err := c.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	work, end := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer end()
	watched, stop := c.Watch(work, p)
	defer stop()
	<-watched.Done()
	// The watch has let go of the configuration when another can ask for it.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if pol, err := c.Policy(over); pol != p || err != nil {
		t.Errorf("the policy is another, or %v", err)
	}
	if len(asked) < 2 || len(refused) > 0 {
		t.Errorf("%d requests, %d of them counted", len(asked), len(refused))
	}
}

// doer is an HTTP client.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestUnknown: a process that has a policy keeps it, one that has none takes no
// events.
func TestUnknown(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		name  string
		spoil func(*account)
		want  string
	}{
		{"no version is good", func(a *account) { a.put("a: [") }, "autotagger.yaml can be taken"},
		{"no object", func(a *account) { a.set(deployment.ParameterConfiguration, "s3://"+a.bucket+"/other.yaml") }, "other.yaml"},
		{"no bucket", func(a *account) { a.set(deployment.ParameterConfiguration, "s3://nobody/other.yaml") }, "NoSuchBucket"},
		{"no place", func(a *account) { a.set(deployment.ParameterConfiguration, "here") }, `"here"`},
		{"no such switch", func(a *account) { a.set(deployment.ParameterWriting, "yes") }, `"yes"`},
		{"no parameters", func(a *account) {
			a.ssm("DeleteParameter", map[string]any{"Name": deployment.ParameterWriting})
		}, deployment.ParameterWriting},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, []string{"us-west-1", "us-west-2", "us-east-2", "ca-central-1", "sa-east-1", "eu-west-3"}[i])
			p := a.start()
			good := p.is("deployed", policy.Enforce)
			c.spoil(a)
			if p.is("deployed", policy.Enforce) != good || p.refused == 0 {
				t.Errorf("refused %d times\n%s", p.refused, &p.log)
			}
			fresh := a.start()
			_, err := fresh.Policy(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || fresh.refused == 0 {
				t.Errorf("a fresh start has the error %v, refused %d times; want %q", err, fresh.refused, c.want)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "eu-north-1")
	base := policy.Default()
	c := live.New(a.cfg, live.Options{
		Deployed: base, Log: slog.New(slog.DiscardHandler), Now: time.Now, OnRefused: func() {}, Every: 10 * time.Millisecond,
	})
	p, err := c.Policy(t.Context())
	if err != nil || p != base {
		t.Fatalf("%v, %v", p, err)
	}
	ctx, stop := c.Watch(t.Context(), p)
	defer stop()
	select {
	case <-ctx.Done():
		t.Fatal("nothing changed, and it ended")
	case <-time.After(100 * time.Millisecond):
	}
	a.set(deployment.ParameterWriting, "off")
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("writing is off, and the work goes on")
	}
	if t.Context().Err() != nil {
		t.Error("it ended what it was made from")
	}
}

// TestCostCenters: the valid ones are read from their object, and as they change; a faulty
// list leaves the last good one, and without any every value is taken.
func TestCostCenters(t *testing.T) {
	t.Parallel()
	a := newAccount(t, "af-south-1")
	list := func(text string) {
		t.Helper()
		if _, err := a.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &a.bucket, Key: aws.String("valid.txt"), Body: strings.NewReader(text)}); err != nil {
			t.Fatal(err)
		}
	}
	a.put("cors: off\ncost-centers: {values: ['1'], object: 's3://" + a.bucket + "/valid.txt', fallback: '0'}\n")
	p := a.start()
	check := func(value, want string) *policy.Policy {
		t.Helper()
		pol := p.later()
		if got, _ := pol.CheckCostCenter(value); got != want {
			t.Errorf("%s becomes %q, want %q\n%s", value, got, want, &p.log)
		}
		return pol
	}
	check("7", "7")
	if p.refused == 0 || !strings.Contains(p.log.String(), "valid.txt") {
		t.Errorf("a list that isn't there is no matter: refused %d\n%s", p.refused, &p.log)
	}
	list("# ours\n2\n 3 \n\n")
	check("7", "0")
	check("1", "1")
	if first, second := check("3", "3"), check("2", "2"); first != second {
		t.Error("the policy changes with every look")
	}
	list("2\n7\n")
	check("7", "7")
	check("3", "0")
	list("a,b\n")
	refused := p.refused
	check("7", "7")
	list("2\n" + strings.Repeat("# much\n", 200_000))
	check("7", "7") // it is too large to be sure of what it has
	if p.refused <= refused || !strings.Contains(p.log.String(), `line 1, \"a,b\"`) {
		t.Errorf("a faulty list is no matter: refused %d\n%s", p.refused, &p.log)
	}
}
