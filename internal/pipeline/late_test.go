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

// past is accounts' history, and what was applied meanwhile.
type past struct {
	calls map[string][]apply.Past // by the resource's name
	err   error
	hangs bool // it doesn't answer before its time is up

	mu     sync.Mutex
	asked  []string
	tagged []string
	cors   []string
}

func (p *past) History(ctx context.Context, account, partition, region, resource string, since time.Time) ([]apply.Past, error) {
	if p.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, strings.Join([]string{account, partition, region, resource, since.UTC().Format(time.RFC3339)}, " "))
	return p.calls[resource], p.err
}

func (p *past) Tag(_ context.Context, reqs []apply.Request) []apply.Result {
	out := make([]apply.Result, len(reqs))
	for i, r := range reqs {
		p.tagged = append(p.tagged, r.ARN)
		out[i].Outcome = apply.Tagged
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
	e, err := cloudtrail.Decode(fmt.Sprintf(`{"eventID":%q,"eventSource":"%s.amazonaws.com","eventName":%q,"eventTime":%q,"eventType":"AwsApiCall","managementEvent":true,"awsRegion":"eu-west-1","recipientAccountId":"111122223333","readOnly":false,"userIdentity":{"type":"IAMUser","userName":"alice"},"requestParameters":%s,"responseElements":%s}`,
		id, source, name, at.Format(time.RFC3339), request, response))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func table(t *testing.T, id, name string, at time.Time) *cloudtrail.Event {
	return decoded(t, id, "dynamodb", "CreateTable", at, `{"tableName":"`+name+`"}`, `{"tableDescription":{"tableArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/`+name+`"}}`)
}

// TestLate: an old event doesn't speak for what was deleted since.
func TestLate(t *testing.T) {
	t.Parallel()
	made, later := noon.Add(-3*time.Hour), noon.Add(-2*time.Hour)
	theTable := table(t, "1", "t", made)
	bucket := decoded(t, "1", "s3", "CreateBucket", made, `{"bucketName":"t","CreateBucketConfiguration":{"LocationConstraint":"eu-west-1"}}`, "null")
	function := decoded(t, "1", "lambda", "CreateFunction20150331", made, `{"functionName":"t"}`, `{"functionName":"t","functionArn":"arn:aws:lambda:eu-west-1:111122223333:function:t"}`)
	const arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/t"
	call := func(id, source, name string, at time.Time) apply.Past {
		return apply.Past{ID: id, Source: source + ".amazonaws.com", Name: name, At: at}
	}
	own := func(source, name string) apply.Past { return call("1", source, name, made) }
	failed := call("2", "dynamodb", "DeleteTable", later)
	failed.Failed = true
	for _, c := range []struct {
		name      string
		event     *cloudtrail.Event
		key       string // under which CloudTrail has the resource
		calls     []apply.Past
		err       error
		tag, cors string // outcome and why
		asked     int
	}{
		{"fresh", table(t, "1", "t", noon.Add(-time.Minute)), "t", nil, nil, "tagged", "", 0},
		{"late", theTable, "t", []apply.Past{own("dynamodb", "CreateTable")}, nil, "tagged", "", 1},
		{"deleted", theTable, "t", []apply.Past{call("2", "dynamodb", "DeleteTable", later), own("dynamodb", "CreateTable")}, nil, "skipped superseded", "", 1},
		{"known by its ARN", theTable, arn, []apply.Past{call("2", "dynamodb", "DeleteTable", later), own("dynamodb", "CreateTable")}, nil, "skipped superseded", "", 2},
		{"not known", theTable, "", nil, nil, "tagged", "", 2},
		{"made again without a deletion", theTable, "t", []apply.Past{call("2", "dynamodb", "CreateTable", later), own("dynamodb", "CreateTable")}, nil, "tagged", "", 1},
		{"an attempt to delete", theTable, "t", []apply.Past{failed, own("dynamodb", "CreateTable")}, nil, "tagged", "", 1},
		{"deleted before", theTable, "t", []apply.Past{call("2", "dynamodb", "DeleteTable", made.Add(-time.Minute)), own("dynamodb", "CreateTable")}, nil, "tagged", "", 1},
		{"another service's deletion", theTable, "t", []apply.Past{call("2", "rds", "DeleteTable", later), own("dynamodb", "CreateTable")}, nil, "tagged", "", 1},
		{"another thing's deletion", theTable, "t", []apply.Past{call("2", "dynamodb", "DeleteTableReplica", later), own("dynamodb", "CreateTable")}, nil, "tagged", "", 1},
		{"a dated name", function, "t", []apply.Past{call("2", "lambda", "DeleteFunction20150331", later), own("lambda", "CreateFunction20150331")}, nil, "skipped superseded", "", 1},
		{"throttled", theTable, "t", nil, &smithy.GenericAPIError{Code: "ThrottlingException"}, "retry ThrottlingException", "", 1},
		{"no permission", theTable, "t", nil, &smithy.GenericAPIError{Code: "AccessDeniedException"}, "tagged", "", 1},
		{"a bucket", bucket, "t", []apply.Past{own("s3", "CreateBucket")}, nil, "tagged", "put", 1},
		{"a deleted bucket", bucket, "t", []apply.Past{call("2", "s3", "DeleteBucket", later), own("s3", "CreateBucket")}, nil, "skipped superseded", "skipped superseded", 1},
		{"a bucket whose rules were removed", bucket, "t", []apply.Past{call("2", "s3", "DeleteBucketCors", later), own("s3", "CreateBucket")}, nil, "tagged", "skipped superseded", 1},
		{"a bucket whose policy was removed", bucket, "t", []apply.Past{call("2", "s3", "DeleteBucketPolicy", later), own("s3", "CreateBucket")}, nil, "tagged", "put", 1},
		{"a bucket that isn't known", bucket, "", nil, nil, "tagged", "failed late-unverified", 2},
		{"a bucket without permission", bucket, "t", nil, &smithy.GenericAPIError{Code: "AccessDeniedException"}, "tagged", "failed late-unverified", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &past{calls: map[string][]apply.Past{c.key: c.calls}, err: c.err}
			line := p.line()
			r := line.Run(t.Context(), []cloudtrail.Record{{N: 1, Event: c.event}})[0]
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
			if len(p.tagged) > 0 != (c.tag == "tagged") || len(p.cors) > 0 != (c.cors == "put") {
				t.Errorf("applied was %v, %v", p.tagged, p.cors)
			}
		})
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
