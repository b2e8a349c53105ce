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
	// Missed and RetiredTypes are the others by name, with the reason.
	Missed, RetiredTypes map[string]string
	// Unexplained are types that are missed without a reason in uncovered.txt,
	// Needless the lines of it that explain nothing.
	Unexplained, Needless []string
}

// Recall is the share of taggable types of live services that is covered, in
// percent.
func (c *Coverage) Recall() float64 {
	return 100 * float64(c.Covered) / float64(max(c.Taggable-c.Retired, 1))
}

// coverage measures the rows. uncovered.txt has the types that aren't covered,
// with why: "retired" ones are those that nothing creates any more, or that no
// call makes at all.
func (g *generator) coverage(rows []*catalogue.Row) (*Coverage, error) {
	on := map[string]bool{}
	for _, r := range rows {
		for _, res := range r.Resources {
			if r.Off == "" && !r.Ended {
				for _, t := range append([]string{res.Type}, res.Also...) {
					on[t] = true
				}
			}
		}
	}
	type line struct {
		pattern, class, why string
		used                bool
	}
	var lines []*line
	for n, text := range strings.Split(uncoveredFile, "\n") {
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		f := strings.SplitN(text, "\t", 3)
		if len(f) != 3 || f[1] != "retired" && f[1] != "missed" {
			return nil, fmt.Errorf("reading uncovered.txt:%d: %q is not: type, retired or missed, reason", n+1, text)
		}
		lines = append(lines, &line{pattern: f[0], class: f[1], why: f[2]})
	}
	c := &Coverage{Missed: map[string]string{}, RetiredTypes: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(g.aws.Types)) {
		if !g.aws.Types[name].Taggable() {
			continue
		}
		c.Taggable++
		if on[name] {
			c.Covered++
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
