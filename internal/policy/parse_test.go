package policy_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"autotagger/internal/policy"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden files and the published schema")

const example = "../../autotagger.example.yaml"

// The folders of testdata/bad say who refuses a file: the YAML reader, the
// schema, or only the checks beyond a schema.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	library := compile(t)
	walk(t, "testdata/bad", func(t *testing.T, path string, data []byte) {
		p, err := policy.Parse("autotagger.yaml", data)
		var bad *policy.Error
		if !errors.As(err, &bad) || p != nil {
			t.Fatalf("Parse = %v, %v; want a *policy.Error", p, err)
		}
		if !slices.IsSortedFunc(bad.Faults, func(a, b policy.Fault) int { return a.Line - b.Line }) {
			t.Error("the faults are not in line order")
		}
		for _, f := range bad.Faults {
			if lines := bytes.Count(data, []byte("\n")) + 1; f.Line < 1 || f.Line > lines {
				t.Errorf("line %d of %d: %s", f.Line, lines, f.Message)
			}
		}
		golden(t, strings.TrimSuffix(path, ".yaml")+".golden", []byte(err.Error()+"\n"))

		switch kind := filepath.Base(filepath.Dir(path)); kind {
		case "shape":
			if validate(library, data) == nil {
				t.Error("a JSON Schema library takes this file, so its fault isn't one of shape")
			}
		case "meaning":
			if err := validate(library, data); err != nil {
				t.Errorf("a JSON Schema library refuses this file, so its fault isn't one of meaning: %v", err)
			}
		}
	})
}

func TestParseTakes(t *testing.T) {
	t.Parallel()
	library := compile(t)
	check := func(t *testing.T, _ string, data []byte) {
		if _, err := policy.Parse("autotagger.yaml", data); err != nil {
			t.Fatal(err)
		}
		if err := validate(library, data); err != nil {
			t.Errorf("a JSON Schema library refuses the file: %v", err)
		}
	}
	walk(t, "testdata/good", check)
	walk(t, example, check)
}

func TestParseEmptyIsDefault(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "\n", "# words\n", "---\n", "null", "{}", "---\n# words\n...\n"} {
		if p := parse(t, data); !reflect.DeepEqual(p, policy.Default()) {
			t.Errorf("Parse(%q) = %+v, want Default()", data, p)
		}
	}
}

func TestParseExample(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, string(data))
	want := policy.Default()
	want.Overrides = []policy.Override{{Accounts: []string{"444455556666"}, Regions: []string{"eu-*"}, Mode: policy.Observe}}
	want.Tags.CreatedVia = "invoked-by"
	want.CostCenter = []policy.Source{
		{Tag: []string{"cost-center", "CostCenter"}},
		{Rule: &policy.Rule{
			Match: policy.Match{
				Accounts: []string{"111122223333"},
				Regions:  []string{"us-*"},
				Creators: []string{"*@data.example.com"},
				Roles:    []string{"DataEngineer"},
				Services: []string{"s3", "lambda"},
			},
			Value: "1234",
		}},
		{Account: map[string]string{"333344445555": "7100", "333344446666": "7200"}},
		{Unit: []policy.UnitValue{{Name: "data", Accounts: []string{"333344445555", "333344446666"}, Value: "7000"}}},
		{Parent: []string{"cost-center"}},
		{Session: []string{"CostCenter", "cost-center"}},
		{Principal: []string{"cost-center"}},
		{AccountTag: []string{"cost-center"}},
		{OU: map[string]string{"ou-ab12-c3d4e5f6": "7300", "r-ab12": "7400"}},
		{Default: "0000"},
	}
	want.Exclude = policy.Exclude{
		Accounts: []string{"999988887777"},
		Regions:  []string{"ap-northeast-3"},
		Services: []string{"cloudformation"},
		Types:    []string{"AWS::Logs::*"},
		Creators: []string{"*@contractor.example.com"},
		Names:    []string{"tmp-*"},
		Tag:      &policy.TagMatch{Key: "autotagger:skip", Value: "*"},
	}
	want.CORS.Declared = true
	want.CORS.Exclude = append(want.CORS.Exclude, "internal-*")
	want.CORS.Rules = []policy.CORSRule{
		{ID: "read-by-anyone", AllowedMethods: []string{"GET", "HEAD"}, AllowedOrigins: []string{"*"}, MaxAgeSeconds: 3000},
		{ID: "upload-by-us", AllowedMethods: []string{"PUT", "POST"}, AllowedOrigins: []string{"https://*.example.com"}, AllowedHeaders: []string{"*"}, ExposeHeaders: []string{"ETag"}},
	}
	want.Overrides = append(want.Overrides, policy.Override{Accounts: []string{"2222*"}, Mode: policy.Observe})
	want.Catalogue = policy.Catalogue{Enable: []string{"*:Run*"}, Disable: []string{"ec2:CreateDefault*"}}
	want.RemovedTags, want.RestoreTags = true, true
	want.LookUps = policy.LookUps{
		Ledger: true, Parents: true, Children: true, Wait: 2 * time.Minute,
		IdentityStore: &policy.IdentityStore{Account: "111122223333", Region: "eu-west-1"},
	}
	want.Sessions = policy.Sessions{Strict: true, TrustedRoles: []string{"Deploy-*"}, Verify: true}
	want.CostCenters = policy.CostCenters{Values: []string{"0000", "1234"}, Object: "s3://my-config/cost-centers.txt", Fallback: "0000"}
	want.OwnRoles = append(want.OwnRoles, "platform-replay-*")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse(example) =\n%+v\nwant\n%+v", got, want)
	}
}

// Every key of the schema stands in the example, with a comment or not, and in
// the documentation.
func TestEveryKeyIsShown(t *testing.T) {
	t.Parallel()
	for _, path := range []string{example, "../../docs/configuration.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		eachSchema(schemaDocument(t), func(s map[string]any) {
			properties, _ := s["properties"].(map[string]any)
			for key := range properties {
				if !bytes.Contains(text, []byte(key)) {
					t.Errorf("%s doesn't mention the key %s", path, key)
				}
			}
		})
	}
}

func TestParseForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, yaml string
		got        func(*policy.Policy) any
		want       any
	}{
		{"creator's short form", "tags: {creator: owner}", func(p *policy.Policy) any { return p.Tags.Creator }, "owner"},
		{"creator's long form", "tags: {creator: {key: owner, value: arn, unknown: true}}",
			func(p *policy.Policy) any { return p.Tags },
			policy.Tags{Creator: "owner", CostCenter: "cost-center", CreatorForm: policy.CreatorARN, UnknownCreator: true}},
		{"hash", "tags: {creator: {value: hash, hash-key: 0123456789abcdef-}}", func(p *policy.Policy) any { return p.Tags.HashKey }, "0123456789abcdef-"},
		{"optional tags on", "tags: {created-at: true, created-by-arn: true, created-via: true}",
			func(p *policy.Policy) any { return p.Keys() },
			[]string{"cost-center", "created-at", "created-by-arn", "created-via", "creator"}},
		{"optional tags off", "tags: {created-at: false}", func(p *policy.Policy) any { return p.Tags.CreatedAt }, ""},
		{"the source follows the key", "tags: {cost-center: CC}", func(p *policy.Policy) any { return p.CostCenter }, []policy.Source{{Tag: []string{"CC"}}}},
		{"one tag without a list", "cost-center: [{tag: CC}]", func(p *policy.Policy) any { return p.CostCenter }, []policy.Source{{Tag: []string{"CC"}}}},
		{"no source", "cost-center: []", func(p *policy.Policy) any { return len(p.CostCenter) }, 0},
		{"by account", "cost-center: [{account: {\"012345678901\": \"1\", 111122223333: \"2\"}}]", func(p *policy.Policy) any { return p.CostCenter },
			[]policy.Source{{Account: map[string]string{"012345678901": "1", "111122223333": "2"}}}},
		{"by unit", "units: {data: [\"1*\"], web: [\"2*\"]}\ncost-center: [{unit: {web: w, data: d}}]", func(p *policy.Policy) any { return p.CostCenter },
			[]policy.Source{{Unit: []policy.UnitValue{{Name: "web", Accounts: []string{"2*"}, Value: "w"}, {Name: "data", Accounts: []string{"1*"}, Value: "d"}}}}},
		{"units of an override", "units: {data: [\"1*\"], web: [\"2*\", \"3*\"]}\noverrides: [{accounts: [\"9*\"], units: [web], mode: off}]", func(p *policy.Policy) any { return p.Overrides },
			[]policy.Override{{Accounts: []string{"9*", "2*", "3*"}, Mode: policy.Off}}},
		{"units of a rule", "units: {data: [\"1*\"]}\ncost-center: [{rule: {units: [data], value: d}}]", func(p *policy.Policy) any { return p.CostCenter[0].Rule.Accounts }, []string{"1*"}},
		{"JSON", `{"mode": "observe", "units": {"data": ["1*"]}}`, func(p *policy.Policy) any { return p.Mode }, policy.Observe},
		{"replace", "existing: replace", func(p *policy.Policy) any { return p.Existing }, policy.Replace},
		{"opt-out's short form", "exclude: {tag: skip-me}", func(p *policy.Policy) any { return *p.Exclude.Tag }, policy.TagMatch{Key: "skip-me"}},
		{"no opt-out", "exclude: {tag: false}", func(p *policy.Policy) any { return p.Exclude.Tag == nil }, true},
		{"own roles", "own-roles: [tagger]", func(p *policy.Policy) any { return p.OwnRoles }, []string{"autotagger-tagger-*", "autotagger-cors-*", "tagger"}},
		{"off is a word", "mode: off", func(p *policy.Policy) any { return p.Mode }, policy.Off},
		{"cors off", "cors: off", func(p *policy.Policy) any { return p.CORS }, policy.CORS{Declared: true, Off: true}},
		{"cors as it is", "cors: {}", func(p *policy.Policy) any { return p.CORS },
			policy.CORS{Declared: true, Rules: policy.Default().CORS.Rules, Exclude: policy.Default().CORS.Exclude}},
		{"no built-in excludes", "cors: {exclude-service-buckets: false, exclude: [a]}", func(p *policy.Policy) any { return p.CORS.Exclude },
			[]string{"*--x-s3", "*--table-s3", "a"}},
		{"block text", "cost-center:\n  - default: |-\n      1234\n", func(p *policy.Policy) any { return p.CostCenter[0].Default }, "1234"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.got(parse(t, tt.yaml)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

// Files built to cost far more to read than they weigh: that reading them ends
// is what is tested, within the time that go test gives.
func TestParseIsBounded(t *testing.T) {
	t.Parallel()
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x]\n")
	for i := range 30 {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9))
	}
	files := map[string]string{"laughs": laughs.String(), "big": strings.Repeat("#\n", 1<<20)}
	for _, unit := range []string{"[", "{", "- ", "? ", "a: ", "{a: [", "a: 1\n", "a:\n", "-\n", "&a ", "*a ", "!!a ", "\"", "'", "|\n", "<<: ", "---\n", "\t", "a\n", "%A\n", "[a,", "- - a\n"} {
		files[unit] = strings.Repeat(unit, (32<<10)/len(unit))
	}
	var deep strings.Builder
	for i := range 500 {
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	files["deep"] = deep.String()
	for name, data := range files {
		if _, err := policy.Parse("bomb.yaml", []byte(data)); err == nil && strings.Trim(data, "# \n-\t") != "" {
			t.Errorf("%q: read without a fault", name)
		}
	}
}

// The walker in schema.go knows a part of JSON Schema; this holds the document
// to that part, to having a description everywhere, and to being valid itself.
func TestSchema(t *testing.T) {
	t.Parallel()
	golden(t, "../../docs/autotagger.schema.json", policy.Schema())
	compile(t)
	known := []string{"$schema", "$ref", "$defs", "title", "description", "default", "type", "enum", "oneOf",
		"properties", "additionalProperties", "patternProperties", "required", "minProperties", "maxProperties", "items", "minItems", "maxItems",
		"minLength", "maxLength", "pattern", "patternErrorMessage", "minimum", "maximum", "writeOnly"}
	document := schemaDocument(t)
	definitions := document["$defs"].(map[string]any)
	typeOf := func(s map[string]any) any {
		if ref, ok := s["$ref"].(string); ok {
			s = definitions[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		return s["type"]
	}
	eachSchema(document, func(s map[string]any) {
		for keyword := range s {
			if !slices.Contains(known, keyword) {
				t.Errorf("the walker doesn't know the keyword %s", keyword)
			}
			beside := slices.Contains([]string{"$ref", "description", "default"}, keyword)
			if _, ref := s["$ref"]; ref && !beside {
				t.Errorf("%s stands beside a $ref", keyword)
			}
		}
		if (s["pattern"] != nil || s["patternProperties"] != nil) != (s["patternErrorMessage"] != nil) {
			t.Errorf("%v: a pattern and its message go together", s["pattern"])
		}
		if _, ok := s["properties"]; ok && s["additionalProperties"] != false {
			t.Error("a mapping takes any key")
		}
		if alternatives, ok := s["oneOf"].([]any); ok {
			var types []any
			for _, a := range alternatives {
				if kind := typeOf(a.(map[string]any)); kind == nil || slices.Contains(types, kind) {
					t.Errorf("oneOf between values of the same type, %v", kind)
				} else {
					types = append(types, kind)
				}
			}
		} else if s["$ref"] == nil && s["type"] == nil {
			t.Errorf("no type: %v", s)
		}
		properties, _ := s["properties"].(map[string]any)
		for key, property := range properties {
			if property.(map[string]any)["description"] == nil {
				t.Errorf("%s has no description", key)
			}
		}
	})
	changed := policy.Schema()
	changed[0] = 'x'
	if bytes.Equal(changed, policy.Schema()) {
		t.Error("a caller can change the schema")
	}
}

func FuzzParse(f *testing.F) {
	for _, root := range []string{"testdata", example} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yaml" {
				return err
			}
			data, err := os.ReadFile(path)
			f.Add(data)
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	library := compile(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		p, err := policy.Parse("fuzz.yaml", data)
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
		if err != nil {
			var bad *policy.Error
			if !errors.As(err, &bad) || len(bad.Faults) == 0 || p != nil {
				t.Fatalf("Parse = %v, %v", p, err)
			}
			for _, fault := range bad.Faults {
				if fault.Line < 1 {
					t.Fatalf("no line: %v", fault)
				}
			}
			return
		}
		if len(p.Keys()) < 2 || p.Mode == "" || p.Existing == "" {
			t.Fatalf("a policy with holes: %+v", p)
		}
		p.CORSFor("bucket")
		p.Excluded(policy.Subject{Name: "bucket"})
		// An empty document is no mapping to a schema, and the default to us.
		if reflect.DeepEqual(p, policy.Default()) {
			return
		}
		if err := validate(library, data); err != nil {
			t.Fatalf("taken, but a JSON Schema library refuses it: %v", err)
		}
	})
}

// BenchmarkParse reads the example, and the cost centers of 2,000 accounts.
func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile(example)
	if err != nil {
		b.Fatal(err)
	}
	organisation := "cost-center:\n  - account:\n"
	for i := range 2000 {
		organisation += fmt.Sprintf("      \"%012d\": \"%d\"\n", i, i%97)
	}
	for name, data := range map[string][]byte{"example": data, "accounts": []byte(organisation)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policy.Parse("autotagger.yaml", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func parse(t *testing.T, data string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("autotagger.yaml", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// walk runs a test for every YAML file at or under a path.
func walk(t *testing.T, root string, test func(t *testing.T, path string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		t.Run(filepath.ToSlash(strings.TrimPrefix(path, "testdata/")), func(t *testing.T) {
			t.Parallel()
			test(t, path, data)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", path, got, want)
	}
}

// compile reads the schema with a JSON Schema library.
func compile(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(policy.Schema()))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("autotagger.schema.json", document); err != nil {
		tb.Fatal(err)
	}
	s, err := c.Compile("autotagger.schema.json")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// validate checks a YAML file with the library. A file without a value counts
// as an empty mapping.
func validate(s *jsonschema.Schema, data []byte) error {
	var v any
	if err := yaml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &v); err != nil {
		return err
	}
	if v == nil {
		v = map[string]any{}
	}
	return s.Validate(plain(v))
}

// plain turns the YAML decoder's numbers into the ones the library knows.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case uint64:
		return float64(v)
	}
	return v
}

func schemaDocument(t *testing.T) map[string]any {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(policy.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	return document.(map[string]any)
}

// eachSchema calls visit for a schema and every schema in it.
func eachSchema(s map[string]any, visit func(map[string]any)) {
	visit(s)
	for _, keyword := range []string{"properties", "patternProperties", "$defs"} {
		inner, _ := s[keyword].(map[string]any)
		for _, v := range inner {
			eachSchema(v.(map[string]any), visit)
		}
	}
	if items, ok := s["items"].(map[string]any); ok {
		eachSchema(items, visit)
	}
	alternatives, _ := s["oneOf"].([]any)
	for _, v := range alternatives {
		eachSchema(v.(map[string]any), visit)
	}
}
