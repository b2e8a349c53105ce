package catalogue_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"autotagger/internal/catalogue"
)

func TestLimit(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct{ takes, refuses, fault string }{
		"":                     {"aZ9é漢𝒳² \u00a0_.:/=+-@", ",;\n\u2028\u0000\U0001F600\ufffd", ""},
		"max=127":              {"aé @", ",", ""},
		"ascii":                {"aZ9 _@", "é漢𝒳²\u00a0", ""},
		"no-space":             {"aé@", " \u00a0\u3000", ""},
		"ascii no-space no=.@": {"aZ9_:", " \u00a0.@é", ""},
		"max=255 bytes=256":    {"aé", ",", ""},
		"max=many":             {"", "", "max=many"},
		"max=0":                {"", "", "max=0"},
		"no=x":                 {"", "", "no=x"},
		"unicode":              {"", "", "unicode"},
	} {
		l, err := catalogue.ParseLimit(text)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil || l.String() != text || l.Both(l) != l || l.Both(catalogue.Limit{}) != l {
			t.Errorf("%q is %+v, written %q: %v", text, l, l, err)
		}
		for _, r := range c.takes {
			if !l.Takes(r) {
				t.Errorf("%q refuses %q", text, r)
			}
		}
		for _, r := range c.refuses {
			if l.Takes(r) {
				t.Errorf("%q takes %q", text, r)
			}
		}
	}
	a, b := catalogue.Limit{Max: 255, No: "@"}, catalogue.Limit{Max: 100, Bytes: 256, ASCII: true, No: " .@"}
	if got := a.Both(b).String(); got != "max=100 bytes=256 ascii no-space no=.@" || a.Both(b) != b.Both(a) {
		t.Errorf("both are %s", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit    catalogue.Limit
		in, want string
	}{
		{catalogue.Limit{}, strings.Repeat("é", 9), strings.Repeat("é", 8)},
		{catalogue.Limit{}, "1234567𝒳", "1234567"},
		{catalogue.Limit{}, "123456𝒳", "123456𝒳"},
		{catalogue.Limit{Max: 3}, "1234", "123"},
		{catalogue.Limit{Bytes: 4}, "éé", "éé"},
		{catalogue.Limit{Bytes: 3}, "éé", "é"},
	} {
		if got := c.limit.Cut(c.in, 8); got != c.want {
			t.Errorf("%q becomes %q by %+v, want %q", c.in, got, c.limit, c.want)
		}
	}
}

func TestKeyFault(t *testing.T) {
	t.Parallel()
	strict := catalogue.Limit{ASCII: true, Max: 10, No: " @"}
	for key, want := range map[string]string{
		"creator":     "",
		"Cost Center": "' '",
		"größe":       "'ö'",
		"cost-center": `longer than "cost-cente"`,
	} {
		if got := strict.KeyFault(key); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
		if got := (catalogue.Limit{}).KeyFault(key); got != "" {
			t.Errorf("%s: %s", key, got)
		}
	}
}

// TestLimitsRead: a client's limits hold for the rows that it serves, the head's for
// the others.
func TestLimitsRead(t *testing.T) {
	t.Parallel()
	const text = `source: x.amazonaws.com
api: tagging
permissions: x:Tag
keys: max=127
values: ascii

client: x
id: X
protocol: json-1.1 X
write: TagResource Arn={arn} Tags=[Key,Value]
read: ListTags Arn={arn} -> Tags=[Key,Value]
values: no=@

event: CreateA
type: x:a
arn: arn:{partition}:x:{region}:{account}:a/{id}
from: response.id
evidence: none
calls: x

event: CreateB
type: x:b
arn: arn:{partition}:x:{region}:{account}:b/{id}
from: response.id
evidence: none
`
	c := catalogue.New(fstest.MapFS{"x.txt": {Data: []byte(text)}})
	for event, want := range map[string]catalogue.Limits{
		"CreateA": {Values: catalogue.Limit{No: "@"}},
		"CreateB": {Keys: catalogue.Limit{Max: 127}, Values: catalogue.Limit{ASCII: true}},
	} {
		row, err := c.Lookup("x.amazonaws.com", event)
		if err != nil {
			t.Fatal(err)
		}
		if got := row.Resources[0].Limits; got != want {
			t.Errorf("%s: %+v, want %+v", event, got, want)
		}
	}
	for _, line := range []string{"values: ascii", "values: no=@"} {
		if _, err := catalogue.Parse("x.txt", strings.Replace(text, line, "values: none", 1)); err == nil || !strings.Contains(err.Error(), `"none"`) {
			t.Errorf("%v", err)
		}
	}
}
