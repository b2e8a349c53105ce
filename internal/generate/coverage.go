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
		if f[0] == "call" {
			continue // of another tagger
		}
		if len(f) != 3 || f[1] != "retired" && f[1] != "missed" {
			return nil, fmt.Errorf("reading uncovered.txt:%d: %q is not: type, retired or missed, reason", n+1, text)
		}
		lines = append(lines, &line{pattern: f[0], class: f[1], why: f[2]})
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
