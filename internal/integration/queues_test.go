package integration_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/function"
	"autotagger/internal/integration"
)

// TestQueues gives the real function messages from a real queue: what can't be
// handled yet is hidden for as long as the schedule says, what never can be is among
// the dead letters with the reason, and everything else is acknowledged.
func TestQueues(t *testing.T) {
	t.Parallel()
	srv, err := emulator.Start(t.Context(), emulator.Options{Region: integration.Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	client := sqs.NewFromConfig(srv.Config())
	queue := func(name string) string {
		out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": "360"}})
		if err != nil {
			t.Fatal(err)
		}
		return *out.QueueUrl
	}
	work, dead := queue("work"), queue("dead")

	// Twelve of each: SQS takes ten in a call.
	var made []string
	for _, k := range integration.Kinds() {
		if k.Type != "AWS::S3::Bucket" {
			continue
		}
		a := integration.Account{TB: t, URL: srv.URL}
		for i := range 12 {
			m := k.Create(a, fmt.Sprintf("there-%d", i))
			made = append(made, m.ARNs...)
			body, err := k.Event(t, m).JSON()
			if err != nil {
				t.Fatal(err)
			}
			gone := strings.ReplaceAll(string(body), fmt.Sprintf("there-%d", i), fmt.Sprintf("not-yet-%d", i))
			for _, text := range []string{string(body), gone, fmt.Sprintf("no event %d", i)} {
				if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &work, MessageBody: &text}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}

	batch := events.SQSEvent{}
	for len(batch.Records) < 36 {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &work, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			t.Fatalf("the queue has only %d messages", len(batch.Records))
		}
		for _, m := range out.Messages {
			batch.Records = append(batch.Records, events.SQSMessage{
				MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Attributes: m.Attributes, EventSource: "aws:sqs",
			})
		}
	}

	started := time.Now()
	answer, log := integration.Invoke(t, "tagger", "cors: off\n", batch,
		deployment.EnvQueue+"="+work, deployment.EnvDeadLetters+"="+dead, "AWS_ENDPOINT_URL="+srv.URL)
	if len(answer.BatchItemFailures) != 12 {
		t.Errorf("%d messages aren't acknowledged, want the 12 of buckets that aren't there yet\n%s", len(answer.BatchItemFailures), log)
	}
	for _, arn := range made {
		if creator := (integration.Account{TB: t, URL: srv.URL}).Tags(arn)["creator"]; creator != integration.Creator {
			t.Errorf("%s has the creator %q", arn, creator)
		}
	}
	letters := 0
	for range 12 {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &dead, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			letters++
			reason, cause := m.MessageAttributes[function.AttributeReason].StringValue, m.MessageAttributes[function.AttributeError].StringValue
			if !strings.HasPrefix(*m.Body, "no event") || aws.ToString(reason) != "malformed" || aws.ToString(cause) == "" {
				t.Errorf("a dead letter is %q with %q, %q", *m.Body, aws.ToString(reason), aws.ToString(cause))
			}
		}
	}
	if letters != 12 {
		t.Errorf("%d dead letters, want 12\n%s", letters, log)
	}
	// The first pause is a minute: before it nothing comes again.
	if got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &work, MaxNumberOfMessages: 10}); err != nil || len(got.Messages) > 0 && time.Since(started) < 50*time.Second {
		t.Errorf("%d messages come again at once: %v", len(got.Messages), err)
	}
	if n := strings.Count(log, `"end":"again"`); n != 12 {
		t.Errorf("%d events come again, want 12\n%s", n, log)
	}
}

// TestQueueRenews: a real queue takes what was denied anew, with its timer.
func TestQueueRenews(t *testing.T) {
	t.Parallel()
	srv, err := emulator.Start(t.Context(), emulator.Options{Region: integration.Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	client := sqs.NewFromConfig(srv.Config())
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("work")})
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{deployment.EnvQueue: *made.QueueUrl, deployment.EnvDeadLetters: "none"}
	h := function.Assemble(srv.Config(), nil, function.Job{}, func(name string) string { return env[name] }, slog.New(slog.DiscardHandler), io.Discard)
	all := make([]function.Denied, 12)
	for i := range all {
		all[i] = function.Denied{Body: fmt.Sprint(i), First: time.Now()}
	}
	for i, err := range h.Queue.Renew(t.Context(), all) {
		if err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	if shown, delayed := out.Attributes["ApproximateNumberOfMessages"], out.Attributes["ApproximateNumberOfMessagesDelayed"]; shown != "0" || delayed != "12" {
		t.Errorf("the queue shows %s messages and delays %s, want 0 and 12", shown, delayed)
	}
}
