package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// recorded is a call in a history, under a resource's name, if its service gives it one.
type recorded struct {
	apply.Past
	resource string
}

// past is accounts' history, and what was applied meanwhile.
type past struct {
	calls []recorded // the newest first
	most  int        // how many calls an answer has; 0: all
	err   error
	hangs bool // it doesn't answer before its time is up

	mu     sync.Mutex
	asked  []string
	tagged []string
	cors   []string
}

func (p *past) History(ctx context.Context, q apply.Question, since time.Time) (calls []apply.Past, from time.Time, err error) {
	if p.hangs {
		<-ctx.Done()
		return nil, since, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q.Call+q.Resource)
	if q.Account != "111122223333" || q.Partition != "aws" || q.Region != "eu-west-1" {
		return nil, since, fmt.Errorf("asked in %+v", q)
	}
	for _, c := range p.calls {
		if (q.Call != "" && q.Call == c.Name || q.Resource != "" && q.Resource == c.resource) && !c.At.Before(since) {
			if calls = append(calls, c.Past); len(calls) == p.most {
				return calls, c.At, p.err
			}
		}
	}
	return calls, since, p.err
}

func (p *past) Tag(_ context.Context, reqs []apply.Request) []apply.Result {
	out := make([]apply.Result, len(reqs))
	for i, r := range reqs {
		p.tagged = append(p.tagged, r.ARN)
		out[i].Outcome = apply.Tagged
		if strings.Contains(r.ARN, ":volume/") { // they aren't there
			out[i].Outcome = apply.Retry
		}
	}
	return out
}

func (p *past) PutCORS(_ context.Context, reqs []apply.CORSRequest) []apply.CORSResult {
	out := make([]apply.CORSResult, len(reqs))
	for i, r := range reqs {
		p.cors = append(p.cors, r.Bucket)
		out[i].Outcome = apply.Put
	}
	return out
}

func (p *past) line() pipeline.Pipeline {
	return pipeline.Pipeline{
		Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}, Applier: p, Tag: true, CORS: true,
		Late: &pipeline.Late{Historian: p, Now: func() time.Time { return noon }},
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func decoded(t *testing.T, id, source, name string, at time.Time, request, response string) *cloudtrail.Event {
	t.Helper()
	e, err := cloudtrail.Decode(text(id, source, name, at, request, response))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// call is one in the history.
func call(id, source, name string, at time.Time, request, response, resource string) recorded {
	return recorded{apply.Past{ID: id, Source: source + ".amazonaws.com", Name: name, At: at, Record: text(id, source, name, at, request, response)}, resource}
}

func text(id, source, name string, at time.Time, request, response string) string {
	return fmt.Sprintf(`{"eventID":%q,"eventSource":"%s.amazonaws.com","eventName":%q,"eventTime":%q,"eventType":"AwsApiCall","managementEvent":true,"awsRegion":"eu-west-1","recipientAccountId":"111122223333","readOnly":false,"userIdentity":{"type":"IAMUser","userName":"alice"},"requestParameters":%s,"responseElements":%s}`,
		id, source, name, at.Format(time.RFC3339), request, response)
}

func table(t *testing.T, id, name string, at time.Time) *cloudtrail.Event {
	return decoded(t, id, "dynamodb", "CreateTable", at, `{"tableName":"`+name+`"}`, `{"tableDescription":{"tableArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/`+name+`"}}`)
}

// TestLate: an old event doesn't speak for what was deleted, or made anew, since.
func TestLate(t *testing.T) {
	t.Parallel()
	made, later := noon.Add(-3*time.Hour), noon.Add(-2*time.Hour)
	const (
		prefix  = "arn:aws:dynamodb:eu-west-1:111122223333:table/"
		named   = `{"tableName":"t"}`
		there   = `{"tableDescription":{"tableArn":"` + prefix + `t"}}`
		gone    = `{"tableDescription":{"tableName":"t","tableArn":"` + prefix + `t"}}`
		located = `{"bucketName":"t","CreateBucketConfiguration":{"LocationConstraint":"eu-west-1"}}`
		service = `{"service":{"serviceArn":"arn:aws:ecs:eu-west-1:111122223333:service/%s/t"}}`
		key     = `{"keyMetadata":{"arn":"arn:aws:kms:eu-west-1:111122223333:key/0d6e8a32-5c1f-4b7a-9e2d-1f3c5b7a9d10","keyId":"0d6e8a32-5c1f-4b7a-9e2d-1f3c5b7a9d10"}}`
		volume  = `{"volumeId":"vol-0a1b2c3d4e5f60718"}`
	)
	theTable := table(t, "1", "t", made)
	theBucket := decoded(t, "1", "s3", "CreateBucket", made, located, "null")
	theQueue := decoded(t, "1", "sqs", "CreateQueue", made, `{"queueName":"t"}`, `{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/t"}`)
	createTable := call("1", "dynamodb", "CreateTable", made, named, there, "t")
	createBucket := call("1", "s3", "CreateBucket", made, located, "null", "t")
	createQueue := call("1", "sqs", "CreateQueue", made, `{"queueName":"t"}`, `{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/t"}`, "")
	createService := call("1", "ecs", "CreateService", made, `{"cluster":"a","serviceName":"t"}`, fmt.Sprintf(service, "a"), "t")
	failed := call("2", "dynamodb", "DeleteTable", later, named, "null", "t")
	failed.Record = strings.Replace(failed.Record, `{"eventID"`, `{"errorCode":"ResourceInUseException","eventID"`, 1)
	attempt := call("2", "dynamodb", "CreateTable", later, named, "null", "t")
	attempt.Record = strings.Replace(attempt.Record, `{"eventID"`, `{"errorCode":"ResourceInUseException","eventID"`, 1)
	busy := func(all ...recorded) []recorded { // calls that say nothing, before those that may
		var calls []recorded
		for i := range 9 {
			calls = append(calls, call(fmt.Sprint("r", i), "dynamodb", "CreateTable", noon.Add(-time.Hour), fmt.Sprintf(`{"tableName":"u%d"}`, i), "null", fmt.Sprint("u", i)))
		}
		return append(calls, all...)
	}
	for _, c := range []struct {
		name      string
		event     *cloudtrail.Event
		calls     []recorded
		err       error
		ours      bool   // it was in hand at once
		tag, cors string // outcome and why
		asked     int
	}{
		{name: "fresh", event: table(t, "1", "t", noon.Add(-time.Minute)), tag: "tagged"},
		{name: "verified", event: theTable, calls: []recorded{createTable}, tag: "tagged", asked: 2},
		{name: "deleted", event: theTable, calls: []recorded{call("2", "dynamodb", "DeleteTable", later, named, gone, ""), createTable}, tag: "skipped superseded", asked: 2},
		{name: "deleted while it was slow", event: theTable, calls: []recorded{call("2", "dynamodb", "DeleteTable", later, named, gone, ""), createTable}, ours: true, tag: "skipped superseded", asked: 2},
		{name: "deleted by its ARN", event: theTable, calls: []recorded{call("2", "dynamodb", "DeleteTable", later, `{"tableName":"`+prefix+`t"}`, "null", ""), createTable}, tag: "skipped superseded", asked: 2},
		{name: "made again", event: theTable, calls: []recorded{call("2", "dynamodb", "CreateTable", later, named, there, ""), createTable}, tag: "skipped superseded", asked: 2},
		{name: "an attempt to make it again", event: theTable, calls: []recorded{attempt, createTable}, tag: "tagged", asked: 2},
		{name: "another is made", event: theTable, calls: []recorded{call("2", "dynamodb", "CreateTable", later, `{"tableName":"u"}`, `{"tableDescription":{"tableArn":"`+prefix+`u"}}`, "u"), createTable}, tag: "tagged", asked: 2},
		{name: "an attempt to delete it", event: theTable, calls: []recorded{failed, createTable}, tag: "tagged", asked: 2},
		{name: "another is deleted", event: theTable, calls: []recorded{call("2", "dynamodb", "DeleteTable", later, `{"tableName":"not-t"}`, "null", ""), createTable}, tag: "tagged", asked: 2},
		{name: "deleted before", event: theTable, calls: []recorded{createTable, call("2", "dynamodb", "DeleteTable", made.Add(-time.Minute), named, gone, "t")}, tag: "tagged", asked: 2},
		{name: "another service's deletion", event: theTable, calls: []recorded{call("2", "rds", "DeleteTable", later, named, "null", ""), createTable}, tag: "tagged", asked: 2},
		{name: "another thing's deletion", event: theTable, calls: []recorded{call("2", "dynamodb", "DeleteTableReplica", later, named, "null", "t"), createTable}, tag: "tagged", asked: 2},
		{name: "restored and deleted", event: decoded(t, "1", "dynamodb", "RestoreTableFromBackup", made, `{"targetTableName":"t"}`, "null"), calls: []recorded{call("2", "dynamodb", "DeleteTable", later, named, gone, ""), call("1", "dynamodb", "RestoreTableFromBackup", made, `{"targetTableName":"t"}`, "null", "")}, tag: "skipped superseded", asked: 2},
		{name: "a dated name", event: decoded(t, "1", "lambda", "CreateFunction20150331", made, `{"functionName":"t"}`, `{"functionName":"t","functionArn":"arn:aws:lambda:eu-west-1:111122223333:function:t"}`), calls: []recorded{call("2", "lambda", "DeleteFunction20150331", later, `{"functionName":"111122223333:function:t"}`, "null", "t")}, tag: "skipped superseded", asked: 4},

		{name: "not known", event: theTable, tag: "failed late-unverified", asked: 4},
		{name: "not known, of a slow table", event: theTable, ours: true, tag: "tagged", asked: 4},
		{name: "too many calls", event: theTable, calls: busy(), tag: "failed late-unverified", asked: 4},
		{name: "too many calls, but those of the table", event: theTable, calls: busy(createTable), tag: "tagged", asked: 3},
		{name: "too many calls, but those by its ARN", event: theTable, calls: busy(call("1", "dynamodb", "CreateTable", made, named, there, prefix+"t")), tag: "tagged", asked: 4},
		{name: "too many calls, and deleted", event: theTable, calls: busy(call("2", "dynamodb", "DeleteTable", later, named, gone, "t"), createTable), tag: "skipped superseded", asked: 3},
		{name: "throttled", event: theTable, err: &smithy.GenericAPIError{Code: "ThrottlingException"}, tag: "retry ThrottlingException", asked: 2},
		{name: "no permission", event: theTable, err: &smithy.GenericAPIError{Code: "AccessDeniedException"}, tag: "failed late-unverified", asked: 2},
		{name: "no permission, of a slow table", event: theTable, err: &smithy.GenericAPIError{Code: "AccessDeniedException"}, ours: true, tag: "tagged", asked: 2},

		{name: "a second call answered with the queue", event: theQueue, calls: []recorded{call("2", "sqs", "CreateQueue", later, `{"queueName":"t"}`, `{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/t"}`, ""), createQueue}, tag: "tagged", asked: 2},
		{name: "deleted by its URL", event: theQueue, calls: []recorded{call("2", "sqs", "DeleteQueue", later, `{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/t"}`, "null", ""), createQueue}, tag: "skipped superseded", asked: 2},
		{name: "a service of another cluster is deleted", event: decoded(t, "1", "ecs", "CreateService", made, `{"cluster":"a","serviceName":"t"}`, fmt.Sprintf(service, "a")), calls: []recorded{call("2", "ecs", "DeleteService", later, `{"cluster":"b","service":"t"}`, fmt.Sprintf(service, "b"), "t"), createService}, tag: "tagged", asked: 2},
		{name: "a service is deleted", event: decoded(t, "1", "ecs", "CreateService", made, `{"cluster":"a","serviceName":"t"}`, fmt.Sprintf(service, "a")), calls: []recorded{call("2", "ecs", "DeleteService", later, `{"cluster":"a","service":"t"}`, fmt.Sprintf(service, "a"), "t"), createService}, tag: "skipped superseded", asked: 2},

		{name: "AWS chose its id", event: decoded(t, "1", "kms", "CreateKey", made, `{"description":"x"}`, key), tag: "tagged"},
		{name: "AWS chose its id, and it is gone", event: decoded(t, "1", "ec2", "CreateVolume", made, `{"size":"8"}`, volume), calls: []recorded{call("2", "ec2", "DeleteVolume", later, volume, "null", "vol-0a1b2c3d4e5f60718"), call("1", "ec2", "CreateVolume", made, "{}", volume, "vol-0a1b2c3d4e5f60718")}, tag: "skipped superseded", asked: 1},
		{name: "AWS chose its id, and it isn't ready", event: decoded(t, "1", "ec2", "CreateVolume", made, `{"size":"8"}`, volume), tag: "retry", asked: 2},

		{name: "a bucket", event: theBucket, calls: []recorded{createBucket}, tag: "tagged", cors: "put", asked: 3},
		{name: "a deleted bucket", event: theBucket, calls: []recorded{call("2", "s3", "DeleteBucket", later, `{"bucketName":"t"}`, "null", "t"), createBucket}, tag: "skipped superseded", cors: "skipped superseded", asked: 3},
		{name: "a bucket whose rules were removed", event: theBucket, calls: []recorded{call("2", "s3", "DeleteBucketCors", later, `{"bucketName":"t"}`, "null", "t"), createBucket}, tag: "tagged", cors: "skipped superseded", asked: 3},
		{name: "a bucket whose rules were removed, of a slow one", event: theBucket, calls: []recorded{call("2", "s3", "DeleteBucketCors", later, `{"bucketName":"t"}`, "null", "t"), createBucket}, ours: true, tag: "tagged", cors: "skipped superseded", asked: 3},
		{name: "another bucket's rules were removed", event: theBucket, calls: []recorded{call("2", "s3", "DeleteBucketCors", later, `{"bucketName":"u"}`, "null", "u"), createBucket}, tag: "tagged", cors: "put", asked: 3},
		{name: "a bucket whose policy was removed", event: theBucket, calls: []recorded{call("2", "s3", "DeleteBucketPolicy", later, `{"bucketName":"t"}`, "null", "t"), createBucket}, tag: "tagged", cors: "put", asked: 3},
		{name: "a bucket that isn't known", event: theBucket, tag: "failed late-unverified", cors: "failed late-unverified", asked: 5},
		{name: "a bucket that isn't known, but was in hand", event: theBucket, ours: true, tag: "tagged", cors: "failed late-unverified", asked: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &past{calls: c.calls, most: 9, err: c.err}
			line := p.line()
			rec := cloudtrail.Record{N: 1, Event: c.event, Received: noon}
			if c.ours {
				rec.Received = c.event.Time.Add(time.Minute)
			}
			r := line.Run(t.Context(), []cloudtrail.Record{rec})[0]
			if len(r.Resources) != 1 {
				t.Fatalf("%+v", r.Plan)
			}
			tag, cors := r.Resources[0].Tag, ""
			if got := r.Resources[0].CORS; got != nil {
				cors = strings.TrimSpace(string(got.Outcome) + " " + got.Why)
			}
			if got := strings.TrimSpace(string(tag.Outcome) + " " + tag.Why); got != c.tag || cors != c.cors || len(p.asked) != c.asked {
				t.Errorf("the tag is %s and CORS %q, asked was %q; want %s, %q, %d questions", got, cors, p.asked, c.tag, c.cors, c.asked)
			}
			if c.event.Source != "ec2.amazonaws.com" && (len(p.tagged) > 0 != (c.tag == "tagged") || len(p.cors) > 0 != (c.cors == "put")) {
				t.Errorf("applied was %v, %v", p.tagged, p.cors)
			}
		})
	}
}

// TestLateAsksOnce: what many events of a batch want to know is asked for once, since
// the earliest of them.
func TestLateAsksOnce(t *testing.T) {
	t.Parallel()
	p := &past{}
	line := p.line()
	var records []cloudtrail.Record
	for i := range 100 {
		at, name := noon.Add(-3*time.Hour+time.Duration(i)*time.Minute), fmt.Sprint("t", i)
		records = append(records, cloudtrail.Record{N: i + 1, Event: table(t, fmt.Sprint(i), name, at)})
		p.calls = slices.Insert(p.calls, 0, call(fmt.Sprint(i), "dynamodb", "CreateTable", at, `{"tableName":"`+name+`"}`, "null", ""))
	}
	for i, r := range line.Run(t.Context(), records) {
		if got := r.Resources[0].Tag; got.Outcome != apply.Tagged {
			t.Errorf("event %d: %+v", i, got)
		}
	}
	if len(p.asked) != 2 {
		t.Errorf("asked was %q", p.asked)
	}
}

// TestLateHoldsUpNoOther: fresh events are applied before any history is asked for, and
// what isn't known in half of the time comes again with a pause.
func TestLateHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	p := &past{hangs: true}
	line := p.line()
	var records []cloudtrail.Record
	for i := range 20 {
		at := noon.Add(-time.Minute)
		if i%2 == 0 {
			at = noon.Add(-5 * time.Hour)
		}
		records = append(records, cloudtrail.Record{N: i + 1, Event: table(t, fmt.Sprint(i), fmt.Sprint("t", i), at)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	results := line.Run(ctx, records)
	if ctx.Err() != nil {
		t.Error("all of the time is used up")
	}
	for i, r := range results {
		got := r.Resources[0].Tag
		if i%2 == 1 && got.Outcome != apply.Tagged || i%2 == 0 && (got.Outcome != apply.Retry || got.Why != pipeline.WhyHistory) {
			t.Errorf("event %d: %+v", i, got)
		}
	}
	if len(p.tagged) != 10 || slices.ContainsFunc(p.tagged, func(arn string) bool { return strings.HasSuffix(arn, "/t0") }) {
		t.Errorf("tagged are %v", p.tagged)
	}
}
