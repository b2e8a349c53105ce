package apply_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"autotagger/internal/apply"
)

func corsRequest(bucket string, rules ...apply.CORSRule) apply.CORSRequest {
	return apply.CORSRequest{Bucket: "arn:aws:s3:::" + bucket, Account: account, Region: region, Rules: rules}
}

var anyone = apply.CORSRule{
	ID: "autotagger", AllowedMethods: []string{"GET", "HEAD"}, AllowedOrigins: []string{"*"},
	AllowedHeaders: []string{"*"}, ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: 3000,
}

// TestCORS: rules are put where there are none, and never a second time.
func TestCORS(t *testing.T) {
	t.Parallel()
	fresh, old := unique("cors-new"), unique("cors-old")
	send(t, "s3", http.MethodPut, "/"+fresh, nil, "")
	send(t, "s3", http.MethodPut, "/"+old, nil, "")
	send(t, "s3", http.MethodPut, "/"+old+"?cors", nil, `<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>https://a.example</AllowedOrigin></CORSRule></CORSConfiguration>`)
	var sent calls
	a := apply.New(server(t).Config(), apply.Options{OnCall: sent.add})
	other := anyone
	other.AllowedOrigins = []string{"https://other.example"}
	got := a.PutCORS(t.Context(), []apply.CORSRequest{
		corsRequest(fresh, anyone), corsRequest(old, anyone), corsRequest("cors-missing", anyone), corsRequest(fresh, other),
	})
	want := []apply.CORSOutcome{apply.Put, apply.Kept, apply.CORSRetry, apply.Kept}
	for i := range want {
		if got[i].Outcome != want[i] || (got[i].Err != nil) != (want[i] == apply.CORSRetry) {
			t.Errorf("request %d: %+v, want %s", i, got[i], want[i])
		}
	}
	if got[2].Why != "NoSuchBucket" {
		t.Errorf("a bucket that isn't there: %s", got[2].Why)
	}
	if n := written(sent.take()); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	raw := string(send(t, "s3", http.MethodGet, "/"+fresh+"?cors", nil, ""))
	for _, v := range []string{"<AllowedMethod>GET</AllowedMethod>", "<AllowedMethod>HEAD</AllowedMethod>", "<AllowedOrigin>*</AllowedOrigin>", "<ExposeHeader>ETag</ExposeHeader>", "<MaxAgeSeconds>3000</MaxAgeSeconds>"} {
		if !strings.Contains(raw, v) {
			t.Errorf("the new configuration lacks %s: %s", v, raw)
		}
	}
	if raw := string(send(t, "s3", http.MethodGet, "/"+old+"?cors", nil, "")); !strings.Contains(raw, "https://a.example") || strings.Contains(raw, "HEAD") {
		t.Errorf("the old configuration became %s", raw)
	}
	if got := a.PutCORS(t.Context(), []apply.CORSRequest{corsRequest(fresh, anyone)})[0]; got.Outcome != apply.Kept {
		t.Errorf("a second time: %+v", got)
	}
}

// TestCORSErrors: only NoSuchCORSConfiguration leads to a put.
func TestCORSErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		code      string
		onPut     bool
		want      apply.CORSOutcome
		puts      bool
		bodyEmpty bool
	}{
		{403, "AccessDenied", false, apply.CORSDenied, false, false},
		{404, "NoSuchBucket", false, apply.CORSRetry, false, false},
		{503, "SlowDown", false, apply.CORSRetry, false, false},
		{404, "", false, apply.CORSRetry, false, false},
		{400, "InvalidRequest", false, apply.CORSFailed, false, false},
		{403, "AccessDenied", true, apply.CORSDenied, true, false},
		{400, "MalformedXML", true, apply.CORSFailed, true, false},
		{409, "OperationAborted", true, apply.CORSRetry, true, false},
	} {
		e := script(t, func(a asked) answer {
			if c.onPut && a.Method == "GET" {
				return refuseS3(404, "NoSuchCORSConfiguration")
			}
			return refuseS3(c.status, c.code)
		})
		got := apply.New(e.config(), options()).PutCORS(t.Context(), []apply.CORSRequest{corsRequest("b", anyone)})[0]
		if got.Outcome != c.want || got.Err == nil {
			t.Errorf("%s: %+v", c.code, got)
		}
		put := false
		for _, a := range e.all() {
			put = put || a.Method == "PUT"
		}
		if put != c.puts {
			t.Errorf("%s: put %t", c.code, put)
		}
	}
}

// TestCORSNotRepeated: between two puts the bucket's owner may have put rules. They
// stay; a put whose answer got lost is known again.
func TestCORSNotRepeated(t *testing.T) {
	t.Parallel()
	const owners = `<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>https://a.example</AllowedOrigin></CORSRule></CORSConfiguration>`
	for _, c := range []struct {
		name  string
		fails int    // puts that are answered with 503
		after string // what stands after the first of them: "" nothing, "ours" the put itself
		want  apply.CORSOutcome
		puts  int
	}{
		{"an owner's rules arrive", 1, owners, apply.Kept, 1},
		{"the answer got lost", 1, "ours", apply.Put, 1},
		{"it passes", 2, "", apply.Put, 3},
		{"it stays", 9, "", apply.CORSRetry, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			stands, puts := "", 0
			e := script(t, func(a asked) answer {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case a.Method == "GET" && stands == "":
					return refuseS3(404, "NoSuchCORSConfiguration")
				case a.Method == "GET":
					return answer{Status: 200, Body: stands}
				}
				puts++
				if puts > c.fails {
					stands = a.Body
					return answer{Status: 200, Body: ""}
				}
				if stands = c.after; c.after == "ours" {
					stands = a.Body
				}
				return refuseS3(503, "SlowDown")
			})
			got := apply.New(e.config(), options()).PutCORS(t.Context(), []apply.CORSRequest{corsRequest("b", anyone)})[0]
			if got.Outcome != c.want || (got.Err != nil) != (c.want == apply.CORSRetry) {
				t.Errorf("%+v, want %s", got, c.want)
			}
			if puts != c.puts {
				t.Errorf("%d puts, want %d", puts, c.puts)
			}
			if c.after == owners && stands != owners {
				t.Errorf("the owner's rules became %s", stands)
			}
		})
	}
}

// TestCORSPlaces: the same name in another account or region is asked for there.
func TestCORSPlaces(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		switch {
		case a.Region != region:
			return refuseS3(403, "AccessDenied")
		case a.Method == "GET":
			return refuseS3(404, "NoSuchCORSConfiguration")
		}
		return answer{Status: 200, Body: ""}
	})
	elsewhere := corsRequest("b", anyone)
	elsewhere.Region = "ap-south-1"
	got := apply.New(e.config(), options()).PutCORS(t.Context(), []apply.CORSRequest{elsewhere, corsRequest("b", anyone), corsRequest("b", anyone)})
	for i, want := range []apply.CORSOutcome{apply.CORSDenied, apply.Put, apply.Kept} {
		if got[i].Outcome != want {
			t.Errorf("request %d: %+v, want %s", i, got[i], want)
		}
	}
}

// TestCORSLimits: what S3 would refuse isn't sent.
func TestCORSLimits(t *testing.T) {
	t.Parallel()
	e := script(t, func(asked) answer { return ok })
	a := apply.New(e.config(), options())
	long := anyone
	long.AllowedOrigins = []string{"https://" + strings.Repeat("a", 64<<10)}
	many := make([]apply.CORSRule, 101)
	for i := range many {
		many[i] = anyone
	}
	for _, rules := range [][]apply.CORSRule{nil, many, {long}} {
		if got := a.PutCORS(t.Context(), []apply.CORSRequest{corsRequest("b", rules...)})[0]; got.Outcome != apply.CORSFailed || got.Why != apply.WhyCORSLimit {
			t.Errorf("%d rules: %+v", len(rules), got)
		}
	}
	if len(e.all()) != 0 {
		t.Errorf("%d calls", len(e.all()))
	}
}
