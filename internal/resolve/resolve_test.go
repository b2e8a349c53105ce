package resolve_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/resolve"
)

// data is a catalogue that exercises the form, rather than AWS's own.
const data = `
source: x.amazonaws.com
api: tagging
permissions: x:Tag
tags: request.tags

event: CreateChildren
evidence: test
type: X::Parent
arn: arn:{partition}:x:{region}:{account}:parent/{id}
from: response.parents[].parentId
type: X::Child
arn: arn:{partition}:x:{region}:{account}:child/{parent}/{id}
from: parent=response.parents[].parentId id=response.parents[].child.id

event: CreateFiltered
evidence: test
type: X::Own
arn: arn:{partition}:x:{region}:{account}:own/{id}
from: response.parts[state.shared!=true].id

event: CreateKind
evidence: test
type: X::Old
arn: arn:{partition}:x:{region}:{account}:old/{id}
from: request.name
when: !request.kind
type: X::New
arn: arn:{partition}:x:{region}:{account}:new/{id}
from: request.name
when: request.kind=new

event: CreateNowhere
evidence: test
untaggable: it has no tags

event: CreateOff
evidence: test
off: job: it ends by itself
type: X::Job
arn: arn:{partition}:x:{region}:{account}:job/{id}
from: response.id

event: CreateReplicas
evidence: test
type: X::Replica
arn: arn:{partition}:x:{region}:{account}:replica/{id}
from: region=request.updates[].create.region id=request.name
upsert: yes
when: request.updates[].create.region

event: CreateSole
evidence: test
type: X::Sole
arn: arn:{partition}:x:{region}:{account}:sole/default
from: always

event: CreateThing
evidence: test
type: X::Thing
arn: arn:{partition}:x:{region}:{account}:thing/{id}
from: response.thingArn
from: response.thing.arn
from: lower(request.thingName)
from: last(request.thingUrl)
from: unslash(request.thingPath)
region: request.replicaRegion
`

func event(t testing.TB, name, rest string) *cloudtrail.Event {
	t.Helper()
	e, err := cloudtrail.Decode(fmt.Sprintf(`{"eventSource":"x.amazonaws.com","eventName":%q,"awsRegion":"eu-west-1","recipientAccountId":"111122223333","eventType":"AwsApiCall"%s}`, name, rest))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func testCatalogue() *catalogue.Catalogue {
	return catalogue.New(fstest.MapFS{"x.txt": {Data: []byte(data)}})
}

// switches turn on what is on by default, and the last resort if they say so.
type switches struct{ lastResort bool }

func (switches) RowOff(r *catalogue.Row) string {
	if r.Off != "" {
		return "off: " + r.Off
	}
	return ""
}

func (s switches) LastResort(string, string) bool { return s.lastResort }

// resolved says what was found: ARNs, or the reason in brackets.
func resolved(t testing.TB, e *cloudtrail.Event) string {
	t.Helper()
	created, reason, _, err := resolve.Resolve(testCatalogue(), switches{}, e)
	if err != nil {
		t.Fatal(err)
	}
	if reason != "" {
		return "[" + string(reason) + "]"
	}
	var arns []string
	for _, r := range created {
		arns = append(arns, r.ARN)
	}
	return strings.Join(arns, " ")
}

func TestResolve(t *testing.T) {
	t.Parallel()
	const thing = "arn:aws:x:eu-west-1:111122223333:thing/a"
	for name, c := range map[string]struct{ event, rest, want string }{
		"an ARN in the response":       {"CreateThing", `,"responseElements":{"thingArn":"` + thing + `"}`, thing},
		"its case doesn't matter":      {"CreateThing", `,"responseElements":{"ThingARN":"` + thing + `"}`, thing},
		"nested":                       {"CreateThing", `,"responseElements":{"thing":{"aRN":"` + thing + `"}}`, thing},
		"wrapped":                      {"CreateThing", `,"responseElements":{"CreateThingResponse":{"thing":{"arn":"` + thing + `"}}}`, thing},
		"by name":                      {"CreateThing", `,"requestParameters":{"thingName":"A"},"responseElements":null`, thing},
		"by name, wrapped":             {"CreateThing", `,"requestParameters":{"createThingInput":{"thingName":"A"}}`, thing},
		"by URL":                       {"CreateThing", `,"requestParameters":{"thingUrl":"https://x/1/a"}`, thing},
		"by path":                      {"CreateThing", `,"requestParameters":{"thingPath":"/a"}`, thing},
		"by path, without a slash":     {"CreateThing", `,"requestParameters":{"thingPath":"a"}`, thing},
		"by path of levels":            {"CreateThing", `,"requestParameters":{"thingPath":"/b/a"}`, "arn:aws:x:eu-west-1:111122223333:thing/b/a"},
		"an ARN without a name":        {"CreateSole", `,"responseElements":null`, "arn:aws:x:eu-west-1:111122223333:sole/default"},
		"another type's ARN":           {"CreateThing", `,"responseElements":{"thingArn":"arn:aws:x:eu-west-1:111122223333:other/a"},"requestParameters":{"thingName":"a"}`, "[no-identifier]"},
		"another service's ARN":        {"CreateThing", `,"responseElements":{"thingArn":"arn:aws:y:eu-west-1:111122223333:thing/a"}`, "[no-identifier]"},
		"an ARN as a name":             {"CreateThing", `,"requestParameters":{"thingName":"arn:aws:s3:::a"}`, "[no-identifier]"},
		"a malformed ARN":              {"CreateThing", `,"responseElements":{"thingArn":"arn:aws:x:eu-west-1:thing/a"}`, "[no-identifier]"},
		"redacted":                     {"CreateThing", `,"requestParameters":{"thingName":"HIDDEN_DUE_TO_SECURITY_REASONS"}`, "[no-identifier]"},
		"stars":                        {"CreateThing", `,"requestParameters":{"thingName":"***"}`, "[no-identifier]"},
		"the text null":                {"CreateThing", `,"requestParameters":{"thingName":"null"}`, "[no-identifier]"},
		"a boolean for a name":         {"CreateThing", `,"requestParameters":{"thingName":true}`, "[no-identifier]"},
		"a fraction for a name":        {"CreateThing", `,"requestParameters":{"thingName":-1.5}`, "[no-identifier]"},
		"a number for a name":          {"CreateThing", `,"requestParameters":{"thingName":4711}`, "arn:aws:x:eu-west-1:111122223333:thing/4711"},
		"an object for a name":         {"CreateThing", `,"requestParameters":{"thingName":{"a":1}}`, "[no-identifier]"},
		"parameters that are too long": {"CreateThing", `,"requestParameters":null,"responseElements":null`, "[no-identifier]"},
		"no region":                    {"CreateThing", `,"requestParameters":{"thingName":"a"},"awsRegion":""`, "[no-identifier]"},
		"its own region":               {"CreateThing", `,"requestParameters":{"thingName":"a","replicaRegion":"us-gov-west-1"}`, "arn:aws-us-gov:x:us-gov-west-1:111122223333:thing/a"},
		"several, with children": {
			"CreateChildren", `,"responseElements":{"parents":{"items":[{"parentId":"p1","child":{"id":"c1"}},{"parentId":"p2","child":{"id":"c2"}}]}}`,
			"arn:aws:x:eu-west-1:111122223333:parent/p1 arn:aws:x:eu-west-1:111122223333:parent/p2 arn:aws:x:eu-west-1:111122223333:child/p1/c1 arn:aws:x:eu-west-1:111122223333:child/p2/c2",
		},
		"a child is missing": { // which parent's isn't certain
			"CreateChildren", `,"responseElements":{"parents":[{"parentId":"p1"},{"parentId":"p2","child":{"id":"c2"}},{"parentId":"p3","child":{"id":"c3"}}]}`,
			"arn:aws:x:eu-west-1:111122223333:parent/p1 arn:aws:x:eu-west-1:111122223333:parent/p2 arn:aws:x:eu-west-1:111122223333:parent/p3",
		},
		"named twice": {"CreateChildren", `,"responseElements":{"parents":["x",{"parentId":"p1"},{"parentId":"p1"}]}`, "arn:aws:x:eu-west-1:111122223333:parent/p1"},
		"filtered":    {"CreateFiltered", `,"responseElements":{"parts":[{"id":"a","state":{"shared":true}},{"id":"b","state":{"shared":false}},{"id":"c"}]}`, "arn:aws:x:eu-west-1:111122223333:own/b arn:aws:x:eu-west-1:111122223333:own/c"},
		"in several regions": {
			"CreateReplicas", `,"requestParameters":{"name":"a","updates":[{"create":{"region":"us-east-1"}},{"delete":{"region":"us-east-2"}},{"create":{"region":"us-west-2"}}]}`,
			"arn:aws:x:us-east-1:111122223333:replica/a arn:aws:x:us-west-2:111122223333:replica/a",
		},
		"in no region that is one": {"CreateReplicas", `,"requestParameters":{"name":"a","updates":[{"create":{"region":"***"}},{"create":{"region":"moon"}}]}`, "[no-identifier]"},
		"in none":                  {"CreateReplicas", `,"requestParameters":{"name":"a","updates":[{"delete":{"region":"us-east-2"}},{"create":null}]}`, "[not-a-create]"},
		"one condition":            {"CreateKind", `,"requestParameters":{"name":"a"}`, "arn:aws:x:eu-west-1:111122223333:old/a"},
		"the other condition":      {"CreateKind", `,"requestParameters":{"name":"a","kind":"new"}`, "arn:aws:x:eu-west-1:111122223333:new/a"},
		"no condition":             {"CreateKind", `,"requestParameters":{"name":"a","kind":"odd"}`, "[no-identifier]"},

		"dry run":               {"CreateThing", `,"errorCode":"Client.DryRunOperation"`, "[dry-run]"},
		"failed":                {"CreateThing", `,"errorCode":"AccessDenied"`, "[error]"},
		"failed without a code": {"CreateThing", `,"errorMessage":"no"`, "[error]"},
		"data event":            {"CreateThing", `,"managementEvent":false`, "[data-event]"},
		"data category":         {"CreateThing", `,"eventCategory":"Data"`, "[data-event]"},
		"read-only":             {"CreateThing", `,"readOnly":true`, "[read-only]"},
		"read-only by name":     {"DescribeThings", ``, "[read-only]"},
		"says it writes":        {"GetThingAndChangeIt", `,"readOnly":false`, "[not-a-create]"},
		"unknown":               {"CreateElse", ``, "[unknown-event]"},
		"no verb of creation":   {"CreatelyUpdate", ``, "[not-a-create]"},
		"not a create":          {"DeleteThing", ``, "[not-a-create]"},
		"not taggable":          {"CreateNowhere", ``, "[not-taggable]"},
		"off":                   {"CreateOff", `,"responseElements":{"id":"a"}`, "[excluded]"},
		"off, without an id":    {"CreateOff", ``, "[no-identifier]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := resolved(t, event(t, c.event, c.rest)); got != c.want {
				t.Errorf("found %s, want %s", got, c.want)
			}
		})
	}
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"AwsConsoleSignIn": "[sign-in]", "AwsServiceEvent": "[service-event]", "AwsConsoleAction": "[service-event]", "AwsVpceEvent": "[service-event]", "": "[not-taggable]",
	} {
		e := event(t, "CreateNowhere", "")
		e.Type = kind
		if got := resolved(t, e); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}

func TestRequestedTags(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"tags":[{"key":"a","value":"1"},{"Key":"b","Value":"2"}]`:  "a=1 b=2",
		`"Tags":{"a":"1","b":true}`:                                 "a=1 b=true",
		`"tags":{"items":[{"key":"a","value":"1"}]}`:                "a=1",
		`"tags":{"member":{"tagKey":"a","tagValue":"1"}}`:           "a=1",
		`"tags":{"Tag":[{"Key":"a","Value":"1"}]}`:                  "a=1",
		`"tags":{"Tag":{"Key":"a","Value":"1"}}`:                    "a=1",
		`"tags":{"key":"x","creator":"bob"}`:                        "creator=bob key=x",
		`"tags":{"item":"x","creator":"bob"}`:                       "creator=bob item=x",
		`"tags":{"items":{"item":{"tag":1,"Key":"a","Value":"1"}}}`: "a=1",
		`"tags":{"tag":"is a key too"}`:                             "tag=is a key too",
		`"tags":[{"resourceId":"g","key":"a","value":"1"}]`:         "a=1",
		`"tags":null`: "",
		`"tags":"x"`:  "",
		`"tags":[7]`:  "",
		`"other":1`:   "",
	} {
		created, _, _, err := resolve.Resolve(testCatalogue(), switches{}, event(t, "CreateThing", `,"requestParameters":{"thingName":"a",`+in+`}`))
		if err != nil || len(created) != 1 {
			t.Fatal(created, err)
		}
		var got []string
		for _, key := range slices.Sorted(maps.Keys(created[0].Requested)) {
			got = append(got, key+"="+created[0].Requested[key])
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: tags %q, want %q", in, s, want)
		}
	}
}

func TestPartition(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-1": "aws", "us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso",
		"us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc", "": "aws",
	} {
		if got := resolve.Partition(region); got != want {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
}

// FuzzResolve: whatever the parameters hold, what is found fits its type.
func FuzzResolve(f *testing.F) {
	f.Add("CreateThing", `{"thingName":"a"}`, `{"thingArn":"arn:aws:x:eu-west-1:111122223333:thing/a"}`)
	f.Add("CreateChildren", `{}`, `{"parents":{"items":[{"parentId":"p1","child":{"id":"c1"}}]}}`)
	f.Add("CreateReplicas", `{"name":"a","updates":[{"create":{"region":"us-east-1"}}]}`, `null`)
	f.Add("CreateThing", `{"CreateThingRequest":{"thingName":{"tag":1,"content":"x"}}}`, `null`)
	ofX := regexp.MustCompile(`^arn:aws(-[a-z-]+)?:x:[a-z0-9-]+:\d+:(thing|parent|child|own|old|new|replica)/[^*?<>]*[^\s*?<>]$`)
	f.Fuzz(func(t *testing.T, name, request, response string) {
		e, err := cloudtrail.Decode(fmt.Sprintf(`{"eventSource":"x.amazonaws.com","eventName":%q,"awsRegion":"eu-west-1","recipientAccountId":"111122223333","requestParameters":%s,"responseElements":%s}`, name, request, response))
		if err != nil {
			return
		}
		created, reason, _, err := resolve.Resolve(testCatalogue(), switches{}, e)
		if err != nil || (reason == "") != (len(created) > 0) {
			t.Fatal(created, reason, err)
		}
		for _, r := range created {
			if !ofX.MatchString(r.ARN) {
				t.Errorf("found %q", r.ARN)
			}
		}
	})
}
