package apply_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"autotagger/internal/apply"
)

const bucketARN = "arn:aws:s3:::my.bucket"

// TestBucketPaths: which of S3's two ways a bucket is tagged by.
func TestBucketPaths(t *testing.T) {
	t.Parallel()
	none := map[string]string{}
	for name, c := range map[string]struct {
		control answer
		stands  map[string]string
		want    apply.Outcome
		why     string
		puts    int
	}{
		"single tags":                  {answer{Status: 204, Body: ""}, none, apply.Tagged, "", 0},
		"nothing to do":                {answer{Status: 204, Body: ""}, map[string]string{"creator": "bob"}, apply.Unchanged, "", 0},
		"denied is final":              {refuseXML(403, "AccessDenied"), none, apply.Denied, "AccessDenied", 0},
		"a bad tag is final":           {refuseXML(400, "InvalidTag"), none, apply.Failed, "InvalidTag", 0},
		"trouble is for later":         {refuseXML(503, "SlowDown"), none, apply.Retry, "SlowDown", 0},
		"unknown operation":            {refuseXML(405, "MethodNotAllowed"), none, apply.Tagged, "", 1},
		"not implemented":              {refuseS3(501, "NotImplemented"), none, apply.Tagged, "", 1},
		"a path that nobody serves":    {answer{Status: 404, Body: "<html>not found</html>"}, none, apply.Tagged, "", 1},
		"a path taken for an object's": {refuseS3(404, "NoSuchBucket"), none, apply.Tagged, "", 1},
	} {
		b := &bucketServer{tags: c.stands, control: c.control}
		e := script(t, b.reply(t))
		got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(bucketARN, "s3")})[0]
		if got.Outcome != c.want || got.Why != c.why {
			t.Errorf("%s: %+v", name, got)
		}
		puts := 0
		for _, a := range e.all() {
			if a.Method == "PUT" {
				puts++
			}
			if strings.HasPrefix(a.Path, "/v20180820") && (a.Path != "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Amy.bucket" ||
				!strings.Contains(a.Body, "<Tags><Tag><Key>creator</Key><Value>alice</Value></Tag></Tags>")) {
				t.Errorf("%s: %s %s", name, a.Path, a.Body)
			}
		}
		if puts != c.puts {
			t.Errorf("%s: %d puts", name, puts)
		}
	}
}

// TestBucketReads: only NoSuchTagSet means that a bucket has no tags.
func TestBucketReads(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]apply.Outcome{
		"NoSuchBucket": apply.Retry, "AccessDenied": apply.Denied, "InternalError": apply.Retry, "InvalidRequest": apply.Failed,
	} {
		status := map[string]int{"NoSuchBucket": 404, "AccessDenied": 403, "InternalError": 500, "InvalidRequest": 400}[code]
		e := script(t, func(asked) answer { return refuseS3(status, code) })
		got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(bucketARN, "s3")})[0]
		if got.Outcome != want || got.Why != code {
			t.Errorf("%s: %+v", code, got)
		}
		for _, a := range e.all() {
			if a.Method != "GET" {
				t.Errorf("%s: %s %s", code, a.Method, a.Path)
			}
		}
	}
}

func TestBucketsLeftAlone(t *testing.T) {
	t.Parallel()
	e := script(t, func(asked) answer { return ok })
	a := apply.New(e.config(), options())
	rules := []apply.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}}}
	for arn, want := range map[string]apply.Result{
		"arn:aws:s3express:us-east-1:" + account + ":bucket/b--use1-az4--x-s3": {Outcome: apply.Skipped, Why: apply.WhyDirectoryBucket},
		"arn:aws:s3:::b--use1-az4--x-s3":                                       {Outcome: apply.Skipped, Why: apply.WhyDirectoryBucket},
		"arn:aws:s3:::b/key":                                                   {Outcome: apply.Failed, Why: apply.WhyBadARN},
		"arn:aws:s3:::":                                                        {Outcome: apply.Failed, Why: apply.WhyBadARN},
	} {
		if got := a.Tag(t.Context(), []apply.Request{request(arn, "s3")})[0]; got.Outcome != want.Outcome || got.Why != want.Why {
			t.Errorf("tagging %s: %+v", arn, got)
		}
		if got := a.PutCORS(t.Context(), []apply.CORSRequest{{Bucket: arn, Region: region, Rules: rules}})[0]; string(got.Outcome) != string(want.Outcome) || got.Why != want.Why {
			t.Errorf("CORS of %s: %+v", arn, got)
		}
	}
	if len(e.all()) != 0 {
		t.Errorf("%d calls", len(e.all()))
	}
}

// TestABAC: a bucket with ABAC enabled refuses PutBucketTagging.
func TestABAC(t *testing.T) {
	t.Parallel()
	b := &bucketServer{control: refuseS3(501, "NotImplemented")}
	reply := b.reply(t)
	e := script(t, func(a asked) answer {
		if a.Method == "PUT" {
			return refuseS3(400, "InvalidRequest")
		}
		return reply(a)
	})
	if got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(bucketARN, "s3")})[0]; got.Outcome != apply.Failed || got.Why != "InvalidRequest" {
		t.Errorf("%+v", got)
	}
}

// TestPutRepeatsWithItsRead: a put whose answer is lost isn't sent again over
// what came after it.
func TestPutRepeatsWithItsRead(t *testing.T) {
	t.Parallel()
	b := &bucketServer{tags: map[string]string{"aws:cloudformation:stack-name": "s", "owner": "x"}, control: refuseS3(501, "NotImplemented")}
	reply := b.reply(t)
	lost := false
	e := script(t, func(a asked) answer {
		out := reply(a)
		if a.Method == "PUT" && !lost {
			lost = true
			b.mu.Lock()
			defer b.mu.Unlock()
			b.tags["theirs"] = "1"
			return answer{Status: 500, Body: "<Error><Code>InternalError</Code></Error>"}
		}
		return out
	})
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(bucketARN, "s3")})[0]
	want := map[string]string{"aws:cloudformation:stack-name": "s", "owner": "x", "theirs": "1", "creator": "alice"}
	if got.Outcome != apply.Tagged || !maps.Equal(b.tags, want) {
		t.Errorf("%+v, the bucket has %v", got, b.tags)
	}
}

// TestMergeKeepsTags has other writers act between any two requests of a merge.
// They add tags, change values, and put whole sets that they worked out from
// an old read. Whatever they do:
//
//   - our tag stands in the end, or a writer's value for its key;
//   - what stood at first, and what was added at any moment but one, stands
//     with its newest value. The one moment is between our read and the put
//     that follows it: S3 has no conditional write, so that nobody can tell.
func TestMergeKeepsTags(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "aws:x", "owner"}), rapid.SampledFrom([]string{"1", "2"}), 0, 4).Draw(t, "first")
		type act struct {
			n          int // before our nth request
			key, value string
			stale      bool // puts what it read at first, and its own tag
		}
		var acts []act
		for i := range rapid.IntRange(0, 3).Draw(t, "writers") {
			acts = append(acts, act{
				n:     rapid.IntRange(1, 8).Draw(t, "at"),
				key:   rapid.SampledFrom([]string{"a", "w", "creator", fmt.Sprint("own", i)}).Draw(t, "key"),
				value: fmt.Sprint("w", i),
				stale: rapid.Bool().Draw(t, "stale"),
			})
		}
		b := &bucketServer{tags: maps.Clone(first), control: refuseS3(501, "NotImplemented")}
		want, lossy := maps.Clone(first), map[string]bool{}
		if want == nil {
			want = map[string]string{}
		}
		acted := 0
		b.onAsked = func(op string, n int) {
			for _, w := range acts {
				if w.n != n {
					continue
				}
				acted++
				// A put of ours comes next, made from an older read.
				window := op == "PUT tagging"
				if w.stale {
					b.tags = maps.Clone(first)
					if b.tags == nil {
						b.tags = map[string]string{}
					}
				}
				b.tags[w.key] = w.value
				want[w.key] = w.value
				if window || w.stale {
					// In the window it may be lost; a stale put loses what
					// others changed, by its own fault, before we could see it.
					lossy[w.key] = true
					if w.stale {
						for k := range want {
							lossy[k] = true
						}
						lossy[w.key] = window
					}
				}
			}
		}
		e := script(t, b.reply(t))
		got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(bucketARN, "s3")})[0]
		switch got.Outcome {
		case apply.Tagged, apply.Unchanged:
			if _, stands := b.tags["creator"]; !stands {
				t.Fatalf("%+v, but the bucket has %v", got, b.tags)
			}
		default:
			t.Fatalf("%+v", got)
		}
		for k, v := range want {
			if have, stands := b.tags[k]; !stands && !lossy[k] {
				t.Fatalf("%s=%s is lost: %v after %+v", k, v, b.tags, acts)
			} else if stands && have != v && !lossy[k] {
				t.Fatalf("%s is %s, want %s: %+v", k, have, v, acts)
			}
		}
		// What stood at first is never lost, whoever puts what.
		for k := range first {
			if _, stands := b.tags[k]; !stands {
				t.Fatalf("%s, which stood at first, is lost: %v after %+v", k, b.tags, acts)
			}
		}
	})
}

// TestPutBack: a writer that puts a set without ours, or without what it never
// read, is followed by a repair of both.
func TestPutBack(t *testing.T) {
	t.Parallel()
	b := &bucketServer{tags: map[string]string{"owner": "x"}, control: refuseS3(501, "NotImplemented")}
	b.onAsked = func(_ string, n int) {
		if n == 4 { // after our read, read and put: before the read back
			b.tags = map[string]string{"theirs": "1"}
		}
	}
	e := script(t, b.reply(t))
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(bucketARN, "s3")})[0]
	if want := map[string]string{"owner": "x", "theirs": "1", "creator": "alice"}; got.Outcome != apply.Tagged || !maps.Equal(b.tags, want) {
		t.Errorf("%+v, the bucket has %v", got, b.tags)
	}
}

// TestMergeGivesUp: a writer that never lets go is left to a later try.
func TestMergeGivesUp(t *testing.T) {
	t.Parallel()
	b := &bucketServer{control: refuseS3(501, "NotImplemented")}
	b.onAsked = func(op string, _ int) {
		if op == "GET tagging" {
			b.tags = map[string]string{"theirs": "1"}
		}
	}
	e := script(t, b.reply(t))
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(bucketARN, "s3")})[0]
	if got.Outcome != apply.Retry || got.Why != "OperationAborted" || len(e.all()) > 20 {
		t.Errorf("%+v after %d calls", got, len(e.all()))
	}
}

// TestS3Control: what S3 has beside buckets is read and written through S3
// Control alone.
func TestS3Control(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tags string
		want apply.Outcome
		post int
	}{
		"none":     {"", apply.Tagged, 1},
		"others'":  {"<Tag><Key>team</Key><Value>web</Value></Tag>", apply.Tagged, 1},
		"the same": {"<Tag><Key>creator</Key><Value>bob</Value></Tag>", apply.Unchanged, 0},
	} {
		e := script(t, func(a asked) answer {
			if a.Path != "/v20180820/tags/arn%3Aaws%3As3%3Aus-east-1%3A123456789012%3Aaccesspoint%2Fap" {
				return refuseXML(404, "NoSuchResource")
			}
			return answer{Status: 200, Body: "<ListTagsForResourceResult><Tags>" + c.tags + "</Tags></ListTagsForResourceResult>"}
		})
		got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(arnOf("s3", "accesspoint/ap"), "s3")})[0]
		post := 0
		for _, a := range e.all() {
			if a.Method == "POST" {
				post++
				if !strings.Contains(a.Body, "<Tags><Tag><Key>creator</Key><Value>alice</Value></Tag></Tags>") {
					t.Errorf("%s: %s", name, a.Body)
				}
			}
		}
		if got.Outcome != c.want || post != c.post {
			t.Errorf("%s: %+v with %d writes", name, got, post)
		}
	}
}

// TestAlarmHistory: an alarm is tagged only where its history shows that the call
// created it.
func TestAlarmHistory(t *testing.T) {
	t.Parallel()
	item := func(kind string) string {
		return "<member><HistoryData>{&quot;version&quot;:&quot;1.0&quot;,&quot;type&quot;:&quot;" + kind + "&quot;}</HistoryData></member>"
	}
	for name, c := range map[string]struct {
		items string
		age   time.Duration
		want  apply.Outcome
		why   string
	}{
		"created":            {item("Create"), time.Hour, apply.Tagged, ""},
		"created, changed":   {item("Update") + item("Create"), time.Hour, apply.Tagged, ""},
		"changed":            {item("Update"), time.Hour, apply.Skipped, apply.WhyExisted},
		"nothing yet":        {"", time.Minute, apply.Retry, "HistoryLags"},
		"nothing, and later": {"", time.Hour, apply.Skipped, apply.WhyExisted},
	} {
		e := script(t, func(a asked) answer {
			if a.Op == "DescribeAlarmHistory" {
				if a.Form.Get("AlarmName") != "high cpu" || a.Form.Get("HistoryItemType") != "ConfigurationUpdate" {
					return refuseXML(400, "InvalidParameterValue")
				}
				return answer{Status: 200, Body: "<DescribeAlarmHistoryResponse><DescribeAlarmHistoryResult><AlarmHistoryItems>" + c.items +
					"</AlarmHistoryItems></DescribeAlarmHistoryResult></DescribeAlarmHistoryResponse>"}
			}
			if a.Op == "GetResources" {
				return mapping(nil)
			}
			return failures(nil)
		})
		r := request(arnOf("cloudwatch", "alarm:high cpu"), "tagging")
		r.Calls, r.LookUp, r.Upsert, r.EventTime = nil, "alarm-history", true, today.Add(-c.age)
		got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{r})[0]
		if got.Outcome != c.want || got.Why != c.why {
			t.Errorf("%s: %+v", name, got)
		}
		if writes := e.count("TagResources"); (writes > 0) != (c.want == apply.Tagged) {
			t.Errorf("%s: %d writes", name, writes)
		}
	}
}
