package scp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report says in Markdown what the policies hold and what they can't.
func (c Coverage) Report() string {
	var b strings.Builder
	open := map[string]bool{}
	byWhy := map[string][]string{}
	for _, g := range c.Gaps {
		byWhy[g.Why] = append(byWhy[g.Why], g.Action)
		if g.Why != moreThanTags {
			prefix, _, _ := strings.Cut(g.Action, ":")
			open[prefix] = true
		}
	}
	fmt.Fprintf(&b, "Of %d services whose resources get tags, the actions for tags of %d are held: %d\n", len(c.Services), len(c.Services)-len(open), len(c.Set))
	fmt.Fprintf(&b, "that set tags and %d that remove them. By these a tag can be changed or removed\nall the same:\n", len(c.Remove))
	b.WriteString("\n| why | actions |\n|---|---|\n")
	for _, why := range slices.Sorted(maps.Keys(byWhy)) {
		text := grouped(byWhy[why])
		if why == moreThanTags {
			text = "calls beginning with Put, Update, Modify or Alter that take tags, of " + services(byWhy[why])
		}
		fmt.Fprintf(&b, "| %s | %s |\n", why, text)
	}
	return b.String()
}

// services names those of actions.
func services(actions []string) string {
	var all []string
	for _, a := range actions {
		prefix, _, _ := strings.Cut(a, ":")
		all = append(all, "`"+prefix+"`")
	}
	return strings.Join(slices.Compact(all), ", ")
}

// grouped writes the names of a service's actions after its prefix.
func grouped(actions []string) string {
	var services []string
	names := map[string][]string{}
	for _, a := range actions {
		prefix, name, _ := strings.Cut(a, ":")
		if names[prefix] == nil {
			services = append(services, prefix)
		}
		names[prefix] = append(names[prefix], name)
	}
	for i, s := range services {
		services[i] = "`" + s + ":" + strings.Join(names[s], "`, `") + "`"
	}
	return strings.Join(services, "; ")
}
