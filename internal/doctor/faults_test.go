package doctor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"autotagger/internal/doctor"
)

// TestUndeployed: before a deployment only what it needs is asked for.
func TestUndeployed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	findings := w.examine(doctor.Options{})
	want(t, findings, "stack", doctor.Info, "Autotagger", "isn't deployed in eu-west-1", "make deploy")
	want(t, findings, "bootstrap", doctor.Fail, "CDKToolkit", "isn't bootstrapped", "npx cdk bootstrap aws://"+w.account+"/eu-west-1")
	want(t, findings, "trail", doctor.Fail, "eu-west-1, us-east-1, us-west-2", "there is no trail", "the bucket's policy must let CloudTrail in: https://docs.aws.amazon.com/")
	if some := of(findings, "trail"); len(some) != 1 {
		t.Errorf("one trail is missing, said is:\n%s", text(some))
	}
	for _, check := range []string{"rules", "regions", "events", "queues", "functions", "writing", "permissions"} {
		if some := of(findings, check); len(some) > 0 {
			t.Errorf("without a deployment there are findings of %s:\n%s", check, text(some))
		}
	}
	w.trail()
	w.stack("CDKToolkit", "testdata/toolkit.json")
	if findings := w.examine(doctor.Options{}); !doctor.Healthy(findings) {
		t.Errorf("with all that a deployment needs, something is wrong:\n%s", text(findings))
	}
}

// TestFaults makes each fault in a healthy deployment, one after the other.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := deployed(t)
	ctx := t.Context()
	queueURL := func(output string) *string {
		out, err := cloudformation.NewFromConfig(w.cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("Autotagger")})
		w.must(err)
		for _, o := range out.Stacks[0].Outputs {
			if aws.ToString(o.OutputKey) == output {
				return o.OutputValue
			}
		}
		t.Fatalf("the stack has no output %s", output)
		return nil
	}
	send := func(url *string) {
		_, err := sqs.NewFromConfig(w.cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("{}")})
		w.must(err)
	}
	fn := lambda.NewFromConfig(w.cfg)
	rules := func(region string) *eventbridge.Client {
		return eventbridge.NewFromConfig(w.cfg, func(o *eventbridge.Options) { o.Region = region })
	}
	parameter := func(values string) { w.json("GetParameters", `{"Parameters":[`+values+`]}`) }
	const writing, deployedConfig = `{"Name":"/autotagger/writing","Value":"on"}`, `{"Name":"/autotagger/configuration","Value":"deployed"}`
	bucket := "config" + w.account
	_, err := w.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: home}})
	w.must(err)
	upload := func(body string) {
		_, err := w.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("autotagger.yaml"), Body: strings.NewReader(body)})
		w.must(err)
	}

	healthy := w.scripted()
	// Faults of one round don't touch each other. What the emulator holds stays
	// broken from then on.
	for _, round := range [][]struct {
		name               string
		make               func()
		check              string
		status             doctor.Status
		subject, found, do string
		also               string // another finding of the check
	}{
		{
			{name: "switch off", make: func() { parameter(`{"Name":"/autotagger/writing","Value":"off"},` + deployedConfig) },
				check: "writing", status: doctor.Warn, subject: "/autotagger/writing", found: "nothing is tagged", do: "--value on"},
			{name: "no event", make: func() { w.metrics(nil) }, check: "events", status: doctor.Warn, subject: "last event", found: "no event in 14 days", do: "create something"},
			{name: "not allowed", make: func() {
				w.simulation(func(a string) string {
					switch a {
					case "kms:TagResource":
						return "implicitDeny"
					case "ec2:CreateTags":
						return "explicitDeny"
					case "sqs:TagQueue":
						return "scp"
					case "sns:TagResource":
						return "boundary"
					}
					return "allowed"
				})
			}, check: "permissions", status: doctor.Fail, subject: "autotagger-tagger-eu-west-1", found: "kms is not allowed: kms:TagResource", do: "make deploy", also: "sqs is denied by the organisation: sqs:TagQueue"},
			{name: "no active tags", make: func() {
				w.json("ListCostAllocationTags", `{"CostAllocationTags":[{"TagKey":"creator","Type":"UserDefined","Status":"Inactive"}]}`)
			}, check: "cost-tags", status: doctor.Warn, subject: "creator", found: "isn't in the bill", do: "update-cost-allocation-tags-status --region us-east-1 --cost-allocation-tags-status 'TagKey=creator,Status=Active'", also: "hasn't seen the key"},
			{name: "companion's rule disabled", make: func() {
				_, err := rules("us-east-1").DisableRule(ctx, &eventbridge.DisableRuleInput{Name: aws.String("autotagger-forward-iam")})
				w.must(err)
			}, check: "regions", status: doctor.Fail, subject: "us-east-1", found: "autotagger-forward-iam is disabled", do: "--region us-east-1"},
		},
		{
			{name: "switch wrong", make: func() { parameter(`{"Name":"/autotagger/writing","Value":"yes"},` + deployedConfig) },
				check: "writing", status: doctor.Fail, subject: "/autotagger/writing", found: `"yes" is neither`, do: "--value on"},
			{name: "old event", make: func() {
				w.metricsAt(time.Now().Add(-75*time.Hour), map[string]float64{"NumberOfMessagesSent": 1, "Invocations": 1})
			},
				check: "events", status: doctor.Warn, subject: "last event", found: "3 days ago", do: "trail"},
			{name: "unknown to the simulator", make: func() {
				w.simulation(func(a string) string {
					if a == "kms:TagResource" {
						return "invalid"
					}
					return "allowed"
				})
			}, check: "permissions", status: doctor.Info, subject: "autotagger-tagger", found: "doesn't know kms:TagResource", also: "are allowed"},
			{name: "rule disabled", make: func() {
				_, err := rules(home).DisableRule(ctx, &eventbridge.DisableRuleInput{Name: aws.String("autotagger-tagger-s3")})
				w.must(err)
			}, check: "rules", status: doctor.Fail, subject: "eu-west-1 default", found: "autotagger-tagger-s3 is disabled", do: "aws events enable-rule --region eu-west-1"},
			{name: "dead letter", make: func() { send(queueURL("TaggerDeadLetterQueueUrl")) },
				check: "queues", status: doctor.Fail, subject: "TaggerDeadLetter", found: "1 message: events that the function gave up on", do: "autotagger redrive --replay"},
		},
		{
			{name: "parameters gone", make: func() { parameter("") },
				check: "writing", status: doctor.Fail, subject: "/autotagger/configuration", found: "is gone", do: "put-parameter"},
			{name: "never ran", make: func() { w.metrics(map[string]float64{"NumberOfMessagesSent": 1}) },
				check: "events", status: doctor.Fail, subject: "autotagger-tagger", found: "never ran"},
			{name: "companion gone", make: func() {
				_, err := rules("us-east-1").DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("autotagger-forward-iam")})
				w.must(err)
			}, check: "regions", status: doctor.Warn, subject: "us-east-1", found: "cloudfront", do: "make deploy"},
			{name: "undelivered", make: func() { send(queueURL("UndeliveredQueueUrl")) },
				check: "queues", status: doctor.Fail, subject: "Undelivered", found: "could not deliver", do: "autotagger redrive"},
			{name: "mapping off", make: func() {
				out, err := fn.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: aws.String("autotagger-cors")})
				w.must(err)
				_, err = fn.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: out.EventSourceMappings[0].UUID, Enabled: aws.Bool(false)})
				w.must(err)
			}, check: "functions", status: doctor.Fail, subject: "autotagger-cors mapping", found: "isn't polled", do: "update-event-source-mapping --enabled --uuid"},
		},
		{
			{name: "configuration nowhere", make: func() { parameter(writing + `,{"Name":"/autotagger/configuration","Value":"https://x"}`) },
				check: "writing", status: doctor.Fail, subject: "/autotagger/configuration", found: "s3://BUCKET/KEY", do: "--value deployed"},
			{name: "errors and refusals", make: func() {
				w.metrics(map[string]float64{"NumberOfMessagesSent": 1, "Invocations": 1, "Errors": 4, "ConfigurationRefused": 1, "Refused": 7})
			},
				check: "events", status: doctor.Warn, subject: "autotagger-tagger", found: "4 errors", do: "aws logs tail", also: "refused 7 resources"},
			{name: "spoke's queue", make: func() {
				out, err := sqs.NewFromConfig(w.cfg, func(o *sqs.Options) { o.Region = "us-east-1" }).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("Autotagger-companion-us-east-1-Undelivered1")})
				w.must(err)
				_, err = sqs.NewFromConfig(w.cfg, func(o *sqs.Options) { o.Region = "us-east-1" }).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: out.QueueUrl, MessageBody: aws.String("{}")})
				w.must(err)
			}, check: "queues", status: doctor.Fail, subject: "in us-east-1", found: "could not deliver"},
		},
		{
			{name: "object missing", make: func() {
				parameter(writing + `,{"Name":"/autotagger/configuration","Value":"s3://` + bucket + `/none.yaml"}`)
			},
				check: "writing", status: doctor.Fail, subject: "none.yaml", found: "isn't there", do: "aws s3 cp"},
			{name: "slow", make: func() {
				send(queueURL("TaggerQueueUrl"))
				w.metrics(map[string]float64{"NumberOfMessagesSent": 1, "Invocations": 1, "ApproximateAgeOfOldestMessage": 7200})
			}, check: "queues", status: doctor.Warn, subject: "Tagger", found: "the oldest 2h0m0s old", do: "troubleshooting"},
			{name: "no concurrency", make: func() { // the emulator leaves a zero out
				w.json("GetFunction", `{"Configuration":{"FunctionName":"f","State":"Active","LastUpdateStatus":"Successful","Role":"arn:aws:iam::1:role/r"},"Concurrency":{"ReservedConcurrentExecutions":0}}`)
			}, check: "functions", status: doctor.Fail, subject: "autotagger-cors", found: "never runs", do: "delete-function-concurrency"},
		},
		{
			{name: "object malformed, bucket without versions", make: func() {
				upload("mode: perhaps\n")
				parameter(writing + `,{"Name":"/autotagger/configuration","Value":"s3://` + bucket + `/autotagger.yaml"}`)
			},
				check: "writing", status: doctor.Fail, subject: "autotagger.yaml", found: "perhaps", do: "mend it", also: "keeps no versions"},
			{name: "function failed", make: func() {
				w.json("GetFunction", `{"Configuration":{"FunctionName":"f","State":"Failed","StateReason":"no image"}}`)
			}, check: "functions", status: doctor.Fail, subject: "autotagger-cors", found: "no image", do: "make deploy"},
		},
		{
			{name: "object without cors", make: func() {
				upload("mode: enforce\n")
				parameter(writing + `,{"Name":"/autotagger/configuration","Value":"s3://` + bucket + `/autotagger.yaml"}`)
			},
				check: "writing", status: doctor.Fail, subject: "autotagger.yaml", found: "cross-origin rules"},
			{name: "function gone", make: func() {
				_, err := fn.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("autotagger-cors")})
				w.must(err)
			}, check: "functions", status: doctor.Fail, subject: "autotagger-cors", found: "is gone", do: "make deploy"},
		},
		{
			{name: "object that the functions refuse", make: func() {
				upload("cors: off\ntags: {created-at: true}\n")
				parameter(writing + `,{"Name":"/autotagger/configuration","Value":"s3://` + bucket + `/autotagger.yaml"}`)
			},
				check: "writing", status: doctor.Fail, subject: "autotagger.yaml", found: `../../autotagger.yaml refuse it: tags: the functions may not write the key "created-at"`, do: "make deploy"},
		},
		{
			{name: "object fine", make: func() {
				upload("cors: off\n")
				parameter(writing + `,{"Name":"/autotagger/configuration","Value":"s3://` + bucket + `/autotagger.yaml"}`)
			},
				check: "writing", status: doctor.OK, subject: "autotagger.yaml", found: "valid, and functions deployed with ../../autotagger.yaml take it"},
			{name: "rule gone", make: func() {
				_, err := rules(home).RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String("autotagger-cors-s3"), Ids: []string{"queue"}})
				w.must(err)
				_, err = rules(home).DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("autotagger-cors-s3")})
				w.must(err)
			}, check: "rules", status: doctor.Fail, subject: "eu-west-1", found: "are gone: autotagger-cors-s3", do: "--revert-drift"},
		},
	} {
		for _, c := range round {
			c.make()
		}
		findings := w.examine(doctor.Options{})
		for _, c := range round {
			t.Run(c.name, func(t *testing.T) {
				want(t, findings, c.check, c.status, c.subject, c.found, c.do)
				if some := text(of(findings, c.check)); !strings.Contains(some, c.also) {
					t.Errorf("no finding says %q:\n%s", c.also, some)
				}
			})
		}
		w.script(healthy)
	}
	parameter(writing + `,{"Name":"/autotagger/configuration","Value":"s3://` + bucket + `/autotagger.yaml"}`)
	want(t, w.examine(doctor.Options{File: "none.yaml"}), "writing", doctor.Warn, "autotagger.yaml", "depends on the configuration that they were deployed with", "--config")
}

// TestTrails: what trails there may be, and what they bring.
func TestTrails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.trail()
	client := cloudtrail.NewFromConfig(w.cfg)
	selectors := func(s types.EventSelector) {
		_, err := client.PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: aws.String("management"), EventSelectors: []types.EventSelector{s}})
		w.must(err)
	}
	advanced := func(fields ...types.AdvancedFieldSelector) {
		fields = append(fields, types.AdvancedFieldSelector{Field: aws.String("eventCategory"), Equals: []string{"Management"}})
		_, err := client.PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: aws.String("management"), AdvancedEventSelectors: []types.AdvancedEventSelector{{FieldSelectors: fields}}})
		w.must(err)
	}
	read := func(values ...string) types.AdvancedFieldSelector {
		return types.AdvancedFieldSelector{Field: aws.String("readOnly"), Equals: values}
	}
	for _, c := range []struct {
		name      string
		make      func()
		status    doctor.Status
		found, do string
	}{
		{"all", func() {
			selectors(types.EventSelector{ReadWriteType: types.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(true)})
		}, doctor.OK, "logged by management", ""},
		{"writes", func() {
			selectors(types.EventSelector{ReadWriteType: types.ReadWriteTypeWriteOnly, IncludeManagementEvents: aws.Bool(true)})
		}, doctor.OK, "logged by management", ""},
		{"reads", func() {
			selectors(types.EventSelector{ReadWriteType: types.ReadWriteTypeReadOnly, IncludeManagementEvents: aws.Bool(true)})
		}, doctor.Fail, "leave out the management events that write", "put-event-selectors --region eu-west-1 --trail-name " + arn},
		{"data", func() {
			selectors(types.EventSelector{ReadWriteType: types.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(false)})
		}, doctor.Fail, "leave out the management events that write", "put-event-selectors"},
		{"without KMS", func() {
			selectors(types.EventSelector{ReadWriteType: types.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(true), ExcludeManagementEventSources: []string{"kms.amazonaws.com"}})
		}, doctor.Warn, "leave out kms.amazonaws.com: what these create", "without the exclusion"},
		{"advanced, writes", func() { advanced(read("false")) }, doctor.OK, "logged by management", ""},
		{"advanced, reads", func() { advanced(read("true")) }, doctor.Fail, "leave out the management events that write", "put-event-selectors"},
		{"advanced, without RDS's data", func() {
			advanced(types.AdvancedFieldSelector{Field: aws.String("eventSource"), NotEquals: []string{"kms.amazonaws.com", "rdsdata.amazonaws.com"}})
		}, doctor.Warn, "leave out kms.amazonaws.com:", "without the exclusion"},
		{"advanced, by another field", func() {
			advanced(types.AdvancedFieldSelector{Field: aws.String("userIdentity.arn"), NotStartsWith: []string{"arn:aws:sts::1:assumed-role/CI"}})
		}, doctor.Warn, "selects events by userIdentity.arn", "get-event-selectors"},
		{"organisation's", func() {
			w.json("DescribeTrails", `{"trailList":[{"Name":"org","TrailARN":"arn:aws:cloudtrail:us-east-1:999999999999:trail/org","HomeRegion":"us-east-1","IsMultiRegionTrail":true,"IsOrganizationTrail":true,"IncludeGlobalServiceEvents":true}]}`)
			w.json("GetTrailStatus", `{"IsLogging":true,"LatestDeliveryError":"AccessDenied"}`)
			w.json("GetEventSelectors", `{"EventSelectors":[{"ReadWriteType":"All","IncludeManagementEvents":true}]}`)
		}, doctor.OK, "org (organisation)", ""},
		{"can't write to its bucket", func() {}, doctor.Info, "AccessDenied", "bucket"},
		{"organisation's, not to be looked into", func() { w.refuse("GetEventSelectors", "AccessDeniedException") },
			doctor.Unknown, "whether the trail org logs can't be seen", "cloudtrail:GetEventSelectors"},
		{"no global services", func() {
			w.json("DescribeTrails", `{"trailList":[{"Name":"local","TrailARN":"arn:aws:cloudtrail:us-east-1:999999999999:trail/local","HomeRegion":"us-east-1","IsMultiRegionTrail":true,"IncludeGlobalServiceEvents":false}]}`)
			w.json("GetEventSelectors", `{"EventSelectors":[]}`)
		}, doctor.Fail, "leaves out events of global services", "--include-global-service-events"},
		{"off", func() { w.json("GetTrailStatus", `{"IsLogging":false}`) }, doctor.Fail, "its logging is off", "start-logging --region us-east-1"},
	} {
		c.make()
		findings := of(w.examine(doctor.Options{}), "trail")
		t.Run(c.name, func(t *testing.T) { want(t, findings, "trail", c.status, "", c.found, c.do) })
	}
}

// TestOneRegionTrail: a trail of one region brings that region's events only.
func TestOneRegionTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.trail()
	_, err := cloudtrail.NewFromConfig(w.cfg).UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{Name: aws.String("management"), IsMultiRegionTrail: aws.Bool(false)})
	w.must(err)
	findings := w.examine(doctor.Options{})
	want(t, findings, "trail", doctor.OK, "eu-west-1", "management (this region only)", "")
	want(t, findings, "trail", doctor.Fail, "us-east-1", "there is no trail", "--is-multi-region-trail")
}

// TestStacks: a stack of the name may be another's, or broken.
func TestStacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stack("Autotagger", "testdata/toolkit.json")
	want(t, w.examine(doctor.Options{}), "stack", doctor.Fail, "Autotagger", "isn't autotagger's", "another region")
	for status, c := range map[string]struct {
		status doctor.Status
		do     string
	}{
		"ROLLBACK_COMPLETE":        {doctor.Fail, "delete-stack"},
		"UPDATE_ROLLBACK_FAILED":   {doctor.Fail, "describe-stack-events"},
		"UPDATE_IN_PROGRESS":       {doctor.Warn, "look again"},
		"UPDATE_ROLLBACK_COMPLETE": {doctor.Warn, "deploy again"},
	} {
		w.xml("DescribeStacks", `<Stacks><member><StackName>Autotagger</StackName><StackStatus>`+status+`</StackStatus><CreationTime>2026-11-01T00:00:00Z</CreationTime><Tags><member><Key>Application</Key><Value>autotagger</Value></member></Tags></member></Stacks>`)
		findings := w.examine(doctor.Options{})
		want(t, findings, "stack", c.status, "Autotagger", status, c.do)
	}
	w.xml("DescribeStacks", `<Stacks><member><StackName>CDKToolkit</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-01T00:00:00Z</CreationTime><Outputs><member><OutputKey>BootstrapVersion</OutputKey><OutputValue>3</OutputValue></member></Outputs></member></Stacks>`)
	want(t, w.examine(doctor.Options{}), "bootstrap", doctor.Fail, "CDKToolkit", `"3"; 6 is needed`, "cdk bootstrap")
}

// TestDenied: what AWS refuses to tell is unknown, names the permission, and keeps
// nothing else from being found.
func TestDenied(t *testing.T) {
	t.Parallel()
	w := deployed(t)
	whole := w.examine(doctor.Options{})
	type call struct{ operation, code, check, permission string }
	const json, query = "AccessDeniedException", "AccessDenied"
	for name, calls := range map[string][]call{
		"one of each check": {
			{"DescribeTrails", json, "trail", "cloudtrail:DescribeTrails"},
			{"ListRules", json, "rules", "events:ListRules"},
			{"GetMetricData", query, "events", "cloudwatch:GetMetricData"},
			{"GetQueueAttributes", query, "queues", "sqs:GetQueueAttributes"},
			{"ListEventSourceMappings", json, "functions", "lambda:ListEventSourceMappings"},
			{"GetParameters", json, "writing", "ssm:GetParameters"},
			{"SimulatePrincipalPolicy", query, "permissions", "iam:SimulatePrincipalPolicy"},
			{"DescribeOrganization", json, "scp", "organizations:DescribeOrganization"},
			{"ListCostAllocationTags", json, "cost-tags", "ce:ListCostAllocationTags"},
			{"ListRegions", json, "stack", "account:ListRegions"},
		},
		"others": {
			{"GetTrailStatus", json, "trail", "cloudtrail:GetTrailStatus"},
			{"ListQueues", query, "queues", "sqs:ListQueues"},
			{"GetFunction", json, "functions", "lambda:GetFunction"},
		},
		"the stack's resources": {{"ListStackResources", query, "stack", "cloudformation:ListStackResources"}},
		"the stack":             {{"DescribeStacks", query, "bootstrap", "cloudformation:DescribeStacks"}},
	} {
		before := w.scripted()
		for _, c := range calls {
			w.refuse(c.operation, c.code)
		}
		findings := w.examine(doctor.Options{})
		w.script(before)
		for _, c := range calls {
			want(t, findings, c.check, doctor.Unknown, "", "", "allow "+c.permission)
		}
		if doctor.Healthy(findings) {
			t.Errorf("%s: what can't be seen counts as healthy", name)
		}
		if name == "the stack" {
			continue // without it there is nothing to look at
		}
		for _, f := range whole {
			if len(of(findings, f.Check)) == 0 && !(f.Check == "rules" && name == "the stack's resources") {
				t.Errorf("%s: there is no finding of %s", name, f.Check)
			}
		}
	}
}

// TestLimit: a service that doesn't answer costs one check its time, and no more.
func TestLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	w.answer("DescribeTrails", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	// The others answer at once, however busy the emulator is.
	w.xml("GetCallerIdentity", `<Arn>arn:aws:iam::111122223333:user/alice</Arn><Account>111122223333</Account>`)
	w.refuse("DescribeStacks", "ValidationError")
	w.refuse("DescribeOrganization", "AWSOrganizationsNotInUseException")
	findings := w.examine(doctor.Options{Limit: time.Second})
	want(t, findings, "trail", doctor.Unknown, "eu-west-1", "no answer in time", "network")
	want(t, findings, "bootstrap", doctor.Fail, "CDKToolkit", "isn't bootstrapped", "")
	want(t, findings, "cost-tags", doctor.OK, "creator", "active", "")
}

// TestDrained: only the queues count, and any message does.
func TestDrained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	drained := func() []doctor.Finding { return w.examine(doctor.Options{Drained: true}) }
	// Of a hub in another region nothing is known.
	want(t, drained(), "drained", doctor.Fail, "Autotagger", "there is no hub in eu-west-1", "set AWS_REGION")
	w.stack("Autotagger", "testdata/hub.json")
	if findings := drained(); !doctor.Healthy(findings) || len(findings) != 5 {
		t.Errorf("with five empty queues: %s", text(findings))
	}
	client := sqs.NewFromConfig(w.cfg)
	out, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: aws.String("Autotagger-TaggerQueue")})
	w.must(err)
	url := &out.QueueUrls[0]
	_, err = client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("{}")})
	w.must(err)
	want(t, drained(), "drained", doctor.Fail, "Tagger", "1 message to be handled yet", "wait")
	// A message that is being handled isn't done.
	_, err = client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, VisibilityTimeout: 600})
	w.must(err)
	want(t, drained(), "drained", doctor.Fail, "Tagger", "1 of them being handled", "wait")
	w.refuse("GetQueueAttributes", "AccessDenied")
	want(t, drained(), "drained", doctor.Unknown, "Undelivered", "", "sqs:GetQueueAttributes")
}

// TestConfiguration: the configuration is held to what a deployment asks of it.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	findings := w.examine(doctor.Options{File: "testdata/none.yaml"})
	want(t, findings, "configuration", doctor.Fail, "none.yaml", "no such file", "--config")
	findings = w.examine(doctor.Options{File: "testdata/hub.json"})
	want(t, findings, "configuration", doctor.Fail, "hub.json", "Resources", "docs/configuration.md")
	findings = doctor.Examine(t.Context(), w.cfg, doctor.Options{})
	want(t, findings, "configuration", doctor.Warn, "autotagger.yaml", "there is none", "autotagger.example.yaml")
}

// TestCredentials: without them nothing in AWS is looked at, and the rest is.
func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuse("GetCallerIdentity", "InvalidClientTokenId")
	findings := w.examine(doctor.Options{})
	want(t, findings, "credentials", doctor.Fail, "eu-west-1", "InvalidClientTokenId", "AWS_PROFILE")
	want(t, findings, "configuration", doctor.OK, "", "valid", "")
	if len(findings) != 3 {
		t.Errorf("there is more than the configuration, the credentials and Terraform's hint:\n%s", text(findings))
	}
	w.cfg.BaseEndpoint = aws.String("http://127.0.0.1:1")
	want(t, w.examine(doctor.Options{}), "credentials", doctor.Unknown, "eu-west-1", "refused", "AWS_ENDPOINT_URL")
	w.cfg.Region = ""
	want(t, w.examine(doctor.Options{}), "credentials", doctor.Fail, "region", "none is set", "AWS_REGION")
}

// TestPartition: in GovCloud global services arrive in another region, and costs are
// seen elsewhere.
func TestPartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Region = "us-gov-east-1"
	findings := w.examine(doctor.Options{})
	want(t, findings, "credentials", doctor.OK, w.account, "partition aws-us-gov", "")
	want(t, findings, "trail", doctor.Fail, "us-gov-west-1", "there is no trail", "create-trail")
	want(t, findings, "cost-tags", doctor.Info, "creator", "isn't in this partition", "partition aws")
	for _, f := range of(findings, "trail") {
		if !strings.HasPrefix(f.Subject, "us-gov-") {
			t.Errorf("a region of another partition was looked at: %+v", f)
		}
	}
}
