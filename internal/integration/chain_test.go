package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/integration"
)

const (
	subject = "repo:example/shop:ref:refs/heads/main"
	stackID = "arn:aws:cloudformation:eu-west-1:" + emulator.Account + ":stack/web/0a1b2c3d-1111-2222-3333-444455556666"
)

// happening is an event of the account, as EventBridge delivers it.
type happening struct {
	source, name      string
	by                map[string]any
	request, response map[string]any
	ago               time.Duration
}

// begins is the call by which someone begins a role's session.
func begins(call, roleName, session, key string, by map[string]any, more map[string]any) happening {
	response := map[string]any{
		"credentials":     map[string]any{"accessKeyId": key, "expiration": "Nov 22, 2026, 11:19:00 AM"},
		"assumedRoleUser": map[string]any{"arn": "arn:aws:sts::" + emulator.Account + ":assumed-role/" + roleName + "/" + session},
	}
	for k, v := range more {
		response[k] = v
	}
	return happening{
		source: "sts", name: call, by: by, ago: 9 * time.Minute,
		request:  map[string]any{"roleArn": "arn:aws:iam::" + emulator.Account + ":role/" + roleName, "roleSessionName": session},
		response: response,
	}
}

func batchOf(t *testing.T, now time.Time, all ...happening) events.SQSEvent {
	t.Helper()
	var batch events.SQSEvent
	for i, h := range all {
		at := now.Add(-h.ago).UTC().Format(time.RFC3339)
		body, err := json.Marshal(map[string]any{
			"detail-type": "AWS API Call via CloudTrail", "source": "aws." + h.source, "account": emulator.Account, "region": integration.Region,
			"detail": map[string]any{
				"eventVersion": "1.11", "eventType": "AwsApiCall", "eventCategory": "Management", "managementEvent": true, "readOnly": h.source == "sts",
				"eventID": fmt.Sprintf("%s-%s-%d", h.source, h.name, i), "eventSource": h.source + ".amazonaws.com", "eventName": h.name, "eventTime": at,
				"awsRegion": integration.Region, "recipientAccountId": emulator.Account, "userIdentity": h.by,
				"requestParameters": h.request, "responseElements": h.response,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: h.name, Body: string(body), EventSource: "aws:sqs"})
	}
	return batch
}

// withLedger is an account of its own with the ledger's table, and the environment of the
// functions there.
func withLedger(t *testing.T) (integration.Account, []string) {
	t.Helper()
	srv, err := emulator.Start(t.Context(), emulator.Options{Region: integration.Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	a := integration.Account{TB: t, URL: srv.URL}
	if err := srv.MakeLedger(t.Context(), deployment.Table); err != nil {
		t.Fatal(err)
	}
	return a, []string{"AWS_ENDPOINT_URL=" + srv.URL, deployment.EnvTable + "=" + deployment.Table, deployment.EnvAccount + "=" + emulator.Account}
}

// TestPipelineStackGroup: a pipeline signs in, assumes another role with it, makes a stack
// under a service role; the stack makes an Auto Scaling group, and that an instance. The
// real functions name the pipeline for both, and the command line says how.
func TestPipelineStackGroup(t *testing.T) {
	t.Parallel()
	a, env := withLedger(t)
	// What CloudFormation and Auto Scaling write themselves.
	a.Group("web-group", map[string]string{"aws:cloudformation:stack-id": stackID, "aws:cloudformation:stack-name": "web"})
	instance := a.Instance()

	github := map[string]any{"type": "WebIdentityUser", "userName": subject, "principalId": "arn:aws:iam::1:oidc-provider/x:aud:" + subject, "identityProvider": "arn:aws:iam::1:oidc-provider/x"}
	now := time.Now() // of all events, however long it takes to build the functions
	recorded := batchOf(t, now,
		begins("AssumeRoleWithWebIdentity", "Pipeline", "GitHubActions", "ASIAPIPELINE00000001", github, map[string]any{"subjectFromWebIdentityToken": subject}),
		begins("AssumeRole", "Deploy", "deploy", "ASIADEPLOY0000000001", integration.Role("Pipeline", "GitHubActions", "ASIAPIPELINE00000001", ""), nil),
		happening{
			source: "cloudformation", name: "CreateStack", by: integration.Role("Deploy", "deploy", "ASIADEPLOY0000000001", ""), ago: 8 * time.Minute,
			request:  map[string]any{"stackName": "web", "roleARN": "arn:aws:iam::" + emulator.Account + ":role/cfn", "tags": []any{map[string]any{"key": "cost-center", "value": "4711"}}},
			response: map[string]any{"stackId": stackID},
		},
	)
	answer, log := integration.Invoke(t, "ledger", "", recorded, env...)
	if len(answer.BatchItemFailures) > 0 || !strings.Contains(log, `"recorded":{"session":2,"stack":1}`) {
		t.Fatalf("recording: %v\n%s", answer, log)
	}

	const config = "cors: off\nlook-ups: {ledger: true, parents: true}\ntags: {created-via: true}\ncost-center: [{tag: cost-center}, {parent-tag: cost-center}]\n"
	made := batchOf(t, now,
		happening{
			source: "autoscaling", name: "CreateAutoScalingGroup", by: integration.Role("cfn", "AWSCloudFormation", "ASIACFN0000000000001", "cloudformation.amazonaws.com"), ago: 7*time.Minute + 40*time.Second,
			request: map[string]any{"autoScalingGroupName": "web-group"},
		},
	)
	scaled := happening{
		source: "ec2", name: "RunInstances", ago: 6 * time.Minute,
		by: map[string]any{
			"type": "AssumedRole", "arn": "arn:aws:sts::" + emulator.Account + ":assumed-role/AWSServiceRoleForAutoScaling/AutoScaling", "accountId": emulator.Account,
			"invokedBy":      "autoscaling.amazonaws.com",
			"sessionContext": map[string]any{"sessionIssuer": map[string]any{"type": "Role", "userName": "AWSServiceRoleForAutoScaling", "arn": "arn:aws:iam::" + emulator.Account + ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"}},
		},
		request: map[string]any{"tagSpecificationSet": map[string]any{"items": []any{map[string]any{
			"resourceType": "instance", "tags": []any{map[string]any{"key": "aws:autoscaling:groupName", "value": "web-group"}},
		}}}},
		response: map[string]any{"instancesSet": map[string]any{"items": []any{map[string]any{"instanceId": instance}}}},
	}
	run := func(batch events.SQSEvent) {
		t.Helper()
		answer, log := integration.Invoke(t, "tagger", config, batch, env...)
		if len(answer.BatchItemFailures) > 0 || strings.Count(log, `"outcome":"tagged"`) != len(batch.Records) {
			t.Fatalf("tagging: %v\n%s", answer, log)
		}
	}
	check := func(what string, tags map[string]string, via string) {
		t.Helper()
		if tags["creator"] != subject || tags["cost-center"] != "4711" || tags["created-via"] != via {
			t.Errorf("%s has %v", what, tags)
		}
	}
	run(made)
	check("the group", a.GroupTags("web-group"), "role/Pipeline role/Deploy stack/web cloudformation.amazonaws.com")
	last := batchOf(t, now, scaled)
	run(last)
	arn := "arn:aws:ec2:eu-west-1:" + emulator.Account + ":instance/" + instance
	check("the instance", a.Tags(arn), "role/Pipeline role/Deploy stack/web cloudformation.amazonaws.com group/web-group autoscaling.amazonaws.com")

	// The same for people.
	dir := t.TempDir()
	files := map[string]string{"autotagger.yaml": config, "event.json": last.Records[0].Body}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := command(a.URL, integration.Region, "explain", "--lookup", "--config", filepath.Join(dir, "autotagger.yaml"), "-o", "json", filepath.Join(dir, "event.json")).CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Errorf("explain: %v", err)
	}
	for _, want := range []string{`"outcome":"unchanged"`, `"lookUps":[`, `"creator":"parent arn:aws:autoscaling:`, `"cost-center":"parent-tag cost-center"`} {
		if !strings.Contains(out, want) {
			t.Errorf("explain lacks %s:\n%s", want, out)
		}
	}
}

// TestLateSession: the real function waits for a session that isn't in the ledger, then
// names the session's role, and when the session has come after all, who began it; but it
// leaves alone what someone else wrote meanwhile.
func TestLateSession(t *testing.T) {
	t.Parallel()
	a, env := withLedger(t)
	const key = "ASIALATE000000000001"
	// Built beforehand: the first try is to come before the wait is over.
	integration.Invoke(t, "tagger", "cors: off\n", batchOf(t, time.Now(), happening{source: "s3", name: "DeleteBucket"}), env...)
	began := time.Now().Add(-time.Minute)
	session := func() map[string]any {
		by := integration.Role("Deploy", "i-0123456789abcdef0", key, "") // a machine's name: the role is named
		by["sessionContext"].(map[string]any)["attributes"] = map[string]any{"creationDate": began.UTC().Format(time.RFC3339)}
		return by
	}
	var made []string
	for _, k := range integration.Kinds() {
		if k.Type == "AWS::DynamoDB::Table" {
			for _, name := range []string{"ours", "theirs"} {
				made = append(made, k.Create(a, name).ARNs...)
			}
		}
	}
	tables := func() (all []happening) {
		for _, arn := range made {
			all = append(all, happening{
				source: "dynamodb", name: "CreateTable", by: session(), ago: 10 * time.Second,
				request:  map[string]any{"tableName": arn[strings.LastIndexByte(arn, '/')+1:]},
				response: map[string]any{"tableDescription": map[string]any{"tableArn": arn}},
			})
		}
		return all
	}
	// deliver gives the same messages to the function, that were first received a while ago.
	deliver := func(ago time.Duration, want int) string {
		t.Helper()
		batch := batchOf(t, time.Now(), tables()...)
		for i := range batch.Records {
			batch.Records[i].MessageId = fmt.Sprint(i)
			batch.Records[i].Attributes = map[string]string{
				"ApproximateReceiveCount": "2", "ApproximateFirstReceiveTimestamp": fmt.Sprint(time.Now().Add(-ago).UnixMilli()),
			}
		}
		answer, log := integration.Invoke(t, "tagger", "cors: off\nlook-ups: {ledger: true}\n", batch, env...)
		if len(answer.BatchItemFailures) != want {
			t.Errorf("%d messages come again, want %d\n%s", len(answer.BatchItemFailures), want, log)
		}
		return log
	}
	if log := deliver(time.Second, 2); strings.Count(log, `"why":"link-missing"`) != 2 || len(a.Tags(made[0])) > 0 {
		t.Errorf("it doesn't wait: %v\n%s", a.Tags(made[0]), log)
	}
	began = began.Add(-5 * time.Minute) // as if that long had passed
	deliver(3*time.Minute, 2)
	for _, arn := range made {
		if creator := a.Tags(arn)["creator"]; creator != "Deploy" {
			t.Errorf("without the session %s is %q's", arn, creator)
		}
	}
	a.PutTags(made[1], "creator", "carol")
	answer, log := integration.Invoke(t, "ledger", "", batchOf(t, time.Now(), begins("AssumeRole", "Deploy", "i-0123456789abcdef0", key, map[string]any{"type": "IAMUser", "userName": "bob", "arn": "arn:aws:iam::" + emulator.Account + ":user/bob", "accountId": emulator.Account}, nil)), env...)
	if len(answer.BatchItemFailures) > 0 {
		t.Fatalf("recording: %s", log)
	}
	deliver(16*time.Minute, 0)
	for arn, want := range map[string]string{made[0]: "bob", made[1]: "carol"} {
		if creator := a.Tags(arn)["creator"]; creator != want {
			t.Errorf("%s is %q's, want %s", arn, creator, want)
		}
	}
}
