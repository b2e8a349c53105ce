package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// past is an account's history and what was applied meanwhile.
type past struct {
	records map[string][]string // by the call's name
	asked   []string
	whole   bool
	err     error
	tagged  []string
	cors    []string
}

func (p *past) History(_ context.Context, account, partition, region, name string, since time.Time) ([]string, bool, error) {
	p.asked = append(p.asked, strings.Join([]string{account, partition, region, name, since.UTC().Format(time.RFC3339)}, " "))
	return p.records[name], p.whole, p.err
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

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func record(id, source, name string, at time.Time, request, response string) string {
	return fmt.Sprintf(`{"eventID":%q,"eventSource":"%s.amazonaws.com","eventName":%q,"eventTime":%q,"eventType":"AwsApiCall","managementEvent":true,"awsRegion":"eu-west-1","recipientAccountId":"111122223333","readOnly":false,"userIdentity":{"type":"IAMUser","userName":"alice"},"requestParameters":%s,"responseElements":%s}`,
		id, source, name, at.Format(time.RFC3339), request, response)
}

func table(id, name string, at time.Time) string {
	return record(id, "dynamodb", "CreateTable", at, `{"tableName":"`+name+`"}`, `{"tableDescription":{"tableArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/`+name+`"}}`)
}

func bucket(id, name string, at time.Time) string {
	return record(id, "s3", "CreateBucket", at, `{"bucketName":"`+name+`","CreateBucketConfiguration":{"LocationConstraint":"eu-west-1"}}`, "null")
}

func volume(id string, at time.Time) string {
	return record(id, "ec2", "CreateVolume", at, `{"size":"8","zone":"eu-west-1a"}`, `{"volumeId":"vol-0123456789abcdef0"}`)
}

// TestLate: an old event doesn't speak for what was made anew under its name.
func TestLate(t *testing.T) {
	t.Parallel()
	hourAgo, halfAgo := noon.Add(-time.Hour), noon.Add(-30*time.Minute)
	failed := strings.Replace(table("2", "t", halfAgo), `"eventID"`, `"errorCode":"ResourceInUseException","eventID"`, 1)
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException"}
	for _, c := range []struct {
		name, event string
		past        past
		tag, cors   string // outcome and why
		asked       int
	}{
		{"fresh", table("1", "t", noon.Add(-time.Minute)), past{whole: true}, "tagged", "", 0},
		{"late and alone", table("1", "t", hourAgo), past{whole: true, records: map[string][]string{"CreateTable": {table("3", "other", halfAgo), table("1", "t", hourAgo)}}}, "tagged", "", 1},
		{"made anew", table("1", "t", hourAgo), past{whole: true, records: map[string][]string{"CreateTable": {table("2", "t", halfAgo)}}}, "skipped superseded", "", 1},
		{"an attempt to", table("1", "t", hourAgo), past{whole: true, records: map[string][]string{"CreateTable": {failed}}}, "tagged", "", 1},
		{"an earlier one", table("1", "t", halfAgo), past{whole: true, records: map[string][]string{"CreateTable": {table("2", "t", hourAgo)}}}, "tagged", "", 1},
		{"nonsense in the history", table("1", "t", hourAgo), past{whole: true, records: map[string][]string{"CreateTable": {"", "{", `{"a":1}`}}}, "tagged", "", 1},
		{"more than is read", table("1", "t", hourAgo), past{records: map[string][]string{"CreateTable": {table("3", "other", halfAgo)}}}, "skipped late-unverified", "", 1},
		{"no history", table("1", "t", hourAgo), past{err: throttled}, "retry ThrottlingException", "", 1},
		{"no permission", table("1", "t", hourAgo), past{err: &smithy.GenericAPIError{Code: "AccessDeniedException"}}, "denied AccessDeniedException", "", 1},
		{"an id that doesn't come again", volume("1", hourAgo), past{whole: true}, "tagged", "", 0},
		{"a bucket", bucket("1", "b", hourAgo), past{whole: true}, "tagged", "put", 2},
		{"a bucket made anew", bucket("1", "b", hourAgo), past{whole: true, records: map[string][]string{"CreateBucket": {bucket("2", "b", halfAgo)}}}, "skipped superseded", "skipped superseded", 2},
		{"a bucket whose rules were removed", bucket("1", "b", hourAgo), past{whole: true, records: map[string][]string{
			"DeleteBucketCors": {record("2", "s3", "DeleteBucketCors", halfAgo, `{"bucketName":"b"}`, "null")},
		}}, "tagged", "skipped superseded", 2},
		{"rules of another", bucket("1", "b", hourAgo), past{whole: true, records: map[string][]string{
			"DeleteBucketCors": {record("2", "s3", "DeleteBucketCors", halfAgo, `{"bucketName":"bb"}`, "null")},
		}}, "tagged", "put", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &c.past
			line := pipeline.Pipeline{
				Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}, Applier: p, Tag: true, CORS: true,
				Late: &pipeline.Late{Historian: p, Now: func() time.Time { return noon }},
			}
			e, err := cloudtrail.Decode(c.event)
			if err != nil {
				t.Fatal(err)
			}
			r := line.Run(t.Context(), []cloudtrail.Record{{N: 1, Event: e}})[0]
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
			if p.err != nil && !errors.Is(tag.Err, p.err) {
				t.Errorf("the error is %v", tag.Err)
			}
		})
	}
}

// TestLateAsksOnce: one question serves all events of a call.
func TestLateAsksOnce(t *testing.T) {
	t.Parallel()
	p := &past{whole: true}
	line := pipeline.Pipeline{
		Planner: &plan.Planner{Catalogue: catalogue.Default(), Policy: policy.Default()}, Applier: p, Tag: true,
		Late: &pipeline.Late{Historian: p, Now: func() time.Time { return noon }},
	}
	var records []cloudtrail.Record
	for i := range 50 {
		e, err := cloudtrail.Decode(table(fmt.Sprint(i), fmt.Sprint("t", i), noon.Add(-time.Hour-time.Duration(i)*time.Minute)))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, cloudtrail.Record{N: i + 1, Event: e})
	}
	line.Run(t.Context(), records)
	if want := []string{"111122223333 aws eu-west-1 CreateTable 2026-11-22T10:11:00Z"}; !slices.Equal(p.asked, want) || len(p.tagged) != 50 {
		t.Errorf("asked was %v, and %d tables are tagged", p.asked, len(p.tagged))
	}
}
