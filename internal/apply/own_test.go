package apply_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/encoding/cbor"

	"autotagger/internal/apply"
	"autotagger/internal/catalogue"
)

// pages answers the requests one after the other and keeps them as text.
type pages struct {
	mu      sync.Mutex
	answers []string
	header  http.Header
	status  int
	asked   []string
}

func (p *pages) Do(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body := []byte(nil)
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	p.asked = append(p.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	answer := ""
	if len(p.answers) > 0 {
		answer, p.answers = p.answers[0], p.answers[1:]
	}
	return &http.Response{StatusCode: max(p.status, 200), Header: p.header, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func (p *pages) config() aws.Config {
	return aws.Config{HTTPClient: p, Retryer: func() aws.Retryer { return aws.NopRetryer{} }}
}

// TestOwnCalls: every form of a call's data, what it sends and how its answers
// are read. The resource has owner=x already, on the last page.
func TestOwnCalls(t *testing.T) {
	t.Parallel()
	const head = "client: x\nid: X\n"
	for name, c := range map[string]struct {
		calls, arn string
		answers    []string
		asked      []string // the reads', then the write's
	}{
		"JSON in pages": {
			calls:   "protocol: json-1.1 T\nwrite: TagResource Arn={arn} Tags=[Key,Value]\nread: ListTags Arn={arn} Token={next} -> TagList=[Key,Value] NextToken={next}",
			answers: []string{`{"TagList": [{"Key": "a", "Value": null}], "NextToken": "t"}`, `{"TagList": [{"Key": "owner", "Value": "x"}], "NextToken": null}`},
			asked: []string{
				`POST / {"Arn":"$"}`, `POST / {"Arn":"$","Token":"t"}`, `POST / {"Arn":"$","Tags":[{"Key":"creator","Value":"a<b"}]}`,
			},
		},
		"an id, and a list further down": {
			calls:   "protocol: json-1.0 T\nwrite: AddTags Id={id} Tags={map}\nread: Describe Ids=[{id}] -> Things.Tags=[key,value]",
			answers: []string{`{"Things": [{"Tags": [{"key": "owner", "value": "x"}]}]}`},
			asked:   []string{`POST / {"Ids":["r1"]}`, `POST / {"Id":"r1","Tags":{"creator":"a<b"}}`},
		},
		"REST with the ARN in the path": {
			calls:   "protocol: rest-json\nwrite: TagResource POST /tags/{arn} tags={map}\nread: ListTags GET /tags/{arn}?max=9&token={next} -> tags={map} next={next}",
			answers: []string{`{"tags": {"a": "b"}, "next": "t/1"}`, `{"tags": {"owner": "x"}}`},
			asked: []string{
				"GET /tags/arn%3Aaws%3Ax%3Aus-east-1%3A123456789012%3Athing%2Fr1?max=9",
				"GET /tags/arn%3Aaws%3Ax%3Aus-east-1%3A123456789012%3Athing%2Fr1?max=9&token=t%2F1",
				`POST /tags/arn%3Aaws%3Ax%3Aus-east-1%3A123456789012%3Athing%2Fr1 {"tags":{"creator":"a<b"}}`,
			},
		},
		"REST with slashes, account and type": {
			calls:   "protocol: rest-json\nwrite: Tag PUT /{account}/{type}/{id}?op=add tags={map}\nread: GetTags GET /tags/{arn+} -> tags={map}",
			answers: []string{`{"tags": {"owner": "x"}}`},
			asked: []string{
				"GET /tags/arn%3Aaws%3Ax%3Aus-east-1%3A123456789012%3Athing/r1",
				`PUT /123456789012/thing/r1?op=add {"tags":{"creator":"a<b"}}`,
			},
		},
		"query": {
			calls: "protocol: query 2020-01-01\nwrite: CreateTags Name={arn} Tags.Tag=[Key,Value]\nread: DescribeTags Name={arn} Marker={next} -> Resources.Tag=[Key,Value] Marker={next}",
			answers: []string{
				"<R><DescribeTagsResult><Marker>m</Marker><Resources><Resource><Tag><Key>a</Key><Value>b</Value></Tag></Resource></Resources></DescribeTagsResult></R>",
				"<R><DescribeTagsResult><Resources><Resource><Tag><Key>owner</Key><Value>x</Value></Tag></Resource></Resources><Other><Tag><Key>creator</Key><Value>z</Value></Tag></Other></DescribeTagsResult></R>",
			},
			asked: []string{
				"POST / Action=DescribeTags&Name=$&Version=2020-01-01", "POST / Action=DescribeTags&Marker=m&Name=$&Version=2020-01-01",
				"POST / Action=CreateTags&Name=$&Tags.Tag.1.Key=creator&Tags.Tag.1.Value=a%3Cb&Version=2020-01-01",
			},
		},
		"CBOR": {
			calls:   "protocol: cbor Svc\nwrite: TagResource Arn={arn} Tags={map}\nread: ListTags Arn={arn} -> Tags={map}",
			answers: []string{string(cbor.Encode(cbor.Map{"Tags": cbor.Map{"owner": cbor.String("x")}, "Count": cbor.Uint(1)}))},
			asked: []string{
				"POST /service/Svc/operation/ListTags " + string(cbor.Encode(cbor.Map{"Arn": cbor.String(arnOf("x", "thing/r1"))})),
				"POST /service/Svc/operation/TagResource ",
			},
		},
		"a parameter of Systems Manager": {
			arn: arnOf("ssm", "parameter/team/key"), answers: []string{`{"TagList": [{"Key": "owner", "Value": "x"}]}`},
			asked: []string{
				`POST / {"ResourceId":"/team/key","ResourceType":"Parameter"}`,
				`POST / {"ResourceId":"/team/key","ResourceType":"Parameter","Tags":[{"Key":"creator","Value":"a<b"}]}`,
			},
		},
		"a document of Systems Manager": {
			arn: arnOf("ssm", "document/run"), answers: []string{`{"TagList": [{"Key": "owner", "Value": "x"}]}`},
			asked: []string{`POST / {"ResourceId":"run","ResourceType":"Document"}`, `POST / {"ResourceId":"run","ResourceType":"Document","Tags":[{"Key":"creator","Value":"a<b"}]}`},
		},
		"a hosted zone": {
			arn:     "arn:aws:route53:::hostedzone/Z1",
			answers: []string{"<L><ResourceTagSet><ResourceId>Z1</ResourceId><Tags><Tag><Key>owner</Key><Value>x</Value></Tag></Tags></ResourceTagSet></L>"},
			asked: []string{
				"GET /2013-04-01/tags/hostedzone/Z1",
				`POST /2013-04-01/tags/hostedzone/Z1 <ChangeTagsForResourceRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><AddTags><Tag><Key>creator</Key><Value>a&lt;b</Value></Tag></AddTags></ChangeTagsForResourceRequest>`,
			},
		},
		"a distribution": {
			arn:     "arn:aws:cloudfront::123456789012:distribution/E1",
			answers: []string{"<Tags><Items><Tag><Key>owner</Key><Value>x</Value></Tag></Items></Tags>"},
			asked: []string{
				"GET /2020-05-31/tagging?Resource=arn%3Aaws%3Acloudfront%3A%3A123456789012%3Adistribution%2FE1",
				`POST /2020-05-31/tagging?Operation=Tag&Resource=arn%3Aaws%3Acloudfront%3A%3A123456789012%3Adistribution%2FE1 <Tags xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Items><Tag><Key>creator</Key><Value>a&lt;b</Value></Tag></Items></Tags>`,
			},
		},
		"a video stream": {
			arn: arnOf("kinesisvideo", "stream/s/1"), answers: []string{`{"Tags": {"owner": "x"}}`},
			asked: []string{`POST /listTagsForStream {"StreamARN":"$"}`, `POST /tagStream {"StreamARN":"$","Tags":{"creator":"a<b"}}`},
		},
		"a signaling channel": {
			arn: arnOf("kinesisvideo", "channel/c/1"), answers: []string{`{"Tags": {"owner": "x"}}`},
			asked: []string{`POST /ListTagsForResource {"ResourceARN":"$"}`, `POST /TagResource {"ResourceARN":"$","Tags":[{"Key":"creator","Value":"a<b"}]}`},
		},
		"a log group with a star": {
			calls: "protocol: json-1.1 T\nwrite: TagResource Arn={arn} Tags={map}\nread: ListTags Arn={arn} -> Tags={map}",
			arn:   arnOf("logs", "log-group:g:*"), answers: []string{`{"Tags": {"owner": "x"}}`},
			asked: []string{`POST / {"Arn":"` + arnOf("logs", "log-group:g") + `"}`, `POST / {"Arn":"` + arnOf("logs", "log-group:g") + `","Tags":{"creator":"a<b"}}`},
		},
	} {
		r := request(c.arn, "own")
		r.Tags, r.Calls = map[string]string{"creator": "a<b", "owner": "other"}, nil
		if c.arn == "" {
			r.ARN = arnOf("x", "thing/r1")
		}
		if c.calls != "" {
			var err error
			if r.Calls, err = catalogue.ParseCalls(head + c.calls); err != nil {
				t.Fatal(err)
			}
		}
		p := &pages{answers: c.answers}
		got := apply.New(p.config(), options()).Tag(t.Context(), []apply.Request{r})[0]
		if got.Outcome != apply.Tagged || !maps.Equal(got.Written, map[string]string{"creator": "a<b"}) || got.Standing["owner"] != "x" {
			t.Errorf("%s: %+v", name, got)
		}
		if len(p.asked) != len(c.asked) {
			t.Errorf("%s: asked\n%s", name, strings.Join(p.asked, "\n"))
			continue
		}
		for i, want := range c.asked {
			arn := r.ARN
			if strings.Contains(want, "Action=") {
				arn = strings.ReplaceAll(strings.ReplaceAll(arn, ":", "%3A"), "/", "%2F")
			}
			if want = strings.ReplaceAll(want, "$", arn); p.asked[i] != want && !(name == "CBOR" && strings.HasPrefix(p.asked[i], strings.TrimSpace(want))) {
				t.Errorf("%s: asked\n%s\nwant\n%s", name, p.asked[i], want)
			}
		}
	}
}

// TestOddAnswers: an answer that isn't as the data says is an error, never an
// absence of tags: writing over what wasn't read would do harm.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	pairs := "client: x\nid: X\nprotocol: json-1.1 T\nwrite: TagResource Arn={arn} Tags=[Key,Value]\nread: ListTags Arn={arn} -> Tags=[Key,Value]"
	object := strings.ReplaceAll(pairs, "[Key,Value]", "{map}")
	form := strings.ReplaceAll(pairs, "json-1.1 T", "query 1")
	binary := strings.ReplaceAll(object, "json-1.1 T", "cbor T")
	for _, c := range []struct{ calls, answer string }{
		{pairs, `nonsense`}, {pairs, `[]`}, {pairs, `{"Tags": "x"}`}, {pairs, `{"Tags": [1]}`}, {pairs, `{"Tags": [{"Name": "x"}]}`}, {pairs, `{"Tags": [{"Key": "k", "Value": 1}]}`},
		{object, `{"Tags": {"k": 1}}`}, {object, `{"Tags": true}`}, {form, `{}`}, {binary, `{}`},
	} {
		calls, err := catalogue.ParseCalls(c.calls)
		if err != nil {
			t.Fatal(err)
		}
		r := request(arnOf("x", "thing/r1"), "own")
		r.Calls = calls
		p := &pages{answers: []string{c.answer}}
		if got := apply.New(p.config(), options()).Tag(t.Context(), []apply.Request{r})[0]; got.Err == nil || len(p.asked) != 1 {
			t.Errorf("%s: %+v after %q", c.answer, got, p.asked)
		}
	}
}

// TestUnnamed: what a call can't name isn't asked for.
func TestUnnamed(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		arnOf("ssm", "session/s"):       apply.WhyBadARN,
		arnOf("ssm", "document/"):       apply.WhyBadARN,
		arnOf("kinesisvideo", "other"):  apply.WhyNoAPI,
		"arn:aws:iam::1:group/g":        apply.WhyNoAPI,
		arnOf("kms", "alias/a"):         apply.WhyBadARN,
		"arn:aws:route53:::hostedzone/": apply.WhyBadARN,
	} {
		p := &pages{}
		if got := apply.New(p.config(), options()).Tag(t.Context(), []apply.Request{request(arn, "own")})[0]; got.Why != want || len(p.asked) != 0 {
			t.Errorf("%s: %+v after %q", arn, got, p.asked)
		}
	}
}

// TestCBORErrors: a refusal in CBOR has its code like any other.
func TestCBORErrors(t *testing.T) {
	t.Parallel()
	calls, err := catalogue.ParseCalls("client: x\nid: X\nprotocol: cbor T\nwrite: TagResource Arn={arn} Tags={map}\nread: ListTags Arn={arn} -> Tags={map}")
	if err != nil {
		t.Fatal(err)
	}
	r := request(arnOf("x", "thing/r1"), "own")
	r.Calls = calls
	p := &pages{
		status: 400, header: http.Header{"Content-Type": {"application/cbor"}, "Smithy-Protocol": {"rpc-v2-cbor"}},
		answers: []string{string(cbor.Encode(cbor.Map{"__type": cbor.String("com.amazonaws.x#AccessDeniedException"), "message": cbor.String("no")}))},
	}
	got := apply.New(p.config(), options()).Tag(t.Context(), []apply.Request{r})[0]
	if got.Outcome != apply.Denied || got.Why != "AccessDeniedException" || !strings.Contains(fmt.Sprint(got.Err), "no") {
		t.Errorf("%+v", got)
	}
}
