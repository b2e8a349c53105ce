package emulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"autotagger/internal/emulator"
)

// TestCloud is one walk through a cloud's life: what Deliver puts on the bus
// arrives where a rule wants it, and PutEvents can't do the same.
func TestCloud(t *testing.T) {
	ctx := context.Background()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp) // so that what is left behind is seen
	cloud, err := emulator.StartCloud(ctx, emulator.Options{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Stop)

	events := func(operation, key string, in any) (int, string) {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, cloud.URL, strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260101/eu-west-1/events/aws4_request, SignedHeaders=host, Signature=0")
		req.Header.Set("X-Amz-Target", "AWSEvents."+operation)
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		out, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(out)
	}
	queues := sqs.NewFromConfig(cloud.Config())
	queue, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("wanted")})
	if err != nil {
		t.Fatal(err)
	}
	rule := map[string]any{"Name": "r", "EventPattern": `{"source":["aws.s3"],"detail":{"eventName":["CreateBucket"]}}`}
	if code, out := events("PutRule", "testing", rule); code != http.StatusOK {
		t.Fatalf("putting a rule: %d %s", code, out)
	}
	target := map[string]any{"Id": "q", "Arn": "arn:aws:sqs:eu-west-1:" + emulator.Account + ":wanted"}
	if code, out := events("PutTargets", "testing", map[string]any{"Rule": "r", "Targets": []any{target}}); code != http.StatusOK {
		t.Fatalf("putting a target: %d %s", code, out)
	}
	arrived := func() []sqstypes.Message {
		t.Helper()
		out, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		return out.Messages
	}

	forged := map[string]any{"Entries": []any{map[string]any{"Source": "aws.s3", "DetailType": "x", "Detail": `{"eventName":"CreateBucket"}`}}}
	if _, out := events("PutEvents", "testing", forged); !strings.Contains(out, "NotAuthorizedForSource") || len(arrived()) > 0 {
		t.Errorf("a caller put an event of aws.s3: %s", out)
	}
	for _, call := range []string{"CreateBucket", "DeleteBucket"} {
		event := `{"source":"aws.s3","detail-type":"x","account":"` + emulator.Account + `","region":"eu-west-1","detail":{"eventName":"` + call + `"}}`
		if err := cloud.Deliver(ctx, []byte(event)); err != nil {
			t.Fatal(err)
		}
	}
	if messages := arrived(); len(messages) != 1 || !strings.Contains(*messages[0].Body, "CreateBucket") {
		t.Errorf("%d messages arrived", len(messages))
	}

	if code, _ := events("ListRules", "nobody", map[string]any{}); code != http.StatusOK {
		t.Errorf("without a check of IAM, an unknown key got %d", code)
	}
	if err := cloud.EnforceIAM(ctx, true); err != nil {
		t.Fatal(err)
	}
	if code, _ := events("ListRules", "nobody", map[string]any{}); code == http.StatusOK {
		t.Error("with IAM enforced, an unknown key may list rules")
	}
	if code, out := events("ListRules", "testing", map[string]any{}); code != http.StatusOK {
		t.Errorf("with IAM enforced, the key of Config may not list rules: %d %s", code, out)
	}
	if err := cloud.EnforceIAM(ctx, false); err != nil {
		t.Fatal(err)
	}

	at, err := cloud.Listening()
	if err != nil || len(at) == 0 {
		t.Errorf("it listens on %v, %v", at, err)
	}
	for _, a := range at {
		if !a.Addr().IsLoopback() {
			t.Errorf("it listens on %v", a)
		}
	}
	cloud.Stop()
	cloud.Stop()
	if _, err := http.Get(cloud.URL); err == nil {
		t.Error("the cloud answers after Stop")
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
