package resolve_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"autotagger/internal/cloudtrail"
	"autotagger/internal/resolve"
)

func TestLastResort(t *testing.T) {
	t.Parallel()
	const (
		x     = `arn:aws:x:eu-west-1:111122223333:`
		gizmo = x + `gizmo/g-1`
		alone = `"responseElements":{"arn":"` + gizmo + `"}`
	)
	for name, c := range map[string]struct {
		event, rest string
		want        string // the ARN, or what the doubt says in brackets
	}{
		"arn":                 {"CreateGizmo", alone, gizmo},
		"noun":                {"CreateGizmo", `"responseElements":{"gizmo":"` + gizmo + `"}`, gizmo},
		"noun and Arn":        {"CreateGizmo", `"responseElements":{"gizmoArn":"` + gizmo + `"}`, gizmo},
		"noun and ARN":        {"CreateGizmo", `"responseElements":{"GizmoARN":"` + gizmo + `"}`, gizmo},
		"noun and Id":         {"CreateGizmo", `"responseElements":{"gizmoId":"` + gizmo + `"}`, gizmo},
		"resourceArn":         {"CreateGizmo", `"responseElements":{"resourceArn":"` + gizmo + `"}`, gizmo},
		"below the noun":      {"CreateGizmo", `"responseElements":{"gizmo":{"arn":"` + gizmo + `"}}`, gizmo},
		"below a summary":     {"CreateGizmo", `"responseElements":{"gizmoSummary":{"arn":"` + gizmo + `"}}`, gizmo},
		"wrapped":             {"CreateGizmo", `"responseElements":{"CreateGizmoResponse":{"arn":"` + gizmo + `"}}`, gizmo},
		"in JSON in a string": {"CreateGizmo", `"responseElements":{"gizmo":"{\"arn\":\"` + gizmo + `\"}"}`, gizmo},
		"dated":               {"CreateGizmo2026_11_21", alone, gizmo},
		"a list of one":       {"BatchCreateGizmos", `"responseElements":{"gizmos":{"items":[{"arn":"` + gizmo + `"}]}}`, gizmo},
		"a list of ARNs":      {"BatchCreateGizmos", `"responseElements":{"gizmoArns":["` + gizmo + `"]}`, gizmo},
		"said twice":          {"CreateGizmo", `"responseElements":{"source":"` + gizmo + `","gizmoArn":"` + gizmo + `"}`, gizmo},
		"global":              {"CreateGizmo", `"responseElements":{"arn":"arn:aws:x::111122223333:gizmo/g-1"}`, "arn:aws:x::111122223333:gizmo/g-1"},
		"colons":              {"CreateGizmo", `"responseElements":{"arn":"` + x + `gizmo:g-1"}`, x + "gizmo:g-1"},
		"a role beside it":    {"CreateGizmo", `"responseElements":{"roleArn":"arn:aws:iam::111122223333:role/r","arn":"` + gizmo + `"}`, gizmo},
		"an input beside it":  {"CreateGizmo", `"requestParameters":{"plant":"` + x + `plant/p"},"responseElements":{"plantArn":"` + x + `plant/p","arn":"` + gizmo + `"}`, gizmo},
		"under its own name":  {"CreateGizmo", `"requestParameters":{"name":"g-1","description":"g-1"},` + alone, gizmo},
		"below another":       {"CreateGizmo", `"requestParameters":{"plantId":"p","gizmoName":"g"},"responseElements":{"arn":"` + x + `plant/p/gizmo/g"}`, x + "plant/p/gizmo/g"},

		"no response":             {"CreateGizmo", `"responseElements":null`, "[has no ARN of the service]"},
		"no ARN":                  {"CreateGizmo", `"responseElements":{"arn":"g-1"}`, "[has no ARN of the service]"},
		"another service's":       {"CreateGizmo", `"responseElements":{"arn":"arn:aws:y:eu-west-1:111122223333:gizmo/g-1"}`, "[has no ARN of the service]"},
		"the input":               {"CreateGizmo", `"requestParameters":{"source":"` + gizmo + `"},` + alone, "[has no ARN of the service but those that the request gave]"},
		"the input in a policy":   {"CreateGizmo", `"requestParameters":{"policy":"{\"Resource\":[\"` + gizmo + `\"]}"},` + alone, "[has no ARN of the service but"},
		"two":                     {"CreateGizmo", `"responseElements":{"arn":"` + gizmo + `","versionArn":"` + gizmo + `/v/1"}`, "[several ARNs]"},
		"two, one elsewhere":      {"CreateGizmo", `"responseElements":{"arn":"` + gizmo + `","from":"arn:aws:x:us-east-1:444455556666:gizmo/g-1"}`, "[several ARNs]"},
		"a list of two":           {"BatchCreateGizmos", `"responseElements":{"gizmos":[{"arn":"` + gizmo + `"},{"arn":"` + x + `gizmo/g-2"}]}`, "[several ARNs]"},
		"another account":         {"CreateGizmo", `"responseElements":{"arn":"arn:aws:x:eu-west-1:444455556666:gizmo/g-1"}`, "[malformed, or of another account]"},
		"no account":              {"CreateGizmo", `"responseElements":{"arn":"arn:aws:x:eu-west-1::gizmo/g-1"}`, "[malformed, or of another account]"},
		"AWS's own":               {"CreateGizmo", `"responseElements":{"arn":"arn:aws:x:eu-west-1:aws:gizmo/g-1"}`, "[malformed, or of another account]"},
		"another region":          {"CreateGizmo", `"responseElements":{"arn":"arn:aws:x:eu-west-2:111122223333:gizmo/g-1"}`, "[malformed, or of another account or region]"},
		"another partition":       {"CreateGizmo", `"responseElements":{"arn":"arn:aws-cn:x:eu-west-1:111122223333:gizmo/g-1"}`, "[malformed]"},
		"a wildcard":              {"CreateGizmo", `"responseElements":{"arn":"` + x + `gizmo/*"}`, "[malformed]"},
		"short":                   {"CreateGizmo", `"responseElements":{"arn":"arn:aws:x:gizmo/g-1"}`, "[malformed]"},
		"no kind":                 {"CreateGizmo", `"responseElements":{"arn":"` + x + `g-1"}`, "[doesn't tell the kind]"},
		"no id":                   {"CreateGizmo", `"responseElements":{"arn":"` + x + `gizmo/"}`, "[doesn't tell the kind]"},
		"a role's key":            {"CreateGizmo", `"responseElements":{"roleArn":"` + gizmo + `"}`, "[another thing]"},
		"a parent":                {"CreateGizmo", `"responseElements":{"parent":"` + gizmo + `"}`, "[another thing]"},
		"below a parent":          {"CreateGizmo", `"responseElements":{"plant":{"arn":"` + x + `plant/p"}}`, "[another thing]"},
		"a message":               {"CreateGizmo", `"responseElements":{"message":"` + gizmo + `"}`, "[another thing]"},
		"of what it belongs to":   {"CreateGizmoVersion", alone, "[is a gizmo's, not the new GizmoVersion's]"},
		"of what it is about":     {"CreateAttachment", `"requestParameters":{"gizmoId":"g-1"},` + alone, "[something that its request names]"},
		"of what a tag is called": {"CreateAttachment", `"requestParameters":{"gizmoId":"g-1","tags":{"Name":"g-1"}},` + alone, "[something that its request names]"},

		"registers":          {"RegisterGizmo", alone, "[may stand for a change]"},
		"imports":            {"ImportGizmo", alone, "[may stand for a change]"},
		"creates or updates": {"CreateOrUpdateGizmo", alone, "[may stand for a change]"},
		"no noun":            {"Create", alone, "[may stand for a change]"},
		"no region":          {"CreateGizmo", `"awsRegion":"",` + alone, "[lacks its region]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rest := c.rest
			e := event(t, c.event, ","+rest)
			if strings.Contains(rest, `"awsRegion":""`) {
				e.Region = ""
			}
			created, reason, detail, err := resolve.Resolve(testCatalogue(), switches{lastResort: true}, e)
			if err != nil {
				t.Fatal(err)
			}
			if doubt, ok := strings.CutPrefix(c.want, "["); ok {
				if reason != resolve.UnknownEvent || !strings.Contains(detail, strings.TrimSuffix(doubt, "]")) {
					t.Errorf("%s %q %v, want %s", reason, detail, created, c.want)
				}
				return
			}
			if len(created) != 1 || created[0].ARN != c.want || !created[0].LastResort || !created[0].Upsert || created[0].Type != "x:"+kindOf(c.want) {
				t.Errorf("%+v, %s %s, want %s", created, reason, detail, c.want)
			}
		})
	}
}

func kindOf(arn string) string {
	kind := strings.SplitN(arn, ":", 6)[5]
	return kind[:strings.IndexAny(kind, "/:")]
}

// The last resort is for calls without a row, and only where it is turned on.
func TestLastResortIsLast(t *testing.T) {
	t.Parallel()
	const response = `,"responseElements":{"arn":"arn:aws:x:eu-west-1:111122223333:gizmo/g-1"},"requestParameters":{"tags":[{"key":"a","value":"1"}]}`
	for _, c := range []struct {
		name string
		on   bool
		want resolve.Reason
	}{
		{"CreateGizmo", false, resolve.UnknownEvent},
		{"CreateGizmo", true, ""},
		{"CreateThing", true, resolve.NoIdentifier},
		{"CreateNowhere", true, resolve.NotTaggable},
		{"DeleteGizmo", true, resolve.NotACreate},
	} {
		created, reason, _, err := resolve.Resolve(testCatalogue(), switches{c.on}, event(t, c.name, response))
		if err != nil || reason != c.want {
			t.Errorf("%s: %v %q %v, want %q", c.name, created, reason, err, c.want)
		}
		if len(created) > 0 && created[0].Requested["a"] != "1" {
			t.Errorf("%s: the request's tags are %v", c.name, created[0].Requested)
		}
	}
	e := event(t, "CreateStackThing", strings.ReplaceAll(response, ":x:", ":cloudformation:"))
	e.Source = "cloudformation.amazonaws.com"
	if created, reason, _, _ := resolve.Resolve(testCatalogue(), switches{true}, e); reason != resolve.UnknownEvent {
		t.Errorf("CloudFormation: %v", created)
	}
}

// FuzzLastResort: whatever a record holds, what is found is an ARN of the
// service, account and region that the response has and the request lacks.
func FuzzLastResort(f *testing.F) {
	f.Add("CreateGizmo", `{"name":"g-1"}`, `{"gizmo":{"arn":"arn:aws:x:eu-west-1:111122223333:gizmo/g-1"}}`)
	f.Add("BatchCreateGizmos", `{"source":"arn:aws:x:eu-west-1:111122223333:gizmo/g-1"}`, `{"gizmoArns":{"items":["arn:aws:x:eu-west-1:111122223333:gizmo/g-1"]}}`)
	f.Add("CreateGizmoVersion", `null`, `[{"CreateGizmoVersionResult":"{\"arn\":\"arn:aws:x::111122223333:version:1\"}"}]`)
	ofX := regexp.MustCompile(`^arn:aws:x:(eu-west-1)?:111122223333:[A-Za-z0-9_-]+[:/][^*?<>]*[^\s*?<>]$`)
	f.Fuzz(func(t *testing.T, name, request, response string) {
		e, err := cloudtrail.Decode(fmt.Sprintf(`{"eventSource":"x.amazonaws.com","eventName":%q,"awsRegion":"eu-west-1","recipientAccountId":"111122223333","requestParameters":%s,"responseElements":%s}`, name, request, response))
		if err != nil {
			return
		}
		created, reason, _, err := resolve.Resolve(testCatalogue(), switches{lastResort: true}, e)
		if err != nil || (reason == "") != (len(created) > 0) {
			t.Fatal(created, reason, err)
		}
		for _, r := range created {
			if r.LastResort && (!ofX.MatchString(r.ARN) || len(created) != 1 || strings.Contains(request, `:"`+r.ARN+`"`)) {
				t.Errorf("%s %s %s: found %v", name, request, response, created)
			}
		}
	})
}
