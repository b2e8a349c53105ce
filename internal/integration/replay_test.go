package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"autotagger/internal/emulator"
	"autotagger/internal/integration"
)

// shared is what TestMain sets up for all tests.
var shared struct{ url, bin string }

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run starts the emulator, builds the command line as people do, and runs the
// tests.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "autotagger-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.bin = filepath.Join(dir, "autotagger")
	if out, err := exec.Command("go", "build", "-o", shared.bin, "autotagger/cmd/autotagger").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building autotagger: %v\n%s", err, out)
		return 1
	}
	srv, err := emulator.Start(context.Background(), emulator.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer srv.Stop()
	shared.url = srv.URL
	return m.Run()
}

func account(t *testing.T) integration.Account {
	return integration.Account{TB: t, URL: shared.url}
}

// wire passes calls on to the emulator and keeps what they were.
type wire struct {
	*httptest.Server
	mu  sync.Mutex
	ops []string
}

func listen(t *testing.T) *wire {
	t.Helper()
	to, err := url.Parse(shared.url)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		op := r.Method + " " + r.URL.String()
		if target := r.Header.Get("X-Amz-Target"); target != "" {
			op = target[strings.LastIndex(target, ".")+1:]
		} else if form, err := url.ParseQuery(string(body)); err == nil && form.Has("Action") {
			op = form.Get("Action")
		}
		scope := strings.Split(r.Header.Get("Authorization"), "/")
		if len(scope) > 3 {
			op = scope[3] + ": " + op
		}
		w.mu.Lock()
		w.ops = append(w.ops, op)
		w.mu.Unlock()
		proxy.ServeHTTP(out, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// calls are the operations since the last time, and those of them that write.
func (w *wire) calls() (all, writes []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, w.ops = w.ops, nil
	for _, op := range all {
		_, name, _ := strings.Cut(op, ": ")
		read := slices.ContainsFunc([]string{"Get", "List", "Describe", "GET ", "HEAD "}, func(verb string) bool { return strings.HasPrefix(name, verb) })
		if !read {
			writes = append(writes, op)
		}
	}
	return all, writes
}

// row is what a replay prints of an event.
type row struct {
	Event     struct{ Source, Name string }
	Decision  string
	Reason    string
	Creator   struct{ Name string }
	Resources []struct {
		ARN, Type, API, CORS, Outcome, Why, Error string
		Tags                                      map[string]string
	}
}

// command is the command line in an environment for the endpoint and a region.
func command(endpoint, region string, args ...string) *exec.Cmd {
	cmd := exec.Command(shared.bin, args...)
	// Nothing of the person's own AWS configuration may lead elsewhere.
	mine := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AWS_") })
	cmd.Env = append(mine, "AWS_ENDPOINT_URL="+endpoint, "AWS_REGION="+region, "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	return cmd
}

// replay runs the command line on events.
func replay(t *testing.T, endpoint string, input []byte, args ...string) (rows []row, code int, stderr string) {
	t.Helper()
	cmd := command(endpoint, "us-east-1", append([]string{"replay", "-o", "json"}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var r row
		if err := d.Decode(&r); err == io.EOF {
			return rows, cmd.ProcessState.ExitCode(), errs.String()
		} else if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		rows = append(rows, r)
	}
}

// event is the event of what was made, as one line.
func event(t *testing.T, k integration.Kind, made integration.Made, more map[string]any) []byte {
	t.Helper()
	e := k.Event(t, made)
	for path, value := range more {
		e.Set(path, value)
	}
	data, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, data); err != nil {
		t.Fatal(err)
	}
	return append(line.Bytes(), '\n')
}

// kind is the kind of the type.
func kind(t *testing.T, cfn string) integration.Kind {
	t.Helper()
	for _, k := range integration.Kinds() {
		if k.Type == cfn {
			return k
		}
	}
	t.Fatalf("there is no kind %s", cfn)
	return integration.Kind{}
}

// TestKinds creates one resource of every kind, replays the events of all of
// them together, and looks at each through its own service.
func TestKinds(t *testing.T) {
	t.Parallel()
	kinds := integration.Kinds()
	all := make([]integration.Made, len(kinds))
	types, services := map[string]bool{}, map[string]bool{}
	for i, k := range kinds {
		t.Run("create "+k.Type, func(t *testing.T) {
			all[i] = k.Create(account(t), fmt.Sprintf("kind-%d", i))
			for _, arn := range all[i].ARNs {
				if tags := account(t).Tags(arn); !maps.Equal(tags, all[i].Tags) {
					t.Fatalf("the new %s has the tags %v", arn, tags)
				}
			}
			if k.Type != "AWS::CloudFormation::Stack" { // which is never tagged
				types[k.Type], services[k.Service()] = true, true
			}
		})
	}
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("%d types of %d services", len(types), len(services))
	if len(types) < 130 || len(services) < 65 {
		t.Errorf("%d types of %d services, want 130 of 65", len(types), len(services))
	}
	w := listen(t)
	for _, round := range []struct {
		name, outcome string
		event         func(integration.Kind, integration.Made) []byte
	}{
		{"first", "tagged", func(k integration.Kind, m integration.Made) []byte { return event(t, k, m, nil) }},
		{"the same again", "unchanged", func(k integration.Kind, m integration.Made) []byte {
			if k.Unlisted {
				return nil // a new resource that isn't listed is taken to be untagged
			}
			return event(t, k, m, nil)
		}},
		{"years later", "unchanged", func(k integration.Kind, m integration.Made) []byte {
			return event(t, k, m, map[string]any{"eventTime": "2020-01-01T00:00:00Z"})
		}},
	} {
		// One batch, as from a queue.
		var in []byte
		var replayed []int
		for i, k := range kinds {
			if e := round.event(k, all[i]); e != nil {
				in, replayed = append(in, e...), append(replayed, i)
			}
		}
		rows, code, stderr := replay(t, w.URL, in, "--wait", "0s")
		if code != 0 || stderr != "" || len(rows) != len(replayed) {
			t.Fatalf("%s: the replay of %d events ended with %d and printed %d rows: %s", round.name, len(replayed), code, len(rows), stderr)
		}
		calls, writes := w.calls()
		if round.name == "the same again" {
			// What moto's GetResources doesn't list is tried at TagResources,
			// which refuses it; then the service's own API shows the tags.
			writes = slices.DeleteFunc(writes, func(op string) bool { return op == "tagging: TagResources" })
		}
		if round.outcome == "unchanged" && len(writes) > 0 {
			t.Errorf("%s: it wrote: %q", round.name, writes)
		}
		for _, op := range calls {
			if strings.HasPrefix(op, "cloudformation") {
				t.Errorf("%s: a call of CloudFormation: %s", round.name, op)
			}
		}
		t.Logf("%s: %d calls, %d of them write", round.name, len(calls), len(writes))
		for n, i := range replayed {
			t.Run(round.name+" "+kinds[i].Type, func(t *testing.T) { check(t, kinds[i], all[i], rows[n], round.outcome, nil) })
		}
	}

	// The cost center is that of the create request's own tags.
	var in []byte
	var asked []int
	for i, k := range kinds {
		if len(all[i].Tags) > 0 {
			in, asked = append(in, event(t, k, all[i], nil)...), append(asked, i)
		}
	}
	rows, code, stderr := replay(t, shared.url, in, "--wait", "0s", "--config", config(t, "cost-center: [{tag: [team]}]\n"))
	if code != 0 || len(rows) != len(asked) {
		t.Fatalf("with a cost center: the replay of %d events ended with %d and printed %d rows: %s", len(asked), code, len(rows), stderr)
	}
	for n, i := range asked {
		t.Run("with a cost center "+kinds[i].Type, func(t *testing.T) {
			check(t, kinds[i], all[i], rows[n], "tagged", map[string]string{"cost-center": all[i].Tags["team"]})
		})
	}
}

// check compares a row, and the resources as they are now, with what they
// should be: more are tags beside the creator and those of the create call.
func check(t *testing.T, k integration.Kind, made integration.Made, r row, outcome string, more map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, res := range r.Resources {
		got[res.ARN] = res.Outcome
		if res.Error != "" {
			t.Errorf("%s: %s: %s", res.ARN, res.Why, res.Error)
		}
	}
	tags := map[string]string{"creator": integration.Creator}
	maps.Copy(tags, made.Tags)
	maps.Copy(tags, more)
	if k.Type == "AWS::CloudFormation::Stack" { // tagging it would update it
		outcome, tags = "skipped", map[string]string{}
	}
	want := map[string]string{}
	for _, arn := range made.ARNs {
		want[arn] = outcome
		if now := account(t).Tags(arn); !maps.Equal(now, tags) {
			t.Errorf("%s has the tags %v, want %v", arn, now, tags)
		}
	}
	if !maps.Equal(got, want) || r.Resources[0].Type != k.Type {
		t.Errorf("the row says %+v, want %s: %v", r, k.Type, want)
	}
}

// TestExisting: what stands on a resource stays, whatever the event says.
func TestExisting(t *testing.T) {
	t.Parallel()
	for i, c := range []string{"AWS::S3::Bucket", "AWS::IAM::Role", "AWS::EC2::Volume", "AWS::DynamoDB::Table", "AWS::SQS::Queue"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			a, k := account(t), kind(t, c)
			made := k.Create(a, fmt.Sprintf("existing-%d", i))
			arn := made.ARNs[0]
			later := map[string]any{"eventTime": "2020-01-01T00:00:00Z"} // not fresh: nothing may be presumed
			w := listen(t)

			a.PutTags(arn, "creator", "someone-else")
			rows, code, stderr := replay(t, w.URL, event(t, k, made, later))
			if code != 0 || rows[0].Resources[0].Outcome != "unchanged" {
				t.Errorf("exit code %d, rows %+v: %s", code, rows, stderr)
			}
			if _, writes := w.calls(); len(writes) > 0 && c != "AWS::S3::Bucket" { // the bucket gets its CORS
				t.Errorf("it wrote: %q", writes)
			}
			if tags := a.Tags(arn); !maps.Equal(tags, map[string]string{"creator": "someone-else"}) {
				t.Errorf("%s has the tags %v", arn, tags)
			}

			rows, code, stderr = replay(t, w.URL, event(t, k, made, later), "--config", config(t, "existing: replace\ncors: off\n"))
			if code != 0 || rows[0].Resources[0].Outcome != "tagged" {
				t.Errorf("with existing: replace, exit code %d, rows %+v: %s", code, rows, stderr)
			}
			if tags := a.Tags(arn); tags["creator"] != integration.Creator {
				t.Errorf("with existing: replace, %s has the tags %v", arn, tags)
			}
		})
	}
}

// TestOptOut: a resource with the opt-out tag is left alone.
func TestOptOut(t *testing.T) {
	t.Parallel()
	for i, c := range []string{"AWS::EC2::Volume", "AWS::SQS::Queue", "AWS::IAM::Role"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			a, k := account(t), kind(t, c)
			made := k.Create(a, fmt.Sprintf("optout-%d", i))
			a.PutTags(made.ARNs[0], "autotagger:skip", "yes")
			w := listen(t)
			rows, code, stderr := replay(t, w.URL, event(t, k, made, map[string]any{"eventTime": "2020-01-01T00:00:00Z"}))
			if code != 0 || rows[0].Resources[0].Outcome != "skipped" || rows[0].Resources[0].Why != "opt-out-tag" {
				t.Errorf("exit code %d, rows %+v: %s", code, rows, stderr)
			}
			if _, writes := w.calls(); len(writes) > 0 {
				t.Errorf("it wrote: %q", writes)
			}
			if tags := a.Tags(made.ARNs[0]); len(tags) != 1 {
				t.Errorf("the tags are now %v", tags)
			}
		})
	}
}

// TestCostCenter: the cost center comes from the create request's own tags.
func TestCostCenter(t *testing.T) {
	t.Parallel()
	a, k := account(t), kind(t, "AWS::SQS::Queue")
	made := k.Create(a, "cost-center")
	a.PutTags(made.ARNs[0], "CostCenter", "4711")
	in := event(t, k, made, map[string]any{"requestParameters.tags": map[string]any{"CostCenter": "4711"}})
	_, code, stderr := replay(t, shared.url, in, "--config", config(t, "cost-center: [{tag: [CostCenter]}]\n"))
	want := map[string]string{"CostCenter": "4711", "cost-center": "4711", "creator": integration.Creator}
	if tags := a.Tags(made.ARNs[0]); code != 0 || !maps.Equal(tags, want) {
		t.Errorf("exit code %d, tags %v, want %v: %s", code, tags, want, stderr)
	}
}

// TestCORS: a bucket gets CORS if it has none; what it has stays to the byte.
func TestCORS(t *testing.T) {
	t.Parallel()
	a, k := account(t), kind(t, "AWS::S3::Bucket")
	none, own, tool := k.Create(a, "cors-none"), k.Create(a, "cors-own"), k.Create(a, "cdk-abc-assets-"+emulator.Account[:6])
	a.PutCORS(own.ARNs[0], "https://example.com")
	before := a.CORS(own.ARNs[0])
	w := listen(t)
	in := bytes.Join([][]byte{event(t, k, none, nil), event(t, k, own, nil), event(t, k, tool, nil)}, nil)
	for _, want := range [][]string{{"put", "kept", ""}, {"kept", "kept", ""}} {
		rows, code, stderr := replay(t, w.URL, in)
		got := []string{}
		for _, r := range rows {
			got = append(got, r.Resources[0].CORS)
		}
		if code != 0 || !slices.Equal(got, want) {
			t.Errorf("exit code %d, CORS %q, want %q: %s", code, got, want, stderr)
		}
	}
	if _, writes := w.calls(); slices.ContainsFunc(writes, func(op string) bool { return strings.Contains(op, "/cors-own?cors") }) {
		t.Errorf("the CORS that stood was put again: %q", writes)
	}
	now := a.CORS(none.ARNs[0])
	for _, part := range []string{"<AllowedMethod>GET<", "<AllowedMethod>HEAD<", "<AllowedOrigin>*<", "<MaxAgeSeconds>3000<"} {
		if !strings.Contains(now, part) {
			t.Errorf("the new CORS lacks %s: %s", part, now)
		}
	}
	for _, part := range []string{"PUT", "POST", "DELETE", "ExposeHeader"} {
		if strings.Contains(now, part) {
			t.Errorf("the new CORS has %s: %s", part, now)
		}
	}
	if after := a.CORS(own.ARNs[0]); after != before {
		t.Errorf("the CORS was\n%s and is\n%s", before, after)
	}
	if got := a.CORS(tool.ARNs[0]); got != "" {
		t.Errorf("the CDK's bucket got %s", got)
	}
}

// TestObserve: nothing is written, and what would be is told.
func TestObserve(t *testing.T) {
	t.Parallel()
	a := account(t)
	w := listen(t)
	var in []byte
	var arns []string
	for i, c := range []string{"AWS::S3::Bucket", "AWS::EC2::Volume", "AWS::Logs::LogGroup"} {
		k := kind(t, c)
		made := k.Create(a, fmt.Sprintf("observe-%d", i))
		arns = append(arns, made.ARNs[0])
		in = append(in, event(t, k, made, nil)...)
	}
	rows, code, stderr := replay(t, w.URL, in, "--config", config(t, "mode: observe\n"))
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for i, r := range rows {
		if r.Resources[0].Outcome != "would-tag" || r.Resources[0].Tags["creator"] != integration.Creator {
			t.Errorf("the row says %+v", r)
		}
		if tags := a.Tags(arns[i]); len(tags) > 0 {
			t.Errorf("%s has the tags %v", arns[i], tags)
		}
	}
	if cors := a.CORS(arns[0]); cors != "" {
		t.Errorf("the bucket got %s", cors)
	}
	if _, writes := w.calls(); len(writes) > 0 {
		t.Errorf("it wrote: %q", writes)
	}
}

// TestDryRun: nothing is called, so that it works with no one there.
func TestDryRun(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	k := kind(t, "AWS::S3::Bucket")
	made := integration.Made{ARNs: []string{"arn:aws:s3:::dry"}, Values: map[string]any{"requestParameters.bucketName": "dry"}}
	rows, code, stderr := replay(t, closed, event(t, k, made, nil), "--dry-run")
	if code != 0 || len(rows) != 1 || rows[0].Resources[0].Outcome != "would-tag" || rows[0].Resources[0].CORS != "would-put" {
		t.Errorf("exit code %d, rows %+v: %s", code, rows, stderr)
	}
	// And without --dry-run the same is a failure, not a success.
	rows, code, _ = replay(t, closed, event(t, k, made, nil), "--wait", "0s")
	if code != 1 || rows[0].Resources[0].Outcome != "retry" || rows[0].Resources[0].Error == "" {
		t.Errorf("with no one there: exit code %d, rows %+v", code, rows)
	}
}

// TestWait: what isn't there yet is tried again until it is.
func TestWait(t *testing.T) {
	t.Parallel()
	a, k := account(t), kind(t, "AWS::SecretsManager::Secret")
	queue := kind(t, "AWS::SQS::Queue")
	missing := integration.Made{ARNs: []string{""}, Values: map[string]any{
		"requestParameters.queueName": "late", "responseElements.queueUrl": "https://sqs." + integration.Region + ".amazonaws.com/" + emulator.Account + "/late",
	}}
	made := k.Create(a, "early")
	in := append(event(t, k, made, nil), event(t, queue, missing, nil)...)
	rows, code, stderr := replay(t, shared.url, in, "--wait", "0s")
	if code != 1 || len(rows) != 2 || rows[0].Resources[0].Outcome != "tagged" || rows[1].Resources[0].Outcome != "retry" {
		t.Fatalf("exit code %d, rows %+v: %s", code, rows, stderr)
	}
	w := listen(t)
	created := make(chan struct{})
	go func() {
		defer close(created)
		// The first try has come when the queue's own service was asked.
		for {
			w.mu.Lock()
			asked := slices.ContainsFunc(w.ops, func(op string) bool { return strings.HasPrefix(op, "sqs: ") })
			w.mu.Unlock()
			if asked {
				break
			}
			select {
			case <-t.Context().Done():
				return
			default:
			}
		}
		queue.Create(a, "late")
	}()
	rows, code, stderr = replay(t, w.URL, in, "--wait", "20s")
	<-created
	if code != 0 || rows[0].Resources[0].Outcome != "unchanged" || rows[1].Resources[0].Outcome != "tagged" {
		t.Errorf("exit code %d, rows %+v: %s", code, rows, stderr)
	}
}

// TestExitCodes: 0 done, 1 something failed or could not be read, 2 unusable
// arguments.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	k := kind(t, "AWS::SNS::Topic")
	good := event(t, k, k.Create(account(t), "exit-codes"), nil)
	for _, c := range []struct {
		name string
		in   string
		args []string
		code int
		rows int
	}{
		{"done", string(good), nil, 0, 1},
		{"nothing to do", `{"eventName":"DescribeVpcs","eventSource":"ec2.amazonaws.com","readOnly":true,"eventVersion":"1.11"}`, nil, 0, 1},
		{"one that can't be read beside one that can", "{\"Records\": 7\n" + string(good), nil, 1, 2},
		{"a configuration with faults", string(good), []string{"--config", config(t, "mode: enfroce\n")}, 1, 0},
		{"no such file", "", []string{"nowhere.json"}, 1, 0},
		{"no such flag", string(good), []string{"--colour"}, 2, 0},
		{"a flag's value", string(good), []string{"--wait", "soon"}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows, code, stderr := replay(t, shared.url, []byte(c.in), c.args...)
			if code != c.code || len(rows) != c.rows || (stderr == "") != (code == 0) {
				t.Errorf("exit code %d and %d rows, want %d and %d; it says: %s", code, len(rows), c.code, c.rows, stderr)
			}
		})
	}
}

// config writes a configuration file.
func config(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "autotagger.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
