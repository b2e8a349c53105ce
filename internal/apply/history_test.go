package apply_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"autotagger/internal/apply"
)

// TestHistory: pages are read to their end, or to as many as are enough.
func TestHistory(t *testing.T) {
	t.Parallel()
	since := time.Unix(1790000000, 0)
	for _, c := range []struct {
		pages, calls int
		from         time.Time
		by           string
	}{{1, 2, since, "ResourceName"}, {5, 10, since, "EventName"}, {100, 10, since.Add(50 * time.Second), "EventName"}} {
		n := 0
		q := apply.Question{Account: "111122223333", Partition: "aws", Region: "eu-west-2", Resource: "t"}
		if c.by == "EventName" {
			q.Resource, q.Call = "", "t"
		}
		e := script(t, func(a asked) answer {
			got := a.JSON["LookupAttributes"].([]any)[0].(map[string]any)
			if !strings.HasSuffix(a.Op, ".LookupEvents") || a.Service != "cloudtrail" || a.Region != "eu-west-2" || got["AttributeKey"] != c.by || got["AttributeValue"] != "t" || a.JSON["StartTime"] != 1790000000.0 {
				t.Errorf("asked %+v", a)
			}
			if token, _ := a.JSON["NextToken"].(string); n > 0 && token != fmt.Sprint(n) {
				t.Errorf("page %d is asked for with the token %q", n, token)
			}
			n++
			page := map[string]any{"Events": []any{
				map[string]any{"EventId": "1", "EventSource": "s.amazonaws.com", "EventName": "DeleteT", "EventTime": 1790000100.5, "CloudTrailEvent": `{"eventID":"1"}`},
				map[string]any{"EventId": "2", "EventName": "CreateT", "EventTime": 1790000050, "CloudTrailEvent": `{"eventID":"2"}`},
			}}
			if n < c.pages {
				page["NextToken"] = fmt.Sprint(n)
			}
			return answer{Status: 200, Body: page}
		})
		calls, from, err := apply.New(e.config(), options()).History(t.Context(), q, since)
		if err != nil || len(calls) != c.calls || !from.Equal(c.from) {
			t.Fatalf("of %d pages: %d calls since %v, %v", c.pages, len(calls), from, err)
		}
		if want := (apply.Past{ID: "1", Source: "s.amazonaws.com", Name: "DeleteT", At: time.UnixMilli(1790000100500), Record: `{"eventID":"1"}`}); calls[0] != want || calls[1].ID != "2" {
			t.Errorf("the calls are %+v", calls)
		}
	}
	e := script(t, func(asked) answer { return refuse(400, "AccessDeniedException") })
	if _, _, err := apply.New(e.config(), options()).History(t.Context(), apply.Question{Account: "1", Partition: "aws", Region: "eu-west-2", Call: "CreateT"}, since); err == nil {
		t.Error("a refusal is no error")
	} else if o, why := apply.Fate(err); o != apply.Denied || why != "AccessDeniedException" {
		t.Errorf("it means %s, %s", o, why)
	}
}
