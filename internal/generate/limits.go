package generate

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

//go:embed limits.txt
var limitsFile string

// limits.txt says by hand what a service takes less than its model does.
func readLimits() (map[string]catalogue.Limits, error) {
	all := map[string]catalogue.Limits{}
	for n, line := range facts(limitsFile) {
		f := strings.Split(line, "\t")
		if len(f) != 4 || f[1] != "keys" && f[1] != "values" {
			return nil, fmt.Errorf("reading limits.txt:%d: %q is not: service, keys or values, limit, page", n, line)
		}
		l, err := catalogue.ParseLimit(f[2])
		if err != nil {
			return nil, fmt.Errorf("reading limits.txt:%d: %w", n, err)
		}
		of := all[f[0]]
		if f[1] == "keys" {
			of.Keys = l
		} else {
			of.Values = l
		}
		all[f[0]] = of
	}
	return all, nil
}

// limits are what a service takes of a tag's key and value: by the shapes behind the
// tags of the calls that write them, and by hand.
func (g *generator) limits(s *models.Service, ops ...string) (catalogue.Limits, error) {
	var l catalogue.Limits
	for _, p := range pairsOf(s, ops) {
		key, err := limitOf(p.key, catalogue.MaxKey)
		if err != nil {
			return l, fmt.Errorf("the tag's key of %s: %w", s.Name, err)
		}
		value, err := limitOf(p.value, catalogue.MaxValue)
		if err == nil && strings.Contains(value.No, "_") {
			err = errors.New("it takes no underscore, which stands for what it doesn't take")
		}
		if err != nil {
			return l, fmt.Errorf("the tag's value of %s: %w", s.Name, err)
		}
		l = catalogue.Limits{Keys: l.Keys.Both(key), Values: l.Values.Both(value)}
	}
	if hand, is := g.byHand[s.Name]; is {
		both := catalogue.Limits{Keys: l.Keys.Both(hand.Keys), Values: l.Values.Both(hand.Values)}
		if both == l {
			return l, fmt.Errorf("limits.txt: the model of %s says no less: take its lines out", s.Name)
		}
		l = both
	}
	return l, nil
}

// headLimits are those of the services of a source that have no client's block to say
// them, the strictest of all.
func (g *generator) headLimits(source string) (catalogue.Limits, error) {
	var l catalogue.Limits
	for _, s := range g.aws.Services {
		if s.Ended || !slices.Contains(g.eventSources(s), source) || g.callsOf(s, g.iamOf(s)).client != nil {
			continue
		}
		one, err := g.limits(s, writesOf(s)...)
		if err != nil {
			return l, err
		}
		l = catalogue.Limits{Keys: l.Keys.Both(one.Keys), Values: l.Values.Both(one.Values)}
	}
	return l, nil
}

// irregularWrites write tags, beside those of tagWrites.
var irregularWrites = regexp.MustCompile(`^(CreateOrUpdateTags|ChangeTagsForResource|SetTagsForResource|Put\w+Tagging)$`)

// writesOf are a service's calls that write tags; where there are none, those that
// make something with tags.
func writesOf(s *models.Service) []string {
	var writes, creates []string
	for _, op := range s.Names() {
		if irregularWrites.MatchString(op) || slices.ContainsFunc(tagWrites, func(n *regexp.Regexp) bool { return n.MatchString(op) }) {
			writes = append(writes, op)
		}
		if strings.HasPrefix(op, "Create") {
			creates = append(creates, op)
		}
	}
	if len(pairsOf(s, writes)) == 0 {
		return creates
	}
	return writes
}

// pair is a tag's key and value.
type pair struct{ key, value *models.Shape }

// pairsOf are the tags that calls take.
func pairsOf(s *models.Service, ops []string) []pair {
	var all []pair
	seen := map[string]bool{}
	var walk func(r *models.Ref, tags bool)
	walk = func(r *models.Ref, tags bool) {
		if r == nil || seen[fmt.Sprint(r.Shape, tags)] {
			return
		}
		seen[fmt.Sprint(r.Shape, tags)] = true
		shape := s.Shape(r)
		if p, is := pairOf(s, shape); is && tags {
			all = append(all, p)
			return
		}
		if shape.Type == "list" {
			walk(shape.Member, tags)
		}
		for _, n := range shape.Names() {
			walk(shape.Members[n], tags || strings.Contains(strings.ToLower(n), "tag"))
		}
	}
	for _, op := range ops {
		walk(s.Operations[op].Input, false)
	}
	return all
}

// pairOf tells a tag by its shape: a map of strings, or a key and a value.
func pairOf(s *models.Service, shape *models.Shape) (pair, bool) {
	if shape.Type == "map" {
		p := pair{s.Shape(shape.Key), s.Shape(shape.Value)}
		return p, p.key.Type == "string" && p.value.Type == "string"
	}
	var p pair
	for _, n := range shape.Names() {
		switch member, low := s.Shape(shape.Members[n]), strings.ToLower(n); {
		case member.Type != "string":
		case strings.HasSuffix(low, "key"):
			p.key = member
		case strings.HasSuffix(low, "value"):
			p.value = member
		}
	}
	return p, p.key != nil && p.value != nil
}

// Characters that stand for their kind: of ASCII all services take them, and the
// others are letters, digits and spaces of several scripts and planes.
const (
	plainSamples = "azAZ09"
	otherSamples = "éßΩйعن漢字ひ한𝒳²٣Ⅷ\u00a0\u3000"
	markSamples  = " _.:/=+-@"
)

// limitOf is what a shape takes less than most characters of all that Limit knows. A
// pattern counts as one of the whole text, whether it has anchors or not: so services
// read theirs. That \s, \w and \d are of ASCII alone is Java's way as well as Go's.
func limitOf(shape *models.Shape, most int) (catalogue.Limit, error) {
	var l catalogue.Limit
	fits, err := matcher(shape.Pattern)
	if err != nil {
		return l, err
	}
	takes := func(c rune) bool { return fits("a" + string(c) + "a") }
	for _, c := range plainSamples {
		if !takes(c) {
			return l, fmt.Errorf("the pattern %s takes no %c", shape.Pattern, c)
		}
	}
	for _, c := range markSamples {
		if !takes(c) {
			l.No += string(c)
		}
	}
	for _, c := range otherSamples {
		l.ASCII = l.ASCII || c != '\u00a0' && c != '\u3000' && !takes(c)
	}
	if !l.ASCII && !strings.Contains(l.No, " ") && !(takes('\u00a0') && takes('\u3000')) {
		return l, fmt.Errorf("the pattern %s takes spaces of ASCII alone, and letters of all scripts", shape.Pattern)
	}
	longest := most
	if shape.Max > 0 {
		longest = min(longest, int(min(shape.Max, float64(most))))
	}
	for longest > 0 && !fits(strings.Repeat("a", longest)) {
		longest--
	}
	switch {
	case longest == 0:
		return l, fmt.Errorf("the pattern %s takes nothing", shape.Pattern)
	case longest < most:
		l.Max = longest
	}
	return l, nil
}

// translated are patterns as Go writes them that it can't read as they are.
var translated = map[string]string{
	// Java's all characters.
	`[\p{all}]*`: `[\s\S]*`,
	// Its halves of surrogates are characters beyond the first plane.
	`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`: `[\x{20}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}\r\n\t]*`,
	// What follows the end of the text is no end of it.
	`(\S([\s\S]*\S)?)?(?![\s\S]).*`: `(\S([\s\S]*\S)?)?`,
	`\S([\s\S]*\S)?(?![\s\S]).*`:    `\S([\s\S]*\S)?`,
	// A length, said ahead.
	`(?=.{0,256}$)([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`: `[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`,
	`(?=.{1,128}$)([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`: `[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`,
	// A dot too many, before which nothing stands but the text's beginning.
	`^(^(?!aws:).[\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`: `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`,
}

// notAWS is what patterns have against keys that begin as AWS's own. The
// configuration takes no such key.
var notAWS = regexp.MustCompile(`\(\?!(aws|\[aA\](\{1\})?\[wW\](\{1\})?\[sS\](\{1\})?):\)`)

// matcher tells what is a whole text of a pattern; of none, all is.
func matcher(pattern string) (func(string) bool, error) {
	if pattern == "" {
		return func(string) bool { return true }, nil
	}
	text := translated[pattern]
	if text == "" {
		text = notAWS.ReplaceAllString(pattern, "")
	}
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("reading the pattern %s: %w", pattern, err)
	}
	return re.MatchString, nil
}
