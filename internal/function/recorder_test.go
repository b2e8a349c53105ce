package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/function"
	records "autotagger/internal/ledger"
	"autotagger/internal/pipeline"
	"autotagger/internal/runtimeapi"
	"autotagger/internal/schedule"
)

// recorded are the ledger's sample events, by name, each moved to a moment ago.
func recorded(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("../../events/ledger/*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("%d sample events: %v", len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		day := time.Now().UTC().Add(-24 * time.Hour).Format(time.DateOnly)
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = strings.ReplaceAll(string(data), "2026-11-21", day)
	}
	return all
}

// TestLedgerBootstrap runs the binary that ships against a real table.
func TestLedgerBootstrap(t *testing.T) {
	t.Parallel()
	srv, err := emulator.Start(t.Context(), emulator.Options{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	if err := srv.MakeLedger(t.Context(), deployment.Table); err != nil {
		t.Fatal(err)
	}
	f, err := runtimeapi.Start(build(t, "autotagger/functions/ledger"), t.TempDir(), time.Minute,
		deployment.EnvTable+"="+deployment.Table, "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_ENDPOINT_URL="+srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	samples := recorded(t)
	bodies := []string{"{", table("not-wanted"), strings.Replace(samples["AssumeRole"], `"account": "111122223333"`, `"account": "444455556666"`, 1)}
	for _, body := range samples {
		bodies = append(bodies, body)
	}
	bodies = append(bodies, bodies[3], bodies[4]) // delivered twice
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := f.Invoke(ctx, batch(t, bodies...))
	if err != nil {
		t.Fatalf("%v\n%s", err, f.Log())
	}
	if got, want := string(answer), `{"batchItemFailures":[{"itemIdentifier":"m0"}]}`; got != want {
		t.Errorf("the answer is %s, want %s\n%s", got, want, f.Log())
	}
	open := records.New(srv.Config(), deployment.Table, records.Options{Now: time.Now})
	id := func(name string) string {
		_, after, _ := strings.Cut(samples[name], `"credentials": {`)
		_, after, _ = strings.Cut(after, `"accessKeyId": "`)
		id, _, _ := strings.Cut(after, `"`)
		return id
	}
	for name, want := range map[string]string{
		"AssumeRole": "alice", "AssumeRole_chain": "arn:aws:sts::111122223333:assumed-role/Admin/work",
		"AssumeRole_cross_account_role":    "arn:aws:sts::111122223333:assumed-role/Pipeline/build-17",
		"AssumeRoleWithWebIdentity_github": "repo:example/shop:ref:refs/heads/main",
		"AssumeRole_service":               "", "AssumeRole_own": "", "AssumeRole_denied": "",
	} {
		s, err := open.Session(t.Context(), id(name))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if s != nil {
			if got = s.By.UserName; got == "" {
				got = s.By.ARN
			}
		}
		if got != want {
			t.Errorf("%s was begun by %q, want %q", name, got, want)
		}
	}
	f.Stop() // only then the log is whole
	log := f.Log()
	for _, want := range []string{`"message":"batch"`, `"Decision":"record"`, `"Decision":"own-event"`, `"Decision":"by-service"`, `"Decision":"not-wanted"`, `"Decision":"accounts-differ"`, `"Kind":"session"`, `"API":"DynamoDB:BatchWriteItem"`, `"end":"dead-letter"`, `"Refused":1`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s\n%s", want, log)
		}
	}
	if strings.Contains(log, "TOKEN") {
		t.Errorf("the log has a session's token\n%s", log)
	}
	if n := strings.Count(log, `"message":"event"`); n != 2 {
		t.Errorf("%d lines of events, want two: one that can't be read, one whose accounts differ\n%s", n, log)
	}
}

// TestLedgerBootstrapRefuses: without a table's name it doesn't start.
func TestLedgerBootstrapRefuses(t *testing.T) {
	t.Parallel()
	_, err := function.NewRecorder(t.Context(), func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), deployment.EnvTable) {
		t.Error(err)
	}
}

// full is a table that takes all but what it is told not to.
type full struct {
	refuses map[string]error // by what an item's id contains
	there   map[string]bool
}

func (f *full) Put(ctx context.Context, items []records.Item) []error {
	errs := make([]error, len(items))
	for i, item := range items {
		for part, err := range f.refuses {
			if strings.Contains(item.ID, part) {
				errs[i] = err
			}
		}
		if ctx.Err() != nil {
			errs[i] = ctx.Err()
		}
		if errs[i] == nil {
			f.there[item.ID] = true
		}
	}
	return errs
}

func newRecorder(refuses map[string]error) (*function.Recorder, *full, *bytes.Buffer) {
	var out bytes.Buffer
	table := &full{refuses: refuses, there: map[string]bool{}}
	return &function.Recorder{
		Table: table, Guard: &pipeline.Guard{}, Log: slog.New(slog.NewJSONHandler(&out, nil)),
		Metrics: function.NewMetrics(&out, "ledger", time.Now), Now: time.Now,
	}, table, &out
}

// TestRecorderEnds: each event has its own end, whatever becomes of the others.
func TestRecorderEnds(t *testing.T) {
	t.Parallel()
	samples := recorded(t)
	for _, c := range []struct {
		name   string
		err    error
		tries  int
		after  time.Duration // at least
		reason string
	}{
		{"taken", nil, 1, 0, ""},
		{"throttled for twelve hours", &smithy.GenericAPIError{Code: "ProvisionedThroughputExceededException"}, 17, 11 * time.Hour, "retries-exhausted: ProvisionedThroughputExceededException"},
		{"denied for twelve hours", &smithy.GenericAPIError{Code: "AccessDeniedException"}, 17, 11 * time.Hour, "retries-exhausted: AccessDeniedException"},
		{"no such table for twelve hours", &smithy.GenericAPIError{Code: "ResourceNotFoundException"}, 17, 11 * time.Hour, "retries-exhausted: ResourceNotFoundException"},
		{"left undone", errors.New("DynamoDB left it undone"), 17, 11 * time.Hour, "retries-exhausted: transport"},
		{"never possible", &smithy.GenericAPIError{Code: "ValidationException"}, 1, 0, "failed: ValidationException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refuses := map[string]error{}
			if c.err != nil {
				refuses["stack-set/"] = fmt.Errorf("writing: %w", c.err)
			}
			r, table, out := newRecorder(refuses)
			clock := time.Now()
			first := clock
			r.Now = func() time.Time { return clock }
			for try := 1; try <= schedule.Receives(); try++ {
				q := &ledger{}
				r.Queue = q
				in := events.SQSEvent{Records: []events.SQSMessage{
					{MessageId: "good", Body: samples["AssumeRole"]},
					{MessageId: "m", ReceiptHandle: "r", Body: samples["UpdateStackSet"], Attributes: map[string]string{"ApproximateFirstReceiveTimestamp": strconv.FormatInt(first.UnixMilli(), 10)}},
				}}
				response, err := r.Handle(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				if len(table.there) == 0 {
					t.Fatal("the good one wasn't recorded")
				}
				if len(response.BatchItemFailures) > 0 {
					if response.BatchItemFailures[0].ItemIdentifier != "m" || len(response.BatchItemFailures) > 1 || len(q.hidden) != 1 {
						t.Fatalf("left are %v, hidden %v", response.BatchItemFailures, q.hidden)
					}
					clock = clock.Add(q.hidden[0].For)
					continue
				}
				var reason string
				if len(q.letters) > 0 {
					reason = q.letters[0].Reason
				}
				if try != c.tries || clock.Sub(first) < c.after || reason != c.reason {
					t.Errorf("it ends at try %d, after %v, as %q\n%s", try, clock.Sub(first), reason, out)
				}
				return
			}
			t.Errorf("it has no end\n%s", out)
		})
	}
}

// TestRecorderWithoutTime: what the deadline cuts off comes again soon.
func TestRecorderWithoutTime(t *testing.T) {
	t.Parallel()
	r, _, out := newRecorder(nil)
	q := &ledger{}
	r.Queue = q
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Second))
	defer cancel()
	var in events.SQSEvent
	if err := json.Unmarshal(batch(t, recorded(t)["AssumeRole"], recorded(t)["AssumeRole_denied"]), &in); err != nil {
		t.Fatal(err)
	}
	response, err := r.Handle(ctx, in)
	if err != nil || len(response.BatchItemFailures) != 1 || len(q.hidden) != 1 || q.hidden[0].For > time.Minute {
		t.Errorf("%v, %v, hidden %v\n%s", response, err, q.hidden, out)
	}
	if _, err := r.Handle(t.Context(), events.SQSEvent{}); !errors.Is(err, function.ErrNotABatch) {
		t.Error(err)
	}
}

// TestRecorderGuards: an event of another account than its envelope's leaves nothing.
func TestRecorderGuards(t *testing.T) {
	t.Parallel()
	good := recorded(t)["AssumeRole"]
	for name, c := range map[string]struct {
		body, account string
		want          bool
	}{
		"all agree":                {good, "", true},
		"the deployment's own":     {good, "111122223333", true},
		"another deployment's":     {good, "444455556666", false},
		"another account's record": {strings.Replace(good, `"recipientAccountId": "111122223333"`, `"recipientAccountId": "444455556666"`, 1), "", false},
	} {
		r, table, out := newRecorder(nil)
		r.Guard.Account = c.account
		var in events.SQSEvent
		if err := json.Unmarshal(batch(t, c.body), &in); err != nil {
			t.Fatal(err)
		}
		response, err := r.Handle(t.Context(), in)
		if err != nil || len(response.BatchItemFailures) > 0 || (len(table.there) == 1) != c.want {
			t.Errorf("%s: %v, %v, recorded %v\n%s", name, response, err, table.there, out)
		}
	}
}

// BenchmarkRecorder measures a batch of 100 events against a table that answers after 10
// milliseconds, decoding and signatures included: what the function is billed for.
func BenchmarkRecorder(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(10 * time.Millisecond)
		fmt.Fprint(w, `{"UnprocessedItems":{}}`)
	}))
	b.Cleanup(server.Close)
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"}, nil
	})}
	r := function.AssembleRecorder(cfg, func(string) string { return "table" }, slog.New(slog.DiscardHandler), io.Discard)
	r.Guard, r.Queue = &pipeline.Guard{}, nil
	body := recorded(b)["AssumeRole_chain"]
	var bodies []string
	for i := range 100 {
		bodies = append(bodies, strings.ReplaceAll(body, `"accessKeyId": "ASIA`, fmt.Sprintf(`"accessKeyId": "ASIA%02d`, i)))
	}
	var in events.SQSEvent
	if err := json.Unmarshal(batch(b, bodies...), &in); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		response, err := r.Handle(b.Context(), in)
		if err != nil || len(response.BatchItemFailures) > 0 {
			b.Fatal(response, err)
		}
	}
}
