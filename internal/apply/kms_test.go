package apply_test

import (
	"testing"

	"autotagger/internal/apply"
)

// TestKMS: a refusal is explained by what the key is, which is looked up then
// and only then, whichever API is asked.
func TestKMS(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"kms", "tagging"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			testKMS(t, api)
		})
	}
}

func testKMS(t *testing.T, api string) {
	key := arnOf("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")
	for name, c := range map[string]struct {
		arn, code, manager, state string
		want                      apply.Outcome
		why                       string
		describes                 int
	}{
		"a customer's key":    {key, "", "CUSTOMER", "Enabled", apply.Tagged, "", 0},
		"still being created": {key, "KMSInvalidStateException", "CUSTOMER", "Creating", apply.Retry, "KMSInvalidStateException", 1},
		"being deleted":       {key, "KMSInvalidStateException", "CUSTOMER", "PendingDeletion", apply.Skipped, apply.WhyKeyState, 1},
		"a replica deleted":   {key, "KMSInvalidStateException", "CUSTOMER", "PendingReplicaDeletion", apply.Skipped, apply.WhyKeyState, 1},
		"AWS's own":           {key, "AccessDeniedException", "AWS", "Enabled", apply.Skipped, apply.WhyManagedKey, 1},
		"a guarded key":       {key, "AccessDeniedException", "CUSTOMER", "Enabled", apply.Denied, "AccessDeniedException", 1},
		"a hidden key":        {key, "AccessDeniedException", "", "", apply.Denied, "AccessDeniedException", 1},
		"not visible yet":     {key, "NotFoundException", "CUSTOMER", "Enabled", apply.Retry, "NotFoundException", 0},
		"a bad tag":           {key, "TagException", "CUSTOMER", "Enabled", apply.Failed, "TagException", 0},
		"AWS's alias":         {arnOf("kms", "alias/aws/s3"), "", "", "", apply.Skipped, apply.WhyManagedKey, 0},
		"an alias":            {arnOf("kms", "alias/mine"), "", "", "", apply.Failed, apply.WhyBadARN, 0},
	} {
		if name == "an alias" && api == "tagging" {
			continue // it is the tagging API's to say what it doesn't serve
		}
		e := script(t, func(a asked) answer {
			switch {
			case a.Op == "GetResources":
				return mapping(nil)
			case a.Op == "TagResources" && c.code != "":
				return failures(map[string]string{c.arn: c.code})
			case a.Op == "TagResources":
				return failures(nil)
			case a.Op == "DescribeKey" && c.manager == "":
				return refuse(400, "AccessDeniedException")
			case a.Op == "DescribeKey":
				return answer{Status: 200, Body: map[string]any{"KeyMetadata": map[string]any{"KeyManager": c.manager, "KeyState": c.state}}}
			case a.Op == "TagResource" && c.code != "":
				return refuse(400, c.code)
			case a.Op == "ListResourceTags" && a.JSON["Marker"] == nil:
				return answer{Status: 200, Body: map[string]any{"Tags": []any{}, "Truncated": true, "NextMarker": "m"}}
			}
			return answer{Status: 200, Body: map[string]any{"Tags": []any{map[string]string{"TagKey": "owner", "TagValue": "x"}}}}
		})
		got := apply.New(e.config(), options()).Tag(t.Context(), []apply.Request{request(c.arn, api)})[0]
		if got.Outcome != c.want || got.Why != c.why || e.count("DescribeKey") != c.describes {
			t.Errorf("%s: %+v with %d looks at the key", name, got, e.count("DescribeKey"))
		}
	}
}
