package cloudtrail_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"autotagger/internal/cloudtrail"
)

const record = `{"eventVersion":"1.11","eventID":"%s","eventSource":"s3.amazonaws.com","eventName":"CreateBucket","eventTime":"2026-11-21T10:00:00Z","awsRegion":"eu-west-1","recipientAccountId":"111122223333"}`

func rec(id string) string { return fmt.Sprintf(record, id) }

func envelope(detail string) string {
	return `{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","account":"111122223333","detail":` + detail + `}`
}

func sqs(bodies ...string) string {
	var records []string
	for _, b := range bodies {
		records = append(records, `{"messageId":"m","eventSource":"aws:sqs","body":`+quoted(b)+`}`)
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func indented(s string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(s), "", "  "); err != nil {
		panic(err)
	}
	return b.String()
}

// found says what was read: ids, or the reason in brackets.
func found(r io.Reader) string {
	var got []string
	for rec := range cloudtrail.Read(r) {
		var unusable *cloudtrail.Error
		switch {
		case errors.As(rec.Err, &unusable):
			got = append(got, "["+string(unusable.Reason)+"]")
		case rec.Err != nil:
			got = append(got, rec.Err.Error())
		default:
			got = append(got, rec.Event.ID)
		}
		if rec.N != len(got) {
			got = append(got, fmt.Sprintf("(numbered %d)", rec.N))
		}
	}
	return strings.Join(got, " ")
}

func TestReadForms(t *testing.T) {
	t.Parallel()
	log := `{"Records":[` + rec("a") + "," + rec("b") + `]}`
	for name, c := range map[string]struct{ in, want string }{
		"record":                    {rec("a"), "a"},
		"record over lines":         {indented(rec("a")), "a"},
		"event":                     {envelope(rec("a")), "a"},
		"log file":                  {log, "a b"},
		"gzipped log file":          {zipped(log), "a b"},
		"empty log file":            {`{"Records":[]}`, ""},
		"array":                     {"[" + rec("a") + "," + envelope(rec("b")) + "]", "a b"},
		"batch":                     {sqs(envelope(rec("a")), "{", rec("b")), "a [malformed] b"},
		"batch without body":        {`{"Records":[{"eventSource":"aws:sqs"}]}`, "[malformed]"},
		"lines":                     {rec("a") + "\n" + envelope(rec("b")) + "\n\n" + log + "\n", "a b a b"},
		"lines with CR":             {rec("a") + "\r\n" + rec("b") + "\r\n", "a b"},
		"gzipped lines":             {zipped(rec("a") + "\n" + rec("b")), "a b"},
		"documents over lines":      {indented(rec("a")) + "\n" + indented(rec("b")), "a b"},
		"documents without a space": {rec("a") + rec("b"), "a b"},
		"lookup-events":             {`{"Events":[{"EventId":"x","CloudTrailEvent":` + quoted(rec("a")) + `},{}]}`, "a [malformed]"},
		"digest file":               {`{"awsAccountId":"111122223333","digestStartTime":"2026-11-21T10:00:00Z","logFiles":[]}`, "[not-cloudtrail]"},
		"Insights event":            {`{"Records":[{"eventVersion":"1.07","eventType":"AwsCloudTrailInsight","eventCategory":"Insight","insightDetails":{}}]}`, "[not-cloudtrail]"},
		"byte order mark":           {"\xef\xbb\xbf" + rec("a"), "a"},

		"empty":                    {"", "[malformed]"},
		"blank":                    {" \n\t", "[malformed]"},
		"truncated":                {rec("a")[:100], "[malformed]"},
		"truncated over lines":     {indented(rec("a"))[:150], "[malformed]"},
		"truncated log file":       {log[:len(log)-20], "[malformed]"},
		"a broken line":            {rec("a") + "\n{\"eventID\":\n" + rec("b"), "a [malformed] b"},
		"broken lines":             {"x\ny\n" + rec("b"), "[malformed] [malformed] b"},
		"a broken document":        {indented(rec("a"))[:60] + "\n" + indented(rec("b")), "[malformed] b"},
		"truncated gzip":           {zipped(log)[:60], "[malformed] [malformed]"}, // the record that is cut, and the rest
		"gzip magic only":          {"\x1f\x8b", "[malformed]"},
		"a scalar":                 {`"x"`, "[malformed]"},
		"null":                     {"null", "[malformed]"},
		"empty object":             {"{}", "[malformed]"},
		"no source":                {`{"eventName":"X"}`, "[malformed]"},
		"odd source":               {`{"eventName":"X","eventSource":" s3.amazonaws.com"}`, "[malformed]"},
		"another cloud's source":   {`{"eventName":"X","eventSource":"ram.aliyuncs.com"}`, "[malformed]"},
		"odd name":                 {`{"eventName":"<name>","eventSource":"s3.amazonaws.com"}`, "[malformed]"},
		"source of a wrong type":   {`{"eventName":"X","eventSource":["s3.amazonaws.com"]}`, "[malformed]"},
		"detail of a wrong type":   {envelope(`"x"`), "[malformed]"},
		"no detail":                {`{"detail-type":"AWS API Call via CloudTrail"}`, "[malformed]"},
		"S3 notification":          {`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put"}]}`, "[not-cloudtrail]"},
		"another event":            {`{"detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","detail":{}}`, "[not-cloudtrail]"},
		"deep nesting":             {strings.Repeat("[", 1<<20), "[malformed]"},
		"deep nesting of a record": {`{"eventSource":"s3.amazonaws.com","eventName":"X","eventID":"a","requestParameters":` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000) + "}", "a"},
		"five megabytes":           {`{"eventSource":"s3.amazonaws.com","eventName":"X","eventID":"a","requestParameters":{"x":"` + strings.Repeat("y", 5<<20) + `"}}`, "a"},
		"wrong types everywhere":   {`{"eventID":1,"eventSource":"s3.amazonaws.com","eventName":"X","eventTime":[],"awsRegion":{},"userIdentity":"me","errorCode":7,"readOnly":"maybe","requestParameters":[1],"responseElements":true}`, "1"},
		"null everywhere":          {`{"eventID":null,"eventSource":"s3.amazonaws.com","eventName":"X","eventTime":null,"awsRegion":null,"userIdentity":null,"errorCode":null,"readOnly":null,"requestParameters":null,"responseElements":null}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := found(strings.NewReader(c.in)); got != c.want {
				t.Errorf("read %q, want %q", got, c.want)
			}
		})
	}
}

// TestReadError: what came before the input broke is read, and the break is
// said.
func TestReadError(t *testing.T) {
	t.Parallel()
	broken := io.MultiReader(strings.NewReader(rec("a")+"\n"), iotest.ErrReader(errors.New("the disk is gone")))
	if got := found(broken); got != "a [malformed]" {
		t.Errorf("read %q", got)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a": x}`: "at byte 7",
		`{"a":1`:   "unexpected end of JSON input",
		``:         "empty",
	} {
		if _, err := cloudtrail.Decode(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", in, err, want)
		}
	}
}

func TestDecodeFields(t *testing.T) {
	t.Parallel()
	e, err := cloudtrail.Decode(`{"eventid":"1","eventSource":"kms.amazonaws.com","eventName":"CreateKey","eventTime":"2026-11-21T10:00:00Z","awsRegion":"us-east-1",
		"eventType":"AwsApiCall","eventCategory":"Management","managementEvent":true,"readOnly":"false",
		"useridentity":{"type":"AssumedRole","principalid":"AROA:me","accountId":123456789012,"invokedBy":"cloudformation.amazonaws.com","inScopeOf":{"issuerType":"AWS::Lambda::Function"},
			"sessioncontext":{"sourceIdentity":"ada","ec2RoleDelivery":"2.0","sessionIssuer":{"arn":"arn:aws:iam::123456789012:role/r","userName":"r"}}},
		"requestParameters":"{\"a\":{\"B\":\"c\"}}"}`)
	if err != nil {
		t.Fatal(err)
	}
	id := e.Identity
	for what, ok := range map[string]bool{
		"id":              e.ID == "1",
		"time":            e.Time.Year() == 2026,
		"account":         e.Account == "123456789012",
		"flags":           e.ReadOnly == cloudtrail.False && e.Management == cloudtrail.True,
		"identity":        id.Type == "AssumedRole" && id.PrincipalID == "AROA:me" && id.InScopeOf,
		"session":         id.SourceIdentity == "ada" && id.EC2RoleDelivery == "2.0" && id.IssuerName == "r" && strings.HasSuffix(id.IssuerARN, "/r"),
		"JSON in a text":  e.Request.Key("A").Key("b").Text() == "c",
		"absent response": !e.Response.Exists(),
		"service":         e.Service() == "kms",
	} {
		if !ok {
			t.Errorf("%s is wrong: %+v", what, e)
		}
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		`"errorCode":"Client.DryRunOperation"`:  true,
		`"requestParameters":{"dryRun":true}`:   true,
		`"requestParameters":{"DryRun":"true"}`: true,
		`"requestParameters":{"dryRun":false}`:  false,
		`"errorCode":"AccessDenied"`:            false,
	} {
		e, err := cloudtrail.Decode(`{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances",` + in + `}`)
		if err != nil || e.DryRun != want {
			t.Errorf("%s: dry run %v, %v; want %v", in, e.DryRun, err, want)
		}
	}
}

func TestValueElements(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`null`:                                 "",
		`""`:                                   "",
		`{}`:                                   "",
		`[]`:                                   "",
		`["a","b"]`:                            "a b",
		`"a"`:                                  "a",
		`7`:                                    "7",
		`{"items":["a","b"]}`:                  "a b",
		`{"item":"a"}`:                         "a",
		`{"item":{"tag":1,"content":"a"}}`:     "a",
		`{"member":[{"content":"a"},"b"]}`:     "a b",
		`{"tag":1,"content":"a"}`:              "a",
		`[{"tag":1,"content":"a"},"b",3,true]`: "a b 3 true",
		`{"items":{"item":["a"]}}`:             "a",
		`{"items":""}`:                         "",
		`{"item":["a"],"tag":1,"xmlns":"x"}`:   "a",
		`{"item":"a","other":"b"}`:             "",
	} {
		var got []string
		for _, v := range cloudtrail.ParseValue(in).Elements() {
			got = append(got, v.Text())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: elements %q, want %q", in, s, want)
		}
	}
}

func TestValueKey(t *testing.T) {
	t.Parallel()
	v := cloudtrail.ParseValue(`{"tag":1,"Tag":"exact","dBInstanceArn":"x","aRN":"y","gone":null}`)
	for key, want := range map[string]string{"Tag": "exact", "tag": "1", "dbinstancearn": "x", "arn": "y", "gone": "", "none": ""} {
		if got := v.Key(key).Text(); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

// FuzzRead: whatever comes in, reading ends, each record is an event or an
// [*cloudtrail.Error], and an event has a source and a name.
func FuzzRead(f *testing.F) {
	f.Add([]byte(rec("a")))
	f.Add([]byte(envelope(rec("a"))))
	f.Add([]byte(sqs(rec("a"), "{")))
	f.Add([]byte(rec("a") + "\n{\n" + indented(rec("b"))))
	f.Add([]byte(`{"Records":[{"eventSource":"aws:sqs","body":7},[],null,{"Records":[{}]}]}`))
	f.Add([]byte(zipped(rec("a"))))
	f.Add([]byte(`{"eventSource":"s3.amazonaws.com","eventName":"X","requestParameters":"{\"items\":[{}]}"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for r := range cloudtrail.Read(bytes.NewReader(data)) {
			var unusable *cloudtrail.Error
			if r.Err != nil && !errors.As(r.Err, &unusable) {
				t.Errorf("record %d: %v", r.N, r.Err)
			}
			if r.Err == nil && (r.Event.Source == "" || r.Event.Name == "") {
				t.Errorf("record %d has no source or name", r.N)
			}
			if r.Event != nil {
				for _, v := range append(r.Event.Request.Elements(), r.Event.Response.Key("items").Elements()...) {
					v.Text()
				}
			}
		}
	})
}

// logFile is a gzipped log file of about the size that CloudTrail writes.
func logFile() string {
	var records []string
	for i := range 2000 {
		records = append(records, rec(fmt.Sprintf("id-%d", i)))
	}
	return zipped(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

// BenchmarkRead measures the reading of a gzipped log file. Its floor is
// BenchmarkGunzip, gzip and json.Valid: no program that reads the file does
// less.
func BenchmarkRead(b *testing.B) {
	file := logFile()
	for b.Loop() {
		n := 0
		for r := range cloudtrail.Read(strings.NewReader(file)) {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
			n++
		}
		if n != 2000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkGunzip(b *testing.B) {
	file := logFile()
	for b.Loop() {
		z, err := gzip.NewReader(strings.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil || !json.Valid(data) {
			b.Fatal(err)
		}
	}
}
