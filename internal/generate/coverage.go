package generate

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
)

//go:embed uncovered.txt
var uncoveredFile string

// Coverage compares the catalogue with CloudFormation's taggable types.
type Coverage struct {
	Taggable int // types that take tags
	Retired  int // of those, types that no live service creates
	Covered  int // types that a row which is on creates
	// Upserts are the types that only calls make which may also change what
	// exists, or whose tagging takes more than permission to tag: marked in the
	// catalogue, and off.
	Upserts map[string]string
	// Missed and RetiredTypes are the others by name, with the reason.
	Missed, RetiredTypes map[string]string
	// Unexplained are types that are missed without a reason in uncovered.txt,
	// Needless the lines of it that explain nothing.
	Unexplained, Needless []string
}

// Recall is the share of taggable types of live services that is covered, in
// percent; Known that with the upserts.
func (c *Coverage) Recall() float64 { return c.share(c.Covered) }

// Known is the share of the types that the catalogue knows.
func (c *Coverage) Known() float64 { return c.share(c.Covered + len(c.Upserts)) }

func (c *Coverage) share(n int) float64 {
	return 100 * float64(n) / float64(max(c.Taggable-c.Retired, 1))
}

// Fault is what keeps the comparison from being whole: types without a reason, and
// reasons that explain nothing.
func (c *Coverage) Fault() error {
	if len(c.Unexplained)+len(c.Needless) == 0 {
		return nil
	}
	return fmt.Errorf("uncovered.txt: %d types lack a reason: %v; %d lines explain nothing: %v", len(c.Unexplained), c.Unexplained, len(c.Needless), c.Needless)
}

// uncovered is a line of uncovered.txt about types.
type uncovered struct {
	pattern, class, why string
	used                bool
}

// readUncovered reads uncovered.txt: why types aren't covered, and, by event
// source and name, why calls that other taggers handle have no row.
func readUncovered() (types []*uncovered, calls map[string]string, err error) {
	calls = map[string]string{}
	for n, text := range facts(uncoveredFile) {
		f := strings.SplitN(text, "\t", 3)
		switch {
		case len(f) == 3 && f[0] == "call":
			calls[f[1]] = f[2]
		case len(f) == 3 && (f[1] == "retired" || f[1] == "missed"):
			types = append(types, &uncovered{pattern: f[0], class: f[1], why: f[2]})
		default:
			return nil, nil, fmt.Errorf("reading uncovered.txt:%d: %q is not: type, retired or missed, reason; nor: call, source and name, reason", n, text)
		}
	}
	return types, calls, nil
}

// coverage measures the rows. uncovered.txt has the types that aren't covered,
// with why: "retired" ones are those that nothing creates any more, or that no
// call makes at all.
func (g *generator) coverage(rows []*catalogue.Row) (*Coverage, error) {
	on, upsert := map[string]bool{}, map[string]string{}
	for _, r := range rows {
		for _, res := range r.Resources {
			if (strings.HasPrefix(r.Off, "upsert:") || strings.HasPrefix(r.Off, "grant:")) && len(res.From) > 0 && res.ARN != "" {
				for _, t := range append([]string{res.Type}, res.Also...) {
					upsert[t] = r.Event
				}
			}
			if r.Off == "" && !r.Ended {
				for _, t := range append([]string{res.Type}, res.Also...) {
					on[t] = true
				}
			}
		}
	}
	lines, _, err := readUncovered()
	if err != nil {
		return nil, err
	}
	c := &Coverage{Missed: map[string]string{}, Upserts: map[string]string{}, RetiredTypes: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(g.aws.Types)) {
		if !g.aws.Types[name].Taggable() {
			continue
		}
		c.Taggable++
		if on[name] {
			c.Covered++
			continue
		}
		if upsert[name] != "" {
			c.Upserts[name] = upsert[name]
			continue
		}
		explained := false
		for _, l := range lines {
			group, all := strings.CutSuffix(l.pattern, "*")
			if explained || l.pattern != name && !(all && strings.HasPrefix(name, group)) {
				continue
			}
			explained, l.used = true, true
			if l.class == "retired" {
				c.Retired++
				c.RetiredTypes[name] = l.why
			} else {
				c.Missed[name] = l.why
			}
		}
		if !explained {
			c.Missed[name] = ""
			c.Unexplained = append(c.Unexplained, name)
		}
	}
	for _, l := range lines {
		if !l.used {
			c.Needless = append(c.Needless, l.pattern)
		}
	}
	return c, nil
}
