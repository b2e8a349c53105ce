package iampolicy_test

import (
	"reflect"
	"strings"
	"testing"

	"autotagger/internal/iampolicy"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got := parse(t, `{"Version":"2012-10-17","Id":"x","Statement":[
		{"Sid":"A","Effect":"Allow","Principal":{"Service":"events.amazonaws.com","AWS":["111122223333","*"]},"Action":"sqs:SendMessage","Resource":["a","b"],
		 "Condition":{"StringEquals":{"k:b":"2","k:a":["1",true,3]},"Bool":{"k:c":false}}},
		{"Effect":"Deny","NotPrincipal":"*","NotAction":["s3:*"],"NotResource":"c"}]}`)
	want := iampolicy.Document{Version: "2012-10-17", ID: "x", Statements: []iampolicy.Statement{
		{
			Sid: "A", Actions: []string{"sqs:SendMessage"}, Resources: []string{"a", "b"},
			Principals: map[string][]string{"Service": {"events.amazonaws.com"}, "AWS": {"111122223333", "*"}},
			Conditions: []iampolicy.Condition{{"Bool", "k:c", []string{"false"}}, {"StringEquals", "k:a", []string{"1", "true", "3"}}, {"StringEquals", "k:b", []string{"2"}}},
		},
		{Deny: true, NotPrincipals: map[string][]string{"*": {"*"}}, NotActions: []string{"s3:*"}, NotResources: []string{"c"}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                     "EOF",
		`[]`:                   "array",
		`{}`:                   "no statement",
		`{"Statement":[]}`:     "no statement",
		`{"Statement":[{}]} x`: "follows",
		`{"Version":"2027-01-01","Statement":[{}]}`:                                                           "2027-01-01",
		`{"Version":"2012-10-17","Statements":[{}]}`:                                                          "Statements",
		statement(`"Effect":"allow","Action":"*","Resource":"*"`):                                             `effect is "allow"`,
		statement(`"Effect":"Allow","Resource":"*"`):                                                          "neither",
		statement(`"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"`):                             "both",
		statement(`"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"`):                           "both Resource",
		statement(`"Effect":"Allow","Action":"*","Principal":"*","NotPrincipal":"*"`):                         "both Principal",
		statement(`"Effect":"Allow","Action":"GetObject","Resource":"*"`):                                     `"GetObject" is no action`,
		statement(`"Effect":"Allow","Action":"*:TagResource","Resource":"*"`):                                 `"*:TagResource" is no action`,
		statement(`"Effect":"Allow","Action":["s3:*",1],"Resource":"*"`):                                      "Action: 1 is no string",
		statement(`"Effect":"Allow","Action":null,"Resource":"*"`):                                            "null is no string",
		statement(`"Effect":"Allow","Action":"*","Resource":{"Fn::Sub":"x"}`):                                 "no string",
		statement(`"Effect":"Allow","Action":"*","Principal":"alice"`):                                        `"alice"`,
		statement(`"Effect":"Allow","Action":"*","Principal":{"AWS":{"Ref":"x"}}`):                            "AWS",
		statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"k:a":null}}`):           "condition Bool on k:a",
		statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":"x"}`):            "cannot unmarshal",
		statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"k:a":[{"Ref":"x"}]}}`):  "no string",
		statement(`"Effect":"Allow","Action":"*","Resource":"*","Conditions":{"StringEquals":{"k:a":["x"]}}`): "Conditions",
	} {
		if _, err := iampolicy.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want one that has %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(statement(`"Effect":"Deny","Action":["s3:*"],"Resource":"arn:aws:s3:::${aws:username}/*","Condition":{"ForAnyValue:ArnNotLikeIfExists":{"aws:TagKeys":["*","${*}",true]}}`)))
	f.Add([]byte(statement(`"Effect":"Allow","NotAction":"s3:?","NotResource":["a"],"NotPrincipal":{"AWS":"111122223333"}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := iampolicy.Parse(data)
		if err != nil {
			return
		}
		r := iampolicy.Request{Action: "s3:GetObject", Resource: object, Principal: []string{"arn:aws:iam::111122223333:role/x"}, Context: map[string][]string{"aws:TagKeys": {"a", "b"}, "aws:username": {"alice"}}}
		if got := iampolicy.Evaluate(r, doc); (got.Why == "") == (got.Decision == iampolicy.Unknown) || (got.Statement == nil) != (got.Decision == iampolicy.NotAllowed) {
			t.Errorf("%s: %+v", data, got)
		}
	})
}
