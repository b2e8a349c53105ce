package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/apply"
)

// ids are the values of a query form's numbered parameters.
func ids(a asked, prefix string) []string {
	var out []string
	for k, v := range a.Form {
		if strings.HasPrefix(k, prefix) {
			out = append(out, v[0])
		}
	}
	slices.Sort(out)
	return out
}

// TestEC2Halves: CreateTags fails whole for one bad id, and the others are
// tagged all the same.
func TestEC2Halves(t *testing.T) {
	t.Parallel()
	bad := map[string]string{"vol-00000013": "InvalidVolume.NotFound", "vol-00000200": "UnauthorizedOperation", "vol-00000299": "InvalidID"}
	e := script(t, func(a asked) answer {
		switch a.Op {
		case "DescribeTags":
			if n := len(ids(a, "Filter.1.Value.")); n > 200 {
				return refuseEC2(400, "FilterLimitExceeded")
			}
			// Tags come in pages.
			if a.Form.Get("NextToken") == "" {
				return answer{Status: 200, Body: `<R><tagSet><item><resourceId>vol-00000007</resourceId><key>creator</key><value>bob</value></item></tagSet><nextToken>2</nextToken></R>`}
			}
			return answer{Status: 200, Body: `<R><tagSet><item><resourceId>vol-00000008</resourceId><key>creator</key><value>bob</value></item></tagSet></R>`}
		case "CreateTags":
			for _, id := range ids(a, "ResourceId.") {
				if code, is := bad[id]; is {
					return refuseEC2(400, code)
				}
			}
			return answer{Status: 200, Body: "<R><return>true</return></R>"}
		}
		return refuseEC2(400, "InvalidAction")
	})
	var reqs []apply.Request
	for i := range 300 {
		reqs = append(reqs, request(arnOf("ec2", fmt.Sprintf("volume/vol-%08d", i)), "ec2"))
	}
	for _, noID := range []string{"volume/", "volume/name", "key-pair/laptop", "key-pair/my-laptop", "placement-group/hpc-old"} {
		reqs = append(reqs, request(arnOf("ec2", noID), "ec2"))
	}
	reqs = append(reqs, request(arnOf("ec2", "key-pair/key-0123456789abcdef0"), "ec2"))
	for i, r := range apply.New(e.config(), options()).Tag(t.Context(), reqs) {
		want, why := apply.Tagged, ""
		switch i {
		case 7, 8:
			want = apply.Unchanged
		case 13:
			want, why = apply.Retry, "InvalidVolume.NotFound"
		case 200:
			want, why = apply.Denied, "UnauthorizedOperation"
		case 299:
			want, why = apply.Failed, "InvalidID"
		case 300, 301, 302, 303, 304:
			want, why = apply.Failed, apply.WhyBadARN
		}
		if r.Outcome != want || r.Why != why {
			t.Errorf("request %d: %+v, want %s %s", i, r, want, why)
		}
	}
	if n := e.count("CreateTags"); n > 60 {
		t.Errorf("finding three of 300 took %d calls", n)
	}
}

// TestEC2Throttle: a throttle says nothing about any one id, and smaller calls
// would only be more calls.
func TestEC2Throttle(t *testing.T) {
	t.Parallel()
	e := script(t, func(a asked) answer {
		if a.Op == "DescribeTags" {
			return answer{Status: 200, Body: "<R><tagSet/></R>"}
		}
		return refuseEC2(400, "Throttling")
	})
	got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{
		request(arnOf("ec2", "volume/vol-1"), "ec2"), request(arnOf("ec2", "volume/vol-2"), "ec2"),
	})
	if got[0].Outcome != apply.Retry || got[1].Outcome != apply.Retry || e.count("CreateTags") != 3 {
		t.Errorf("%+v after %d calls", got, e.count("CreateTags"))
	}
}
