package catalogue_test

import (
	"reflect"
	"strings"
	"testing"

	"autotagger/internal/catalogue"
)

// TestCallsReadBack: what is written of the data's blocks reads the same.
func TestCallsReadBack(t *testing.T) {
	t.Parallel()
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		for _, res := range r.Resources {
			if res.Calls == nil || seen[r.Source+res.Calls.Name] {
				continue
			}
			seen[r.Source+res.Calls.Name] = true
			var b strings.Builder
			res.Calls.Append(&b)
			again, err := catalogue.ParseCalls(b.String())
			if err != nil || !reflect.DeepEqual(again, res.Calls) {
				t.Errorf("%s: %+v, %v\nof\n%s", r.Source, again, err, &b)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d blocks", len(seen))
	}
}

func TestCallsFaults(t *testing.T) {
	t.Parallel()
	const whole = "client: x\nid: X\nprotocol: json-1.1 T\nwrite: TagResource A={arn} Tags={map}\nread: ListTags A={arn} -> Tags={map}\n"
	const rest = "client: x\nid: X\nprotocol: rest-json\nwrite: TagResource POST /t/{arn} Tags={map}\nread: ListTags GET /t/{arn}?n={next} -> Tags={map} Next={next}\n"
	for _, good := range []string{whole, rest} {
		if _, err := catalogue.ParseCalls(good); err != nil {
			t.Error(err)
		}
	}
	change := func(text, from, to string) string {
		if !strings.Contains(text, from) {
			t.Errorf("%q isn't in\n%s", from, text)
		}
		return strings.Replace(text, from, to, 1)
	}
	for text, want := range map[string]string{
		"":                                      "there is no client",
		change(whole, "id: X\n", ""):            "needs id, protocol, write and read",
		change(whole, "json-1.1 T", "json-1.1"): "needs a target, a version or a name",
		change(whole, "json-1.1 T", "soap"):     `there is no protocol "soap"`,
		change(whole, "TagResource A", "TagResource POST /t A"):             "calls have a method and a path where the protocol is REST",
		change(rest, "POST /t/{arn} ", ""):                                  "calls have a method and a path where the protocol is REST",
		change(whole, "A={arn} Tags={map}\nread", "A={arn}\nread"):          "the call has no tags",
		change(whole, "A={arn} Tags", "A={name} Tags"):                      "has a {name}; there are arn,",
		change(whole, "A={arn} Tags", "A={arn Tags"):                        "has a {arn}; there are arn,",
		change(whole, "A={arn} Tags", "A Tags"):                             `"A" is no name=value`,
		change(whole, "-> Tags={map}", "-> Tags={map} More"):                "an answer has tags, and may have a {next}",
		change(whole, "-> Tags={map}", "-> Tags={map} More={next}"):         "in the request and in the answer, or in neither",
		change(rest, " Next={next}", ""):                                    "in the request and in the answer, or in neither",
		change(rest, "POST /t", "POST t"):                                   "begins with no slash",
		change(whole, "ListTags A={arn} ->", "ListTags A={arn} B={map} ->"): "a read's tags stand behind ->",
		change(whole, "write: TagResource", "write: GetThing"):              "GetThing doesn't write",
		change(whole, "read: ListTags", "read: TagMore"):                    "TagMore isn't known to change nothing",
		whole + "colour: red\n":                                             `a client has no field "colour"`,
		whole + "endpoint: localhost\n":                                     "is no endpoint",
		whole + "endpoint: a.b c d\n":                                       "is no endpoint",
		whole + "client: x\n":                                               "the client x has a block already",
	} {
		if _, err := catalogue.ParseCalls(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant it to say %q", text, err, want)
		}
	}
}

// TestEndpoint: a region's line goes before a partition's, and that before the
// one for all.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	c, err := catalogue.ParseCalls("client: x\nid: X\nprotocol: json-1.1 T\nsigning: y\n" +
		"endpoint: {account}.a.{region}.{dual-suffix}\nendpoint: aws b.{suffix} us-east-1\nendpoint: eu-west-1 c.{region}.{suffix}\n" +
		"write: TagResource A={arn} Tags={map}\nread: ListTags A={arn} -> Tags={map}")
	if err != nil {
		t.Fatal(err)
	}
	usual := catalogue.Service{Signing: "y"}
	for _, e := range []struct {
		service           *catalogue.Service
		partition, region string
		host, signed      string
	}{
		{&c.Service, "aws", "us-west-2", "b.amazonaws.com", "us-east-1"},
		{&c.Service, "aws", "eu-west-1", "c.eu-west-1.amazonaws.com", "eu-west-1"},
		{&c.Service, "aws-cn", "cn-north-1", "1.a.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"},
		{&usual, "aws-iso", "us-iso-east-1", "y.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
		{&usual, "aws-us-gov", "us-gov-west-1", "y.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
	} {
		if host, signed := e.service.Endpoint(e.partition, e.region, "1"); host != e.host || signed != e.signed {
			t.Errorf("%s: %s signed for %s, want %s for %s", e.region, host, signed, e.host, e.signed)
		}
	}
}
