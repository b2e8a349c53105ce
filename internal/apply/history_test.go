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
	for _, c := range []struct {
		pages, records int
		whole          bool
	}{{1, 2, true}, {3, 6, true}, {100, 40, false}} {
		n := 0
		e := script(t, func(a asked) answer {
			want := map[string]any{"AttributeKey": "EventName", "AttributeValue": "CreateTable"}
			got := a.JSON["LookupAttributes"].([]any)[0].(map[string]any)
			if !strings.HasSuffix(a.Op, ".LookupEvents") || a.Service != "cloudtrail" || a.Region != "eu-west-2" || got["AttributeKey"] != want["AttributeKey"] || got["AttributeValue"] != want["AttributeValue"] || a.JSON["StartTime"] != 1790000000.0 {
				t.Errorf("asked %+v", a)
			}
			if token, _ := a.JSON["NextToken"].(string); n > 0 && token != fmt.Sprint(n) {
				t.Errorf("page %d is asked for with the token %q", n, token)
			}
			n++
			page := map[string]any{"Events": []any{map[string]any{"CloudTrailEvent": `{"a":1}`}, map[string]any{"CloudTrailEvent": `{"b":2}`}}}
			if n < c.pages {
				page["NextToken"] = fmt.Sprint(n)
			}
			return answer{Status: 200, Body: page}
		})
		records, whole, err := apply.New(e.config(), options()).History(t.Context(), "111122223333", "aws", "eu-west-2", "CreateTable", time.Unix(1790000000, 0))
		if err != nil || len(records) != c.records || whole != c.whole || records[0] != `{"a":1}` {
			t.Errorf("of %d pages: %d records, whole %v, %v", c.pages, len(records), whole, err)
		}
	}
	e := script(t, func(asked) answer { return refuse(400, "AccessDeniedException") })
	if _, _, err := apply.New(e.config(), options()).History(t.Context(), "1", "aws", "eu-west-2", "CreateTable", time.Unix(1790000000, 0)); err == nil {
		t.Error("a refusal is no error")
	} else if o, why := apply.Fate(err); o != apply.Denied || why != "AccessDeniedException" {
		t.Errorf("it means %s, %s", o, why)
	}
}
