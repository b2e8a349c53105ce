package policy

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// schemaJSON is the one description of a configuration's shape: editors read
// it, the documentation is written along it, and check walks it.
//
//go:embed schema.json
var schemaJSON string

// Schema is the JSON Schema (draft 2020-12) of a configuration, with a
// description for every key. Editors complete and check against it; [Parse]
// checks every file against the same document.
func Schema() []byte { return []byte(schemaJSON) }

// schema is the part of JSON Schema that the document uses. It is read by this
// small walker and not by a JSON Schema library because a library costs
// several milliseconds of package start and compilation at each cold start of
// the function; the tests hold the walker against a library. A oneOf is always
// between values of different types, and a $ref stands without other
// constraints beside it; a test holds that too.
type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 kind               `json:"type"`
	Enum                 []any              `json:"enum"`
	OneOf                []*schema          `json:"oneOf"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *bool              `json:"additionalProperties"`
	PatternProperties    map[string]*schema `json:"patternProperties"` // of one pattern at most
	Required             []string           `json:"required"`
	MinProperties        int                `json:"minProperties"`
	MaxProperties        *int               `json:"maxProperties"`
	Items                *schema            `json:"items"`
	MinItems             int                `json:"minItems"`
	MaxItems             *int               `json:"maxItems"`
	MinLength            int                `json:"minLength"`
	MaxLength            *int               `json:"maxLength"`
	Pattern              string             `json:"pattern"`
	// PatternMessage is an annotation that the YAML language server knows as
	// well: what to say instead of the regular expression.
	PatternMessage string `json:"patternErrorMessage"`
	Minimum        *int64 `json:"minimum"`
	Maximum        *int64 `json:"maximum"`
	// WriteOnly marks a secret, which no message repeats.
	WriteOnly bool               `json:"writeOnly"`
	Defs      map[string]*schema `json:"$defs"`
}

// checker walks a document along the schema.
type checker struct {
	defs     map[string]*schema
	patterns map[string]*regexp.Regexp
	faults   []Fault
}

// check lists where a document departs from the schema.
func check(root *node) ([]Fault, error) {
	var s schema
	if err := json.Unmarshal([]byte(schemaJSON), &s); err != nil {
		return nil, fmt.Errorf("reading the configuration's schema: %w", err)
	}
	c := &checker{defs: s.Defs, patterns: map[string]*regexp.Regexp{}}
	c.value(root, &s)
	return c.faults, nil
}

func (c *checker) fault(n *node, format string, args ...any) {
	c.faults = append(c.faults, Fault{Line: n.line, Path: n.path, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) resolve(s *schema) *schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		if def := c.defs[name]; def != nil {
			return def
		}
	}
	return s
}

func (c *checker) value(n *node, s *schema) {
	s = c.resolve(s)
	allowed := c.describe(s)
	if len(s.OneOf) > 0 {
		branch := c.branch(n, s.OneOf)
		if branch == nil {
			c.mistyped(n, s.OneOf, allowed)
			return
		}
		s = branch
	}
	if !fits(n.kind, s.Type) {
		c.mistyped(n, []*schema{s}, allowed)
		return
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(v any) bool {
		return strings.EqualFold(fmt.Sprint(v), n.text) && (n.kind == kindBoolean || v == n.text)
	}) {
		shown := quoted(n.text)
		if n.kind != kindString {
			shown = n.text
		}
		c.fault(n, "%s is not allowed here; allowed: %s", shown, allowed)
		return
	}
	switch n.kind {
	case kindObject:
		c.object(n, s)
	case kindArray:
		c.array(n, s)
	case kindString:
		c.text(n, s)
	case kindInteger:
		c.integer(n, s)
	}
}

// branch is the alternative for the node's type.
func (c *checker) branch(n *node, alternatives []*schema) *schema {
	for _, a := range alternatives {
		if a = c.resolve(a); fits(n.kind, a.Type) {
			return a
		}
	}
	return nil
}

// mistyped says what a value is and what it should be. YAML reads 0123 as a
// number and yes-or-no words as booleans, where a person meant text: the
// commonest slip, so it gets its own words.
func (c *checker) mistyped(n *node, alternatives []*schema, allowed string) {
	wantsText, secret := false, false
	for _, a := range alternatives {
		a = c.resolve(a)
		wantsText = wantsText || a.Type == kindString && len(a.Enum) == 0
		secret = secret || a.WriteOnly
	}
	is := "a number"
	if n.kind == kindBoolean {
		is = "a boolean"
	}
	switch n.kind {
	case kindNull:
		c.fault(n, "is empty; remove the key, or give it a value; allowed: %s", allowed)
	case kindInteger, kindNumber, kindBoolean:
		switch {
		case secret:
			c.fault(n, "YAML reads this as %s, not as text; quote it", is)
		case wantsText:
			c.fault(n, "YAML reads %s as %s, not as text; quote it: %q", n.text, is, n.text)
		default:
			c.fault(n, "%s is %s; allowed: %s", n.text, is, allowed)
		}
	case kindString:
		c.fault(n, "%s is text; allowed: %s", quoted(n.text), allowed)
	case kindArray:
		c.fault(n, "is a list; allowed: %s", allowed)
	case kindObject:
		c.fault(n, "is a mapping; allowed: %s", allowed)
	}
}

func (c *checker) object(n *node, s *schema) {
	known := keys(s)
	for _, f := range n.fields {
		if p := s.Properties[f.key]; p != nil {
			c.value(f.value, p)
			continue
		}
		if len(s.PatternProperties) > 0 {
			c.named(f, n.path, s)
			continue
		}
		hint := ""
		if near := Nearest(f.key, known); near != "" {
			hint = fmt.Sprintf("did you mean %q? ", near)
		}
		c.faults = append(c.faults, Fault{Line: f.line, Path: join(n.path, f.key), Message: "unknown key; " + hint + "allowed: " + strings.Join(known, ", ")})
	}
	for _, key := range s.Required {
		if n.get(key) == nil {
			c.fault(n, "%s is missing", key)
		}
	}
	if len(n.fields) < s.MinProperties || s.MaxProperties != nil && len(n.fields) > *s.MaxProperties {
		if len(known) == 0 {
			c.fault(n, "is empty; give it an entry, or leave it out")
			return
		}
		c.fault(n, "has %d keys; give exactly one of: %s", len(n.fields), strings.Join(known, ", "))
	}
}

// named checks an entry whose key is a name of the person's own.
func (c *checker) named(f field, path string, s *schema) {
	for pattern, p := range s.PatternProperties {
		re, err := c.compile(pattern)
		switch {
		case err != nil:
			c.faults = append(c.faults, Fault{Line: f.line, Path: path, Message: fmt.Sprintf("%s can't be checked: %v", quoted(f.key), err)})
		case !re.MatchString(f.key):
			c.faults = append(c.faults, Fault{Line: f.line, Path: path, Message: fmt.Sprintf("%s is not allowed here: %s", quoted(f.key), s.PatternMessage)})
		default:
			c.value(f.value, p)
		}
	}
}

// compile compiles each pattern once.
func (c *checker) compile(pattern string) (*regexp.Regexp, error) {
	if re := c.patterns[pattern]; re != nil {
		return re, nil
	}
	re, err := regexp.Compile(pattern)
	if err == nil {
		c.patterns[pattern] = re
	}
	return re, err
}

func (c *checker) array(n *node, s *schema) {
	if len(n.items) < s.MinItems {
		c.fault(n, "has %d entries; at least %d needed", len(n.items), s.MinItems)
	}
	if s.MaxItems != nil && len(n.items) > *s.MaxItems {
		c.fault(n, "has %d entries; at most %d allowed", len(n.items), *s.MaxItems)
	}
	for _, item := range n.items {
		c.value(item, s.Items)
	}
}

func (c *checker) text(n *node, s *schema) {
	length, shown := utf8.RuneCountInString(n.text), quoted(n.text)
	if s.WriteOnly {
		shown = "the secret"
	}
	switch {
	case length < s.MinLength:
		c.fault(n, "%s has %d characters; at least %d needed", shown, length, s.MinLength)
		return
	case s.MaxLength != nil && length > *s.MaxLength:
		c.fault(n, "%s has %d characters; at most %d allowed", shown, length, *s.MaxLength)
		return
	case s.Pattern == "":
		return
	}
	switch re, err := c.compile(s.Pattern); {
	case err != nil:
		c.fault(n, "%s can't be checked: %v", shown, err)
	case !re.MatchString(n.text):
		c.fault(n, "%s is not allowed here: %s", shown, s.PatternMessage)
	}
}

func (c *checker) integer(n *node, s *schema) {
	if s.Minimum == nil || s.Maximum == nil {
		return
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || v < *s.Minimum || v > *s.Maximum {
		c.fault(n, "%s is not allowed here; allowed: a whole number from %d to %d in decimal digits", n.text, *s.Minimum, *s.Maximum)
	}
}

// describe says in words what a schema allows.
func (c *checker) describe(s *schema) string {
	switch {
	case len(s.OneOf) > 0:
		var parts []string
		for _, a := range s.OneOf {
			parts = append(parts, c.describe(c.resolve(a)))
		}
		return strings.Join(parts, ", or ")
	case len(s.Enum) > 0:
		var parts []string
		for _, v := range s.Enum {
			parts = append(parts, fmt.Sprint(v))
		}
		return strings.Join(parts, ", ")
	}
	switch s.Type {
	case kindBoolean:
		return "true, false"
	case kindInteger:
		return "a whole number"
	case kindArray:
		return "a list"
	case kindObject:
		if len(s.PatternProperties) > 0 {
			return "a mapping"
		}
		return "a mapping with " + strings.Join(keys(s), ", ")
	default:
		return "text"
	}
}

func fits(k, want kind) bool { return k == want || k == kindInteger && want == kindNumber }

func keys(s *schema) []string {
	out := make([]string, 0, len(s.Properties))
	for k := range s.Properties {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Nearest is the known key that a mistyped one was most likely meant to be, or
// nothing if none is close. Underscores and capitals are the usual slips.
func Nearest(key string, known []string) string {
	if len(key) > 40 {
		return ""
	}
	plain := strings.ReplaceAll(strings.ToLower(key), "_", "-")
	best, least := "", 3
	for _, k := range known {
		if d := distance(plain, k); d < least && d < len(k)/2 || strings.ReplaceAll(k, "-", "") == strings.ReplaceAll(plain, "-", "") {
			best, least = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
