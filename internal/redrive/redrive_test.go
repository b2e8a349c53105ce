package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"autotagger/internal/cloudtrail"
	"autotagger/internal/emulator"
	"autotagger/internal/redrive"
)

const (
	bucket = "s3/CreateBucket.json"
	topic  = "sns/CreateTopic.json"
)

// Each way of becoming a dead letter is told from the others.
func TestLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := time.Now().Add(-time.Second)
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 1))
	w.dead("tagger", "malformed", "no event")
	w.dead("cors", "retries-exhausted: throttled", event(t, bucket, 1))
	w.send(w.queues.DeadLetters["cors"], nil, "{")
	w.undelivered("autotagger-tagger-s", event(t, topic, 2))
	w.undelivered("autotagger/autotagger-cors-bus-s3", event(t, bucket, 2))
	w.undelivered("autotagger-forward-s", event(t, topic, 3))
	w.undelivered("autotagger-forward-s3", event(t, bucket, 3))
	w.undelivered("autotagger-spoke-alarms", `{"source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","detail":{}}`)
	w.send(w.queues.Undelivered, nil, event(t, topic, 4))
	// SQS itself moves what was received too often.
	dead := "arn:aws:sqs:us-east-1:" + emulator.Account + ":" + name(w.queues.DeadLetters["tagger"])
	work := w.queue("once", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `","maxReceiveCount":"1"}`})
	w.send(work, nil, event(t, topic, 5))
	for range 2 {
		if _, err := sqs.NewFromConfig(w.cfg).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &work, VisibilityTimeout: 1, WaitTimeSeconds: 2}); err != nil {
			t.Fatal(err)
		}
	}

	d := w.open()
	defer w.close(d)
	var got []string
	for _, l := range d.Letters() {
		name := "-"
		if l.Event != nil {
			name = l.Event.Name
		}
		got = append(got, strings.Join([]string{strings.Join(l.Functions, ","), name, l.Reason, l.Error}, " | "))
		if l.Since.Before(began) || l.Since.After(time.Now().Add(time.Second)) || l.ID == "" || l.Outcome != "" {
			t.Errorf("%+v", l)
		}
	}
	slices.Sort(got)
	want := []string{
		" | - | undelivered | NO_PERMISSIONS: the queue's policy",
		" | CreateTopic | undelivered | ",
		"cors | - | malformed | no valid JSON at byte 1: unexpected end of JSON input",
		"cors | CreateBucket | retries-exhausted: throttled | AWS said so",
		"cors | CreateBucket | undelivered | NO_PERMISSIONS: the queue's policy",
		"tagger | - | malformed | AWS said so",
		"tagger | CreateTopic | failed: AccessDenied | AWS said so",
		"tagger | CreateTopic | receive-count-exceeded | ",
		"tagger | CreateTopic | undelivered | NO_PERMISSIONS: the queue's policy",
		"tagger | CreateTopic | undelivered | NO_PERMISSIONS: the queue's policy",
		"tagger,cors | CreateBucket | undelivered | NO_PERMISSIONS: the queue's policy",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Looking changes nothing: all that was there can be received by anyone at once.
func TestLookingChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 0), event(t, topic, 1))
	d := w.open()
	if got := w.visible(w.queues.DeadLetters["tagger"]); len(got) != 0 {
		t.Errorf("%d letters are seen by others while the desk is open", len(got))
	}
	w.close(d)
	for _, m := range w.visible(w.queues.DeadLetters["tagger"]) {
		if aws.ToString(m.MessageAttributes["Reason"].StringValue) != "failed: AccessDenied" {
			t.Errorf("a letter lost its reason: %v", m.MessageAttributes)
		}
	}
	if got := w.bodies(w.queues.DeadLetters["tagger"]); len(got) != 2 {
		t.Errorf("%d letters are left of 2", len(got))
	}
	if got := w.bodies(w.queues.Work["tagger"]); len(got) != 0 {
		t.Errorf("the function's queue has %q", got)
	}
}

// A letter goes to its own function, its body byte for byte and no reason with it.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	odd := "{\"x\":\"\\u0000<&> \u20ac\"}\r\n\t"
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 3), odd)
	w.dead("cors", "failed: AccessDenied", event(t, bucket, 3))
	w.undelivered("autotagger-cors-s3", event(t, bucket, 4))
	w.undelivered("autotagger-forward-s3", event(t, bucket, 5))
	for _, l := range w.replay() {
		if l.Outcome != redrive.Replayed || l.Why != "" {
			t.Errorf("%s is %s: %s", l.Reason, l.Outcome, l.Why)
		}
	}
	for f, want := range map[string][]string{
		"tagger": {event(t, topic, 3), event(t, bucket, 5), odd},
		"cors":   {event(t, bucket, 3), event(t, bucket, 4), event(t, bucket, 5)},
	} {
		for _, m := range w.visible(w.queues.Work[f]) {
			if len(m.MessageAttributes) > 0 {
				t.Errorf("%s got the attributes %v", f, m.MessageAttributes)
			}
		}
		slices.Sort(want)
		if got := w.bodies(w.queues.Work[f]); !slices.Equal(got, want) {
			t.Errorf("%s got %q, want %q", f, got, want)
		}
	}
	if got := w.bodies(w.queues.Undelivered); len(got) != 0 {
		t.Errorf("still undelivered: %q", got)
	}
}

// More letters than a call takes, and than a batch of the function: each once.
func TestMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var bodies []string
	for i := range 123 {
		bodies = append(bodies, fmt.Sprintf(`{"n":%d}`, i))
	}
	w.dead("tagger", "failed: AccessDenied", bodies...)

	d := redrive.Open(t.Context(), w.spoilt, w.queues, redrive.Options{Most: 50})
	if n := len(d.Letters()); n < 50 || n > 100 || len(d.Left) != 1 || !strings.Contains(d.Left[0], fmt.Sprintf("only %d letters were read", n)) {
		t.Errorf("%d letters, and %q", n, d.Left)
	}
	w.close(d)

	letters := w.replay()
	if len(letters) != len(bodies) {
		t.Errorf("%d letters, want %d", len(letters), len(bodies))
	}
	if !slices.IsSortedFunc(letters, func(a, b *redrive.Letter) int { return a.Since.Compare(b.Since) }) {
		t.Error("the oldest isn't first")
	}
	slices.Sort(bodies)
	if got := w.bodies(w.queues.Work["tagger"]); !slices.Equal(got, bodies) {
		t.Errorf("the function's queue has %d, want %d, each once", len(got), len(bodies))
	}
}

// Letters of the largest size go one by one: a call takes as much as one of them.
func TestLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	large := strings.Repeat("x", 700<<10)
	for range 3 {
		w.dead("tagger", "malformed", large)
	}
	for _, l := range w.replay() {
		if l.Outcome != redrive.Replayed {
			t.Errorf("%s: %s", l.Outcome, l.Why)
		}
	}
	if got := w.bodies(w.queues.Work["tagger"]); len(got) != 3 || got[0] != large {
		t.Errorf("the function's queue has %d letters, want 3", len(got))
	}
}

// A letter that SQS delivers twice is one letter.
func TestDeliveredTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 0))
	w.on("ReceiveMessage", func(call) *answer {
		return &answer{later: func(body map[string]any) {
			if all, ok := body["Messages"].([]any); ok {
				body["Messages"] = append(all, all...)
			}
		}}
	})
	if letters := w.replay(); len(letters) != 1 || letters[0].Outcome != redrive.Replayed {
		t.Errorf("%d letters", len(letters))
	}
	if got := w.bodies(w.queues.Work["tagger"]); len(got) != 1 {
		t.Errorf("the function's queue has %d", len(got))
	}
}

// What goes wrong loses no letter: it stays, and the row says so.
func TestFailures(t *testing.T) {
	t.Parallel()
	silent := func(call) *answer { return &answer{status: http.StatusOK, body: `{"Successful":[],"Failed":[]}`} }
	for name, tt := range map[string]struct {
		op         string
		spoil      func(call) *answer
		outcomes   map[redrive.Outcome]int
		why        string
		work, left int
	}{
		"sending is refused":       {"SendMessageBatch", refused, map[redrive.Outcome]int{redrive.Failed: 3}, "AccessDeniedException", 0, 3},
		"one isn't taken":          {"SendMessageBatch", refuseOne, map[redrive.Outcome]int{redrive.Failed: 1, redrive.Replayed: 2}, "InternalError: try again", 2, 1},
		"nothing said of sending":  {"SendMessageBatch", silent, map[redrive.Outcome]int{redrive.Failed: 3}, "SQS said nothing", 0, 3},
		"deleting is refused":      {"DeleteMessageBatch", refused, map[redrive.Outcome]int{redrive.Copied: 3}, "still here: operation error SQS: DeleteMessageBatch", 3, 3},
		"one isn't deleted":        {"DeleteMessageBatch", refuseOne, map[redrive.Outcome]int{redrive.Copied: 1, redrive.Replayed: 2}, "InternalError: try again", 3, 1},
		"nothing said of deleting": {"DeleteMessageBatch", silent, map[redrive.Outcome]int{redrive.Copied: 3}, "SQS said nothing", 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.dead("tagger", "failed: AccessDenied", event(t, topic, 0), event(t, topic, 1), event(t, topic, 2))
			w.on(tt.op, tt.spoil)
			for _, l := range w.replay() {
				tt.outcomes[l.Outcome]--
				if l.Outcome != redrive.Replayed && !strings.Contains(l.Why, tt.why) {
					t.Errorf("%s: %s, want %q", l.Outcome, l.Why, tt.why)
				}
			}
			for outcome, n := range tt.outcomes {
				if n != 0 {
					t.Errorf("%s: %d more or less than expected", outcome, n)
				}
			}
			if work, left := w.bodies(w.queues.Work["tagger"]), w.bodies(w.queues.DeadLetters["tagger"]); len(work) != tt.work || len(left) != tt.left {
				t.Errorf("%d sent and %d left, want %d and %d", len(work), len(left), tt.work, tt.left)
			}
		})
	}
}

// A letter for two functions is deleted only when both have it.
func TestOneOfTwoRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.undelivered("autotagger-forward-s3", event(t, bucket, 0))
	w.on("SendMessageBatch", func(c call) *answer {
		if c["QueueUrl"] == w.queues.Work["cors"] {
			return refused(c)
		}
		return nil
	})
	if l := w.replay()[0]; l.Outcome != redrive.Failed {
		t.Errorf("it is %s", l.Outcome)
	}
	if got := w.bodies(w.queues.Undelivered); len(got) != 1 {
		t.Error("the letter is gone")
	}
}

// Without the function's queue a letter stays.
func TestNowhereToGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	delete(w.queues.Work, "tagger")
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 0))
	if l := w.replay()[0]; l.Outcome != redrive.Failed || l.Why != "the queue of tagger isn't known" {
		t.Errorf("it is %s: %s", l.Outcome, l.Why)
	}
	if got := w.bodies(w.queues.DeadLetters["tagger"]); len(got) != 1 {
		t.Error("the letter is gone")
	}
}

// After an interrupt nothing more is sent, and what is left can be seen.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 0))
	d := w.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Replay(ctx, d.Letters())
	w.close(d)
	if l := d.Letters()[0]; l.Outcome != redrive.Kept || l.Why != "interrupted" {
		t.Errorf("it is %s: %s", l.Outcome, l.Why)
	}
	if got := w.bodies(w.queues.DeadLetters["tagger"]); len(got) != 1 {
		t.Error("the letter is gone, or hidden")
	}
}

// A queue that can't be read is named, and the others are read.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 0))
	w.on("ReceiveMessage", func(c call) *answer {
		if c["QueueUrl"] == w.queues.Undelivered {
			return refused(c)
		}
		return nil
	})
	w.queues.DeadLetters["cors"] += "-none"
	d := redrive.Open(t.Context(), w.spoilt, w.queues, redrive.Options{})
	defer w.close(d)
	if len(d.Errors) != 2 || !strings.Contains(d.Errors[0].Error(), "reading the queue TestUnreadable-cors-dead-none: ") || !strings.Contains(d.Errors[1].Error(), "reading the queue TestUnreadable-undelivered: ") {
		t.Errorf("the errors are %v", d.Errors)
	}
	if n := len(d.Letters()); n != 1 {
		t.Errorf("%d letters", n)
	}
}

// Letters that can't be made visible are said to come back.
func TestStayHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dead("tagger", "failed: AccessDenied", event(t, topic, 0), event(t, topic, 1))
	for _, spoil := range []func(call) *answer{refused, func(call) *answer {
		return &answer{status: http.StatusOK, body: `{"Successful":[],"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false},{"Id":"1","Code":"InternalError","SenderFault":false}]}`}
	}} {
		w.on("ChangeMessageVisibilityBatch", nil)
		d := w.open()
		w.on("ChangeMessageVisibilityBatch", spoil)
		if err := d.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "making 2 letters visible, which they will be within 15m") {
			t.Errorf("the error is %v", err)
		}
		w.on("ChangeMessageVisibilityBatch", nil)
		w.close(d)
	}
	// Meanwhile another sees none, and is told that there are.
	first := w.open()
	defer w.close(first)
	second := w.open()
	if len(second.Letters()) != 0 || len(second.Left) != 1 || !strings.Contains(second.Left[0], "2 more letters") {
		t.Errorf("%d letters, and %q", len(second.Letters()), second.Left)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	letters := []*redrive.Letter{
		{ID: "denied", Functions: []string{"tagger"}, Reason: "failed: AccessDenied", Since: day.Add(9 * time.Hour), Event: &cloudtrail.Event{Source: "s3.amazonaws.com", Account: "111122223333", Time: day}},
		{ID: "throttled", Functions: []string{"cors"}, Reason: "retries-exhausted: throttled", Since: day, Event: &cloudtrail.Event{Source: "s3.amazonaws.com", Account: "444455556666", Time: day.Add(time.Hour)}},
		{ID: "undelivered", Functions: []string{"tagger", "cors"}, Reason: "undelivered", Since: day, Event: &cloudtrail.Event{Source: "rds.amazonaws.com", Account: "111122223333"}},
		{ID: "malformed", Functions: []string{"tagger"}, Reason: "malformed", Since: day.Add(2 * time.Hour)},
	}
	for want, f := range map[string]redrive.Filter{
		"denied throttled undelivered malformed": {},
		"denied undelivered malformed":           {Functions: []string{"tagger"}},
		"throttled undelivered":                  {Functions: []string{"cors"}},
		"denied throttled undelivered":           {Services: []string{"s3", "RDS.amazonaws.com"}},
		"throttled":                              {Accounts: []string{"444455556666"}},
		"denied":                                 {Reasons: []string{"failed"}},
		"denied throttled":                       {Reasons: []string{"*Denied", "retries-exhausted: *"}},
		"malformed":                              {Reasons: []string{"malformed"}},
		"throttled malformed":                    {After: day.Add(time.Hour)},
		"denied undelivered":                     {Before: day.Add(time.Hour)},
		"undelivered":                            {Services: []string{"rds"}, Accounts: []string{"111122223333"}},
		"":                                       {Services: []string{"s"}},
	} {
		var got []string
		for _, l := range f.Of(letters) {
			got = append(got, l.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%+v: got %q, want %q", f, got, want)
		}
	}
	for _, tt := range []struct {
		letter int
		f      redrive.Filter
		spared bool
	}{
		{0, redrive.Filter{}, false},
		{3, redrive.Filter{}, true},
		{3, redrive.Filter{Functions: []string{"tagger"}}, true},
		{3, redrive.Filter{All: true}, false},
		{3, redrive.Filter{Reasons: []string{"malformed"}}, false},
	} {
		if why := tt.f.Spares(letters[tt.letter]); (why != "") != tt.spared {
			t.Errorf("%s with %+v is spared: %q", letters[tt.letter].ID, tt.f, why)
		}
	}
}

// The queues are found by the outputs of the stack, and the switch by its name.
func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.cfg.Copy()
	cfg.Region = "eu-west-1"
	w.permit("cloudformation:DescribeStacks")
	w.permit("ssm:GetParameters")
	if _, err := redrive.Find(t.Context(), cfg); !errors.Is(err, redrive.ErrNoStack) {
		t.Errorf("without a stack the error is %v", err)
	}
	if err := (redrive.Queues{}).Writing(t.Context(), cfg); err == nil || errors.Is(err, redrive.ErrOff) {
		t.Errorf("without the parameter: %v", err)
	}
	template := `{"Resources":{
		"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"q"}},
		"P":{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/autotagger/writing","Type":"String","Value":"off"}}},
	"Outputs":{
		"TaggerQueueUrl":{"Value":{"Ref":"Q"}},
		"TaggerDeadLetterQueueUrl":{"Value":"https://dead"},
		"UndeliveredQueueUrl":{"Value":"https://undelivered"}}}`
	if _, err := cloudformation.NewFromConfig(cfg).CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("Autotagger"), TemplateBody: &template}); err != nil {
		t.Fatal(err)
	}
	q, err := redrive.Find(t.Context(), cfg)
	if err != nil || !strings.HasSuffix(q.Work["tagger"], "/q") || q.DeadLetters["tagger"] != "https://dead" || q.Undelivered != "https://undelivered" || len(q.Work) != 1 || len(q.DeadLetters) != 1 {
		t.Errorf("found %+v, %v", q, err)
	}
	if err := q.Writing(t.Context(), cfg); !errors.Is(err, redrive.ErrOff) {
		t.Errorf("with the parameter: %v", err)
	}
	// The switch is the hub's, whatever the region that the letters are looked for in.
	q.Work["tagger"] = "https://sqs.eu-west-1.amazonaws.com/111122223333/q"
	cfg.Region = "us-east-1"
	if err := q.Writing(t.Context(), cfg); !errors.Is(err, redrive.ErrOff) {
		t.Errorf("from another region: %v", err)
	}
}

// A queue is asked in the region of its URL, whatever that of the hub.
func TestRegion(t *testing.T) {
	t.Parallel()
	for queue, want := range map[string]string{
		"https://sqs.eu-north-1.amazonaws.com/111122223333/q":    "eu-north-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q": "cn-north-1",
		"https://queue.amazonaws.com/111122223333/q":             "eu-west-1",
		"http://127.0.0.1:5000/111122223333/q":                   "eu-west-1",
	} {
		var asked string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.Header.Get("Authorization")
			w.WriteHeader(http.StatusForbidden)
		}))
		cfg := aws.Config{
			Region: "eu-west-1", BaseEndpoint: &srv.URL, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		}
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "x", SecretAccessKey: "y"}, nil
		})
		redrive.Open(t.Context(), cfg, redrive.Queues{Undelivered: queue}, redrive.Options{})
		srv.Close()
		if !strings.Contains(asked, "/"+want+"/sqs/") {
			t.Errorf("%s is asked as %s, want %s", queue, asked, want)
		}
	}
}
