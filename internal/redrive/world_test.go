package redrive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"autotagger/internal/emulator"
	"autotagger/internal/function"
	"autotagger/internal/iampolicy"
	"autotagger/internal/redrive"
)

// shared is the one emulator of this package's tests; each has queues of its own in it.
var shared emulator.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

// world is a deployment's queues, in an emulator whose answers a test may spoil.
type world struct {
	t      *testing.T
	cfg    aws.Config // past the spoiling
	spoilt aws.Config
	queues redrive.Queues
	// permitted is the policy of docs/redrive.md.
	permitted iampolicy.Document

	mu    sync.Mutex
	spoil map[string]func(call) *answer // by operation
}

// call is a request to SQS, whose entries may be changed before it goes on.
type call map[string]any

// answer is an answer to it; Later is what becomes of that of the emulator.
type answer struct {
	status int
	body   string
	later  func(body map[string]any)
}

// refused is AWS's answer to what isn't permitted.
func refused(call) *answer {
	return &answer{status: http.StatusForbidden, body: `{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"not authorized"}`}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	moto, err := shared.Server()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, cfg: moto.Config(), permitted: policyOfDocs(t), spoil: map[string]func(call) *answer{}}
	target, err := url.Parse(moto.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.pass(rw, r, proxy) }))
	t.Cleanup(srv.Close)
	w.spoilt = moto.Config()
	w.spoilt.BaseEndpoint = &srv.URL
	// What fails on purpose isn't to be waited for.
	w.spoilt.Retryer = func() aws.Retryer { return aws.NopRetryer{} }

	w.queues = redrive.Queues{Work: map[string]string{}, DeadLetters: map[string]string{}, Undelivered: w.queue("undelivered", nil)}
	for _, f := range redrive.Functions() {
		w.queues.Work[f], w.queues.DeadLetters[f] = w.queue(f, nil), w.queue(f+"-dead", nil)
	}
	return w
}

func name(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

func (w *world) pass(rw http.ResponseWriter, r *http.Request, proxy *httputil.ReverseProxy) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	// A permission is for the call of the same name with a batch, too.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
	w.permit("sqs:" + strings.TrimSuffix(op, "Batch"))
	w.mu.Lock()
	spoil := w.spoil[op]
	w.mu.Unlock()
	var a *answer
	c := call{}
	if err := json.Unmarshal(body, &c); err != nil {
		w.t.Errorf("%s is sent %q", op, body)
	}
	if spoil != nil {
		a = spoil(c)
	}
	if a != nil && a.status != 0 {
		rw.Header().Set("Content-Type", "application/x-amz-json-1.0")
		rw.WriteHeader(a.status)
		io.WriteString(rw, a.body)
		return
	}
	if op == "ReceiveMessage" {
		if c["WaitTimeSeconds"] == nil {
			w.t.Error("letters are received without waiting: SQS asks some of its servers only")
		}
		delete(c, "WaitTimeSeconds") // the emulator has one
	}
	body, _ = json.Marshal(c)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if a == nil {
		proxy.ServeHTTP(rw, r)
		return
	}
	rec := httptest.NewRecorder()
	proxy.ServeHTTP(rec, r)
	got := map[string]any{}
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		w.t.Errorf("the emulator answers %s", rec.Body)
	}
	a.later(got)
	rw.Header().Set("Content-Type", "application/x-amz-json-1.0")
	json.NewEncoder(rw).Encode(got)
}

// permit fails the test for a call that the policy of docs/redrive.md doesn't allow.
func (w *world) permit(action string) {
	w.t.Helper()
	if r := iampolicy.Evaluate(iampolicy.Request{Action: action, Resource: "*"}, w.permitted); r.Decision != iampolicy.Allowed {
		w.t.Errorf("the policy in docs/redrive.md doesn't allow %s", action)
	}
}

// policyOfDocs is the policy that the documentation offers, for any resource.
func policyOfDocs(t *testing.T) iampolicy.Document {
	t.Helper()
	page, err := os.ReadFile("../../docs/redrive.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```json\n")
	text, _, _ = strings.Cut(text, "```")
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("the policy in docs/redrive.md: %v", err)
	}
	for i := range doc.Statements {
		doc.Statements[i].Resources = nil
	}
	return doc
}

// on spoils an operation.
func (w *world) on(op string, spoil func(call) *answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoil[op] = spoil
}

// refuseOne refuses the first of a batch's entries and lets the others through.
func refuseOne(c call) *answer {
	entries := c["Entries"].([]any)
	id := entries[0].(map[string]any)["Id"]
	c["Entries"] = entries[1:]
	return &answer{later: func(body map[string]any) {
		body["Failed"] = []any{map[string]any{"Id": id, "Code": "InternalError", "Message": "try again", "SenderFault": false}}
	}}
}

func (w *world) queue(kind string, attributes map[string]string) string {
	w.t.Helper()
	out, err := sqs.NewFromConfig(w.cfg).CreateQueue(w.t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String(strings.NewReplacer("/", "-", "'", "").Replace(w.t.Name()) + "-" + kind), Attributes: attributes,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.QueueUrl
}

// send puts bodies into a queue, with attributes.
func (w *world) send(queue string, attributes map[string]string, bodies ...string) {
	w.t.Helper()
	values := map[string]types.MessageAttributeValue{}
	for k, v := range attributes {
		values[k] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
	}
	for some := range slices.Chunk(bodies, 10) {
		var entries []types.SendMessageBatchRequestEntry
		for i, body := range some {
			entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: &body, MessageAttributes: values})
		}
		if out, err := sqs.NewFromConfig(w.cfg).SendMessageBatch(w.t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &queue, Entries: entries}); err != nil || len(out.Failed) > 0 {
			w.t.Fatal(out, err)
		}
	}
}

// dead puts bodies among a function's dead letters, as the function does.
func (w *world) dead(f, reason string, bodies ...string) {
	w.t.Helper()
	w.send(w.queues.DeadLetters[f], map[string]string{function.AttributeReason: reason, function.AttributeError: "AWS said so"}, bodies...)
}

// undelivered puts bodies where EventBridge puts what it can't deliver.
func (w *world) undelivered(rule string, bodies ...string) {
	w.t.Helper()
	w.send(w.queues.Undelivered, map[string]string{
		"RULE_ARN":   "arn:aws:events:us-east-1:" + emulator.Account + ":rule/" + rule,
		"TARGET_ARN": "arn:aws:sqs:us-east-1:" + emulator.Account + ":queue",
		"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "the queue's policy", "RETRY_ATTEMPTS": "0",
	}, bodies...)
}

// visible are the messages of a queue that anyone can receive now. They stay so.
func (w *world) visible(queue string) []types.Message {
	w.t.Helper()
	var all []types.Message
	c := sqs.NewFromConfig(w.cfg)
	for {
		out, err := c.ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, VisibilityTimeout: 60})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			break
		}
		all = append(all, out.Messages...)
	}
	for some := range slices.Chunk(all, 10) {
		var entries []types.ChangeMessageVisibilityBatchRequestEntry
		for i, m := range some {
			entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
		}
		if _, err := c.ChangeMessageVisibilityBatch(w.t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &queue, Entries: entries}); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

// bodies are those of the visible messages, sorted.
func (w *world) bodies(queue string) []string {
	w.t.Helper()
	var all []string
	for _, m := range w.visible(queue) {
		all = append(all, *m.Body)
	}
	slices.Sort(all)
	return all
}

// open opens a desk and fails the test if anything goes wrong.
func (w *world) open() *redrive.Desk {
	w.t.Helper()
	d := redrive.Open(w.t.Context(), w.spoilt, w.queues, redrive.Options{})
	if len(d.Errors) > 0 {
		w.t.Fatal(d.Errors)
	}
	return d
}

func (w *world) close(d *redrive.Desk) {
	w.t.Helper()
	if err := d.Close(w.t.Context()); err != nil {
		w.t.Error(err)
	}
}

// replay sends all letters back and closes the desk.
func (w *world) replay() []*redrive.Letter {
	w.t.Helper()
	d := w.open()
	letters := d.Letters()
	d.Replay(w.t.Context(), letters)
	w.close(d)
	return letters
}

// event is a recorded event as the queues have it, made another by a number.
func event(t *testing.T, path string, n int) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("../../events", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(body) + strings.Repeat(" ", n)
}
