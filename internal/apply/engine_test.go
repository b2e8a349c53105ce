package apply_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"autotagger/internal/apply"
)

// TestHundredTables is one creator's batch: the tagging API's quota is five
// calls a second, so that calls decide the throughput.
func TestHundredTables(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		if n := len(a.arns()); n > 20 {
			t.Errorf("%s of %d ARNs", a.Op, n)
		}
		return failures(nil)
	})
	var reqs []apply.Request
	for i := range 100 {
		reqs = append(reqs, request(table(i), "tagging"))
	}
	for i, r := range apply.New(e.config(), options()).Tag(t.Context(), reqs) {
		if r.Outcome != apply.Tagged || r.Written["creator"] != "alice" {
			t.Errorf("table %d: %+v", i, r)
		}
	}
	if reads, writes := e.count("GetResources"), e.count("TagResources"); reads != 1 || writes != 5 || len(e.all()) != 6 {
		t.Errorf("100 tables took %d reads, %d writes, %d calls", reads, writes, len(e.all()))
	}
}

// TestFailedResources: what the answer says of one ARN is that ARN's alone.
func TestFailedResources(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		return failures(map[string]string{
			table(1): "AccessDeniedException",
			table(2): "ResourceNotFoundException",
			table(3): "ThrottlingException",
			table(4): "ValidationException",
		})
	})
	var reqs []apply.Request
	for i := range 6 {
		reqs = append(reqs, request(table(i), "tagging"))
	}
	got := apply.New(e.config(), options()).Tag(t.Context(), reqs)
	want := []apply.Outcome{apply.Tagged, apply.Denied, apply.Retry, apply.Retry, apply.Failed, apply.Tagged}
	for i := range want {
		if got[i].Outcome != want[i] {
			t.Errorf("table %d: %+v, want %s", i, got[i], want[i])
		}
		if bad := want[i] != apply.Tagged; bad != (got[i].Err != nil) || bad != (got[i].Why != "") {
			t.Errorf("table %d: %+v", i, got[i])
		}
	}
	if got[1].Why != "AccessDeniedException" || !strings.HasPrefix(got[1].Err.Error(), "tagging "+table(1)+": ") {
		t.Errorf("table 1: %v", got[1].Err)
	}
}

// TestOneBadARN: an ARN that fails the whole call is found by halves.
func TestOneBadARN(t *testing.T) {
	t.Parallel()
	bad := arnOf("glue", "table/x/y") // no call of Glue's is known here
	for _, fresh := range []bool{true, false} {
		e := script(t, func(a asked) answer {
			if a.Op == "GetResources" {
				return mapping(map[string]map[string]string{bad: nil})
			}
			for _, arn := range a.arns() {
				if arn == bad {
					return refuse(400, "InvalidParameterException")
				}
			}
			return failures(nil)
		})
		var reqs []apply.Request
		for i := range 20 {
			reqs = append(reqs, request(table(i), "tagging"))
		}
		reqs[13].ARN, reqs[13].Calls = bad, nil
		if !fresh {
			reqs[13].EventTime = today.Add(-time.Hour)
		}
		for i, r := range apply.New(e.config(), options()).Tag(t.Context(), reqs) {
			want := apply.Tagged
			if i == 13 {
				if want = apply.Failed; fresh {
					want = apply.Retry // not known to the API yet, maybe
				}
			}
			if r.Outcome != want {
				t.Errorf("fresh %t, request %d: %+v, want %s", fresh, i, r, want)
			}
		}
		if n := e.count("TagResources"); n > 11 {
			t.Errorf("finding one of 20 took %d calls", n)
		}
	}
}

// TestUnservedType: what the tagging API doesn't serve goes through the
// service's own calls, after the service's own read.
func TestUnservedType(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"InternalServiceException", "InvalidParameterException"} {
		topic, unknown := arnOf("sns", "topic"), arnOf("glue", "job/x")
		optedOut, taken := arnOf("sns", "left-alone"), arnOf("sns", "taken")
		e := script(t, func(a asked) answer {
			switch a.Op {
			case "GetResources":
				return mapping(nil)
			case "TagResources":
				m := map[string]string{}
				for _, arn := range a.arns() {
					if !strings.Contains(arn, "dynamodb") {
						m[arn] = code
					}
				}
				return failures(m)
			case "ListTagsOfResource":
				return ok
			case "ListTagsForResource":
				tag := ""
				switch a.Form.Get("ResourceArn") {
				case optedOut:
					tag = "<member><Key>opt-out</Key><Value/></member>"
				case taken:
					tag = "<member><Key>creator</Key><Value>bob</Value></member>"
				}
				return answer{Status: 200, Body: "<R><ListTagsForResourceResult><Tags>" + tag + "</Tags></ListTagsForResourceResult></R>"}
			}
			return answer{Status: 200, Body: "<R/>"}
		})
		o := options()
		o.OptOut = func(tags map[string]string) bool { _, out := tags["opt-out"]; return out }
		got := apply.New(e.config(), o).Tag(t.Context(), []apply.Request{
			request(table(0), "tagging"), request(topic, "tagging"), request(optedOut, "tagging"), request(taken, "tagging"), request(unknown, "tagging"),
		})
		want := []apply.Outcome{apply.Tagged, apply.Tagged, apply.Skipped, apply.Unchanged, apply.Retry}
		for i := range want {
			if got[i].Outcome != want[i] {
				t.Errorf("%s, request %d: %+v, want %s", code, i, got[i], want[i])
			}
		}
		if n := e.count("TagResource"); n != 1 {
			t.Errorf("%s: %d own writes, want the topic's", code, n)
		}
	}
}

// TestSilence: GetResources proves tags present, never absent.
func TestSilence(t *testing.T) {
	t.Parallel()
	own := answer{Status: 200, Body: map[string]any{"Tags": []any{map[string]string{"Key": "creator", "Value": "bob"}}}}
	for name, c := range map[string]struct {
		n       int
		change  func(*apply.Request)
		token   string
		want    apply.Outcome
		ownRead int
	}{
		"a new resource":             {1, func(*apply.Request) {}, "", apply.Unchanged, 1},
		"few new ones":               {10, func(*apply.Request) {}, "", apply.Unchanged, 10},
		"many new ones":              {11, func(*apply.Request) {}, "", apply.Tagged, 0},
		"many old ones":              {11, func(r *apply.Request) { r.EventTime = today.Add(-time.Hour) }, "", apply.Unchanged, 11},
		"no time":                    {11, func(r *apply.Request) { r.EventTime = time.Time{} }, "", apply.Unchanged, 11},
		"few upserts":                {10, func(r *apply.Request) { r.Upsert = true }, "", apply.Unchanged, 10},
		"many upserts":               {11, func(r *apply.Request) { r.Upsert = true }, "", apply.Tagged, 0},
		"many old upserts":           {11, func(r *apply.Request) { r.Upsert, r.EventTime = true, today.Add(-time.Hour) }, "", apply.Unchanged, 11},
		"an answer that isn't whole": {11, func(*apply.Request) {}, "more", apply.Unchanged, 11},
	} {
		e := script(t, func(a asked) answer {
			switch a.Op {
			case "GetResources":
				return answer{Status: 200, Body: map[string]any{"PaginationToken": c.token, "ResourceTagMappingList": []any{}}}
			case "ListTagsOfResource":
				return own
			}
			return failures(nil)
		})
		var reqs []apply.Request
		for i := range c.n {
			r := request(table(i), "tagging")
			c.change(&r)
			reqs = append(reqs, r)
		}
		for _, got := range apply.New(e.config(), options()).Tag(t.Context(), reqs) {
			if got.Outcome != c.want {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if n := e.count("ListTagsOfResource"); n != c.ownRead {
			t.Errorf("%s: %d own reads, want %d", name, n, c.ownRead)
		}
	}
}

// TestSilenceAboutUpserts: of a burst, what may have been there before is asked for
// where it is little.
func TestSilenceAboutUpserts(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		switch a.Op {
		case "GetResources":
			return mapping(nil)
		case "ListTagsOfResource":
			return answer{Status: 200, Body: map[string]any{"Tags": []any{map[string]string{"Key": "creator", "Value": "bob"}}}}
		}
		return failures(nil)
	})
	var reqs []apply.Request
	for i := range 100 {
		reqs = append(reqs, request(table(i), "tagging"))
		reqs[i].Upsert = i%25 == 0
	}
	for i, got := range apply.New(e.config(), options()).Tag(t.Context(), reqs) {
		if want := map[bool]apply.Outcome{true: apply.Unchanged, false: apply.Tagged}[reqs[i].Upsert]; got.Outcome != want {
			t.Errorf("request %d: %+v, want %s", i, got, want)
		}
	}
	if n := e.count("ListTagsOfResource"); n != 4 {
		t.Errorf("%d own reads, want 4", n)
	}
}

// TestHostsCode: the tagging API passes on the codes of the resource's service, which
// may mean there what they mean nowhere else.
func TestHostsCode(t *testing.T) {
	t.Parallel()
	secret := arnOf("secretsmanager", "secret:s-AbCdEf")
	e := script(t, func(a asked) answer {
		switch a.Op {
		case "GetResources":
			return mapping(nil)
		case "DescribeSecret", "ListTagsOfResource", "ListTagsForResource":
			return ok
		}
		return failures(map[string]string{secret: "InvalidRequestException", table(0): "LimitExceededException", arnOf("logs", "log-group:g"): "LimitExceededException"})
	})
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(secret, "tagging"), request(table(0), "tagging"), request(arnOf("logs", "log-group:g"), "tagging")})
	for i, want := range []apply.Outcome{apply.Retry, apply.Retry, apply.Failed} {
		if got[i].Outcome != want {
			t.Errorf("request %d: %+v, want %s", i, got[i], want)
		}
	}
}

// TestNoTaggingAPI: an emulator may lack it, and the services' own calls do.
func TestNoTaggingAPI(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		switch a.Op {
		case "GetResources", "TagResources":
			return answer{Status: 501, Body: map[string]any{"__type": "InternalFailure"}}
		}
		return ok
	})
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(table(0), "tagging"), request(arnOf("unheard", "job/j"), "tagging")})
	if got[0].Outcome != apply.Tagged || e.count("TagResource") != 1 || e.count("ListTagsOfResource") != 1 {
		t.Errorf("%+v with %d reads and %d writes", got[0], e.count("ListTagsOfResource"), e.count("TagResource"))
	}
	if got[1].Outcome != apply.Retry {
		t.Errorf("%+v", got[1])
	}
}

// TestOwnReadRefused: tags that can't be read are not written over.
func TestOwnReadRefused(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		switch a.Op {
		case "GetResources":
			return mapping(nil)
		case "ListTagsOfResource":
			return refuse(400, "AccessDeniedException")
		}
		return failures(nil)
	})
	r := request(table(0), "tagging")
	r.Upsert = true
	if got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{r})[0]; got.Outcome != apply.Denied || e.count("TagResources") != 0 {
		t.Errorf("%+v with %d writes", got, e.count("TagResources"))
	}
}

// TestExisting walks through what may stand on a resource already.
func TestExisting(t *testing.T) {
	t.Parallel()
	many := func(n int, extra ...string) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("k%d", i)] = "v"
		}
		for _, k := range extra {
			m[k] = "v"
		}
		return m
	}
	for name, c := range map[string]struct {
		stands, known map[string]string
		replace       bool
		want          apply.Result
	}{
		"nothing":               {nil, nil, false, apply.Result{Outcome: apply.Tagged, Written: map[string]string{"creator": "alice"}}},
		"the same":              {map[string]string{"creator": "alice"}, nil, false, apply.Result{Outcome: apply.Unchanged, Standing: map[string]string{"creator": "alice"}}},
		"another value":         {map[string]string{"creator": "bob"}, nil, false, apply.Result{Outcome: apply.Unchanged, Standing: map[string]string{"creator": "bob"}}},
		"an empty value":        {map[string]string{"creator": ""}, nil, false, apply.Result{Outcome: apply.Unchanged, Standing: map[string]string{"creator": ""}}},
		"another case":          {map[string]string{"Creator": "bob"}, nil, false, apply.Result{Outcome: apply.Tagged, Written: map[string]string{"creator": "alice"}}},
		"replace another":       {map[string]string{"creator": "bob"}, nil, true, apply.Result{Outcome: apply.Tagged, Written: map[string]string{"creator": "alice"}}},
		"replace the same":      {map[string]string{"creator": "alice"}, nil, true, apply.Result{Outcome: apply.Unchanged, Standing: map[string]string{"creator": "alice"}}},
		"known":                 {nil, map[string]string{"creator": "bob"}, false, apply.Result{Outcome: apply.Unchanged, Standing: map[string]string{"creator": "bob"}}},
		"replace known":         {nil, map[string]string{"creator": "bob"}, true, apply.Result{Outcome: apply.Tagged, Written: map[string]string{"creator": "alice"}}},
		"opted out":             {map[string]string{"opt-out": "1"}, nil, false, apply.Result{Outcome: apply.Skipped, Why: apply.WhyOptOut}},
		"known to be opted out": {nil, map[string]string{"opt-out": "1"}, false, apply.Result{Outcome: apply.Skipped, Why: apply.WhyOptOut}},
		"full":                  {many(50), nil, false, apply.Result{Outcome: apply.Skipped, Why: apply.WhyTagLimit}},
		"almost full":           {many(49, "aws:cloudformation:stack-name", "aws:x"), nil, false, apply.Result{Outcome: apply.Tagged, Written: map[string]string{"creator": "alice"}}},
	} {
		e := script(t, func(a asked) answer {
			if a.Op == "GetResources" {
				return mapping(map[string]map[string]string{table(0): c.stands})
			}
			return failures(nil)
		})
		o := options()
		o.Replace = c.replace
		o.OptOut = func(tags map[string]string) bool { _, out := tags["opt-out"]; return out }
		r := request(table(0), "tagging")
		r.Known = c.known
		got := apply.New(e.config(), o).Tag(t.Context(), []apply.Request{r})[0]
		if got.Outcome != c.want.Outcome || got.Why != c.want.Why || !maps.Equal(got.Written, c.want.Written) || !maps.Equal(got.Standing, c.want.Standing) || got.Err != nil {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if wrote := e.count("TagResources") > 0; wrote != (c.want.Outcome == apply.Tagged) {
			t.Errorf("%s: wrote %t", name, wrote)
		}
		if strings.HasPrefix(name, "known") && len(e.all()) != 0 {
			t.Errorf("%s: %d calls, want none", name, len(e.all()))
		}
	}
}

// TestSameResource: requests for one resource are one read and one write.
func TestSameResource(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		return failures(nil)
	})
	later, first, other := request(table(0), "tagging"), request(table(0), "tagging"), request(table(0), "tagging")
	later.Tags = map[string]string{"creator": "bob"}
	first.EventTime = later.EventTime.Add(-time.Minute)
	other.Tags = map[string]string{"cost-center": "1"}
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{later, first, other})
	if got[0].Outcome != apply.Unchanged || got[0].Written != nil {
		t.Errorf("the later: %+v", got[0])
	}
	if got[1].Outcome != apply.Tagged || !maps.Equal(got[1].Written, map[string]string{"creator": "alice"}) {
		t.Errorf("the first: %+v", got[1])
	}
	if got[2].Outcome != apply.Tagged || !maps.Equal(got[2].Written, map[string]string{"cost-center": "1"}) {
		t.Errorf("the other: %+v", got[2])
	}
	if len(e.all()) != 3 {
		t.Errorf("%d calls, want a read, the service's own, and a write", len(e.all()))
	}
}

// TestApart: accounts, regions and different tags never share a call.
func TestApart(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		return failures(nil)
	})
	var reqs []apply.Request
	for i, where := range []string{"us-east-1", "eu-west-1"} {
		for j, who := range []string{"alice", "bob"} {
			for k, acct := range []string{"111122223333", "444455556666"} {
				r := request(fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/t%d%d%d", where, acct, i, j, k), "tagging")
				r.Region, r.Account, r.Tags = where, acct, map[string]string{"creator": who}
				reqs = append(reqs, r)
			}
		}
	}
	for i, r := range apply.New(e.config(), options()).Tag(t.Context(), reqs) {
		if r.Outcome != apply.Tagged || !maps.Equal(r.Written, reqs[i].Tags) {
			t.Errorf("%s: %+v", reqs[i].ARN, r)
		}
	}
	for _, a := range e.all() {
		if a.Op == "ListTagsOfResource" {
			continue // of one resource
		}
		accounts, regions := map[string]bool{}, map[string]bool{}
		for _, arn := range a.arns() {
			parts := strings.Split(arn, ":")
			accounts[parts[4]], regions[parts[3]] = true, true
		}
		if len(accounts) != 1 || len(regions) != 1 || !regions[a.Region] {
			t.Errorf("%s in %s of %v", a.Op, a.Region, a.arns())
		}
	}
	if r, w := e.count("GetResources"), e.count("TagResources"); r != 4 || w != 8 {
		t.Errorf("%d reads, %d writes", r, w)
	}
}

// TestThrottles: a throttle is retried, and shows in OnCall and in the outcome.
func TestThrottles(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	left := 2
	e := script(t, func(a asked) answer {
		mu.Lock()
		defer mu.Unlock()
		if left > 0 {
			left--
			return refuse(400, "ThrottlingException")
		}
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		return failures(nil)
	})
	var sent calls
	o := options()
	o.OnCall = sent.add
	a := apply.New(e.config(), o)
	if got := a.Tag(t.Context(), []apply.Request{request(table(0), "tagging")})[0]; got.Outcome != apply.Tagged {
		t.Errorf("after two throttles: %+v", got)
	}
	throttles := 0
	for _, c := range sent.take() {
		if c.Throttled {
			throttles++
		}
		if c.Operation == "ListTagsOfResource" {
			continue // where the tagging API is silent
		}
		if c.Service != "Resource Groups Tagging API" || c.Account != account || c.Region != region || c.Write != (c.Operation == "TagResources") || (c.ErrorCode != "") != c.Throttled {
			t.Errorf("%+v", c)
		}
	}
	if throttles != 2 {
		t.Errorf("%d throttles", throttles)
	}
	mu.Lock()
	left = 100
	mu.Unlock()
	if got := a.Tag(t.Context(), []apply.Request{request(table(0), "tagging")})[0]; got.Outcome != apply.Retry || got.Why != "ThrottlingException" {
		t.Errorf("after throttles only: %+v", got)
	}
}

// TestPace: more calls than the quota of five a second take their time rather
// than throttles, and none is lost.
func TestPace(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	tokens, last := 5.0, time.Now()
	throttles := 0
	e := script(t, func(a asked) answer {
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		tokens, last = min(5, tokens+5*now.Sub(last).Seconds()), now
		if tokens < 0.9 { // the network's jitter
			throttles++
			return refuse(400, "ThrottlingException")
		}
		tokens--
		return failures(nil)
	})
	var reqs []apply.Request
	for i := range 12 {
		r := request(table(i), "tagging")
		r.Tags = map[string]string{"creator": fmt.Sprint("user", i)}
		reqs = append(reqs, r)
	}
	start := time.Now()
	for i, r := range apply.New(e.config(), options()).Tag(t.Context(), reqs) {
		if r.Outcome != apply.Tagged {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if took, most := time.Since(start), time.Duration(1.1*12/5*float64(time.Second)); took > most {
		t.Errorf("12 calls took %s, more than %s", took, most)
	}
	if throttles > 1 {
		t.Errorf("%d throttles", throttles)
	}
}

// TestDeadline: work that hasn't begun when the context ends is for later.
func TestDeadline(t *testing.T) {
	t.Parallel()
	e := script(t, func(asked) answer { return ok })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := apply.New(e.config(), options())
	for _, api := range []string{"tagging", "dynamodb"} {
		if got := a.Tag(ctx, []apply.Request{request(table(0), api)})[0]; got.Outcome != apply.Retry || got.Why != apply.WhyDeadline || got.Err == nil {
			t.Errorf("%s: %+v", api, got)
		}
	}
	if got := a.PutCORS(ctx, []apply.CORSRequest{{Bucket: "arn:aws:s3:::b", Region: region, Rules: []apply.CORSRule{{AllowedMethods: []string{"GET"}}}}})[0]; got.Outcome != apply.CORSRetry || got.Why != apply.WhyDeadline {
		t.Errorf("cors: %+v", got)
	}
	if len(e.all()) != 0 {
		t.Errorf("%d calls", len(e.all()))
	}
}

// TestDeadlineOnTheWay: a call that the deadline cuts off is for later too.
func TestDeadlineOnTheWay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	e := script(t, func(asked) answer { <-ctx.Done(); return ok })
	if got := apply.New(e.config(), options()).Tag(ctx, []apply.Request{request(table(0), "tagging")})[0]; got.Outcome != apply.Retry || got.Why != apply.WhyDeadline {
		t.Errorf("%+v", got)
	}
}

// TestOwnCallsDoNotFit: a service's own calls serve some of its types only, and
// leave some alone whatever the API.
func TestOwnCallsDoNotFit(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		return failures(nil)
	})
	a := apply.New(e.config(), options())
	for arn, want := range map[string]apply.Result{
		arnOf("ec2", "key-pair/name"):                                           {Outcome: apply.Tagged},
		arnOf("s3express", "bucket/b--use1-az4--x-s3"):                          {Outcome: apply.Skipped, Why: apply.WhyDirectoryBucket},
		"arn:aws:iam::aws:policy/ReadOnlyAccess":                                {Outcome: apply.Skipped, Why: apply.WhyManaged},
		arnOf("kms", "alias/aws/ebs"):                                           {Outcome: apply.Skipped, Why: apply.WhyManagedKey},
		arnOf("autoscaling", "launchConfiguration:u:launchConfigurationName/x"): {Outcome: apply.Tagged},
	} {
		r := request(arn, "tagging")
		r.Upsert = true
		if got := a.Tag(t.Context(), []apply.Request{r})[0]; got.Outcome != want.Outcome || got.Why != want.Why {
			t.Errorf("%s: %+v", arn, got)
		}
	}
}

// TestNoAPI: stacks and what no call serves are never written to.
func TestNoAPI(t *testing.T) {
	t.Parallel()
	e := script(t, func(asked) answer { return ok })
	a := apply.New(e.config(), options())
	for _, r := range []apply.Request{
		request(arnOf("cloudformation", "stack/x/y"), "none"),
		request(arnOf("sqs", "q"), ""),
		request(arnOf("unheard", "job/x"), "unheard"),
		request("arn:aws:iam::"+account+":group/x", "iam"),
		request("nonsense", "sqs"),
	} {
		if got := a.Tag(t.Context(), []apply.Request{r})[0]; got.Outcome != apply.Skipped || got.Why != apply.WhyNoAPI {
			t.Errorf("%s by %q: %+v", r.ARN, r.API, got)
		}
	}
	if got := a.Tag(t.Context(), nil); len(got) != 0 {
		t.Errorf("no requests: %v", got)
	}
	if len(e.all()) != 0 {
		t.Errorf("%d calls", len(e.all()))
	}
}

// TestRatesAdapt: a service that throttles is asked no faster than it answers, and
// holds up no other.
func TestRatesAdapt(t *testing.T) {
	t.Parallel()
	const perSecond = 25
	var mu sync.Mutex
	tokens, at := float64(perSecond), time.Now()
	refused := 0
	var last = map[string]time.Time{}
	e := script(t, func(a asked) answer {
		mu.Lock()
		defer mu.Unlock()
		last[a.Service] = time.Now()
		if a.Service != "sns" {
			return ok
		}
		now := time.Now()
		tokens, at = min(perSecond, tokens+now.Sub(at).Seconds()*perSecond), now
		if tokens < 1 {
			refused++
			return refuseXML(400, "Throttling")
		}
		tokens--
		return answer{Status: 200, Body: "<R/>"}
	})
	var reqs []apply.Request
	for i := range 30 {
		for _, service := range []string{"sns", "dynamodb"} {
			arn := fmt.Sprintf("arn:aws:%s:eu-west-1:111122223333:%s%d", service, map[string]string{"sns": "t", "dynamodb": "table/t"}[service], i)
			reqs = append(reqs, apply.Request{ARN: arn, API: service, Calls: callsOf(arn), Account: "111122223333", Region: "eu-west-1", EventTime: today, Tags: map[string]string{"creator": "alice"}})
		}
	}
	cfg := e.config()
	cfg.Retryer = nil // the functions' own
	a := apply.New(cfg, options())
	left := reqs
	for range 20 {
		var again []apply.Request
		for i, r := range a.Tag(t.Context(), left) {
			switch {
			case r.Outcome == apply.Retry:
				again = append(again, left[i])
			case r.Outcome != apply.Tagged:
				t.Fatalf("%s: %+v", left[i].ARN, r)
			}
		}
		if left = again; len(left) == 0 {
			break
		}
	}
	if len(left) > 0 {
		t.Fatalf("%d are left", len(left))
	}
	mu.Lock()
	defer mu.Unlock()
	if refused == 0 || refused > 60 {
		t.Errorf("%d calls were throttled for 60 that got through", refused)
	}
	if !last["dynamodb"].Before(last["sns"]) {
		t.Error("the service that doesn't throttle was held up")
	}
	t.Logf("%d throttled", refused)
}

// TestHangs: an endpoint that doesn't answer costs its own resources a try, and the
// others nothing.
func TestHangs(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Region == "ap-south-1" {
			time.Sleep(300 * time.Millisecond)
		}
		if a.Op == "GetResources" {
			return mapping(nil)
		}
		return failures(nil)
	})
	o := options()
	o.Attempt = 50 * time.Millisecond
	good, hanging := request(table(1), "tagging"), request(table(2), "tagging")
	hanging.Region, hanging.ARN = "ap-south-1", strings.Replace(hanging.ARN, region, "ap-south-1", 1)
	got := apply.New(e.config(), o).Tag(t.Context(), []apply.Request{hanging, good})
	if got[0].Outcome != apply.Retry || got[0].Why != "RequestTimeout" || got[1].Outcome != apply.Tagged {
		t.Errorf("%+v", got)
	}
}
