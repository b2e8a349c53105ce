package function_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/deployment"
	"autotagger/internal/runtimeapi"
)

const aTable = `{"version":"0","id":"0a1b","detail-type":"AWS API Call via CloudTrail","source":"aws.dynamodb","account":"111122223333","time":"%[2]s","region":"eu-west-1","resources":[],"detail":{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","userName":"alice"},"eventTime":"%[2]s","eventSource":"dynamodb.amazonaws.com","eventName":"CreateTable","awsRegion":"eu-west-1","requestParameters":{"tableName":"%[1]s"},"responseElements":{"tableDescription":{"tableName":"%[1]s","tableArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/%[1]s"}},"eventID":"e-%[1]s","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}}`

func table(name string) string {
	return fmt.Sprintf(aTable, name, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339))
}

func build(tb testing.TB, pkg string) string {
	tb.Helper()
	bin := filepath.Join(tb.TempDir(), "bootstrap")
	if err := runtimeapi.Build(tb.Context(), pkg, bin); err != nil {
		tb.Fatal(err)
	}
	return bin
}

// tagging is a Resource Groups Tagging API that takes every tag and counts the
// calls, DynamoDB's reading of tags, and a deployment's parameters.
func tagging(tb testing.TB) (url string, tagCalls, arns *atomic.Int64) {
	tb.Helper()
	tagCalls, arns = new(atomic.Int64), new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch target := r.Header.Get("X-Amz-Target"); {
		case target == "AmazonSSM.GetParameters":
			fmt.Fprintf(w, `{"Parameters":[{"Name":%q,"Value":"on"},{"Name":%q,"Value":"deployed"}]}`, deployment.ParameterWriting, deployment.ParameterConfiguration)
		case strings.HasSuffix(target, ".GetResources"):
			fmt.Fprint(w, `{"ResourceTagMappingList":[],"PaginationToken":""}`)
		case strings.HasSuffix(target, ".ListTagsOfResource"): // asked where the former is silent
			fmt.Fprint(w, `{"Tags":[]}`)
		case strings.HasSuffix(target, ".TagResources"):
			var in struct{ ResourceARNList []string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				tb.Error(err)
			}
			tagCalls.Add(1)
			arns.Add(int64(len(in.ResourceARNList)))
			fmt.Fprint(w, `{"FailedResourcesMap":{}}`)
		default:
			tb.Errorf("unexpected call %s %s %s", r.Method, r.URL, target)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	tb.Cleanup(server.Close)
	return server.URL, tagCalls, arns
}

// configured returns a folder with a configuration, as the function's own is.
func configured(tb testing.TB, text string) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "autotagger.yaml"), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func batch(tb testing.TB, bodies ...string) []byte {
	tb.Helper()
	var b events.SQSEvent
	for i, body := range bodies {
		b.Records = append(b.Records, events.SQSMessage{MessageId: fmt.Sprintf("m%d", i), Body: body, EventSource: "aws:sqs"})
	}
	data, err := json.Marshal(b)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// TestBootstrap runs the binary that ships against a Runtime API and gives it
// a batch in which some messages are broken.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	url, tagCalls, arns := tagging(t)
	f, err := runtimeapi.Start(build(t, "autotagger/functions/tagger"), configured(t, "cors: off\n"), time.Minute, deployment.EnvConfig+"=autotagger.yaml", "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_ENDPOINT_URL="+url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	bodies := []string{"{", "", `{"detail-type":"AWS API Call via CloudTrail","detail":7}`, `{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}`, strings.Repeat("[", 1<<16)}
	for i := range 100 {
		bodies = append(bodies, table(fmt.Sprintf("table-%d", i)))
	}
	bodies = append(bodies, bodies[5]) // delivered twice
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := f.Invoke(ctx, batch(t, bodies...))
	if err != nil {
		t.Fatalf("%v\n%s", err, f.Log())
	}
	var response events.SQSEventResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, item := range response.BatchItemFailures {
		failed = append(failed, item.ItemIdentifier)
	}
	if want := []string{"m0", "m1", "m2", "m4"}; !slices.Equal(failed, want) {
		t.Errorf("messages left in the queue: %v, want those that can't be read: %v\n%s", failed, want, f.Log())
	}
	if arns.Load() != 100 {
		t.Errorf("%d ARNs were tagged, want 100", arns.Load())
	}
	// The requirement is 12 calls for 100 tables; 20 ARNs a call make 5.
	if n := tagCalls.Load(); n != 5 {
		t.Errorf("%d tag calls, want 5", n)
	}
	f.Stop() // only then the log is whole
	checkLog(t, f.Log(), len(bodies))
}

// checkLog looks for a line for each event and for the metrics.
func checkLog(t *testing.T, log string, n int) {
	t.Helper()
	lines, metrics := 0, map[string]float64{}
	for line := range strings.Lines(log) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("a log line is no JSON: %s", line)
			continue
		}
		if _, ok := entry["_aws"]; !ok {
			if entry["message"] == "event" {
				lines++
			}
			continue
		}
		if entry["Service"] != nil || entry["API"] != nil {
			continue // the same again, by service or API
		}
		for _, name := range []string{"Events", "Resources", "Calls"} {
			if v, ok := entry[name].(float64); ok {
				metrics[name] += v
			}
		}
		if v, ok := entry["TagLatency"].([]any); ok {
			metrics["TagLatency"] += float64(len(v))
		}
	}
	if lines != n {
		t.Errorf("%d lines of events for %d messages\n%s", lines, n, log)
	}
	want := map[string]float64{"Events": float64(n), "Resources": 101, "Calls": 6, "TagLatency": 101}
	for name, v := range want {
		if metrics[name] != v {
			t.Errorf("metric %s is %v, want %v", name, metrics[name], v)
		}
	}
}

// TestBootstrapRefusesConfiguration: a function doesn't start with a
// configuration that it can't read, and says every fault.
func TestBootstrapRefusesConfiguration(t *testing.T) {
	t.Parallel()
	f, err := runtimeapi.Start(build(t, "autotagger/functions/cors"), configured(t, "mode: enfroce\ncolour: red\n"), time.Minute, deployment.EnvConfig+"=autotagger.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := f.Invoke(ctx, batch(t, table("x"))); err == nil {
		t.Error("it answered")
	}
	f.Stop()
	for _, want := range []string{"autotagger.yaml:1", "enfroce", "autotagger.yaml:2", "colour"} {
		if !strings.Contains(f.Log(), want) {
			t.Errorf("the log doesn't name %q:\n%s", want, f.Log())
		}
	}
}

// BenchmarkStart measures the functions' start, from the process to its asking
// for work and to its first answer, in turn with the floor: a hello-world function
// that loads the SDK's configuration. What is reported is the median: a start is
// short, and a machine has other things to do.
func BenchmarkStart(b *testing.B) {
	url, _, _ := tagging(b)
	dir := configured(b, "cors: off\n")
	payload := batch(b, table("first"))
	hello := build(b, "./testdata/hello")
	type program struct {
		name, bin, env string
		ready, first   []time.Duration
		memory         int64
	}
	programs := []*program{
		{name: "hello", bin: hello, env: "HELLO=bare"},
		{name: "hello+config", bin: hello, env: "HELLO=config"},
		{name: "tagger", bin: build(b, "autotagger/functions/tagger"), env: deployment.EnvParameters + "=on"},
		{name: "cors", bin: build(b, "autotagger/functions/cors")},
		{name: "ledger", bin: build(b, "autotagger/functions/ledger"), env: deployment.EnvTable + "=" + deployment.Table},
	}
	for b.Loop() {
		for _, p := range programs {
			f, err := runtimeapi.Start(p.bin, dir, time.Minute, deployment.EnvConfig+"=autotagger.yaml", "AWS_ENDPOINT_URL="+url, p.env)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := f.Invoke(context.Background(), payload); err != nil {
				b.Fatal(err, f.Log())
			}
			p.first = append(p.first, time.Since(f.Started()))
			p.ready = append(p.ready, f.Ready())
			memory, err := f.PeakMemory()
			if err != nil {
				b.Fatal(err)
			}
			p.memory = max(p.memory, memory)
			f.Stop()
		}
	}
	for _, p := range programs {
		info, err := os.Stat(p.bin)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(median(p.ready), "ms-ready/"+p.name)
		b.ReportMetric(median(p.first), "ms-first-answer/"+p.name)
		b.ReportMetric(float64(p.memory)/(1<<20), "MB-peak/"+p.name)
		b.ReportMetric(float64(info.Size())/(1<<20), "MB-binary/"+p.name)
	}
}

// median returns the middle of the durations, in milliseconds.
func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}
