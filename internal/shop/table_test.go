package shop_test

import (
	"bytes"
	"strings"
	"testing"

	"autotagger/internal/shop"
)

// TestTable: what differs is named.
func TestTable(t *testing.T) {
	t.Parallel()
	type tags = map[string]string
	good := shop.State{Tags: tags{"creator": "alice"}, CORS: "GET from *"}
	for name, c := range map[string]struct {
		now    shop.State
		differ bool
	}{
		"as it should be": {good, false},
		"no tag":          {shop.State{CORS: good.CORS}, true},
		"another tag":     {shop.State{Tags: tags{"creator": "alice", "x": "y"}, CORS: good.CORS}, true},
		"another value":   {shop.State{Tags: tags{"creator": "bob"}, CORS: good.CORS}, true},
		"no CORS":         {shop.State{Tags: good.Tags}, true},
	} {
		var out bytes.Buffer
		differ, err := shop.Table(&out, []shop.Row{{Name: "a bucket", Now: c.now, Want: good}}, "")
		if err != nil || differ != c.differ || strings.Contains(out.String(), "WRONG") != c.differ || strings.Contains(out.String(), "it should be") != c.differ {
			t.Errorf("%s: %v, %v:\n%s", name, differ, err, &out)
		}
	}
}
