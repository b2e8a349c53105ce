package generate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
)

// files returns the catalogue's data files by name.
func (g *generator) files() (map[string]string, error) {
	overrides, err := readOverrides()
	if err != nil {
		return nil, err
	}
	var faults []error
	files := map[string]string{}
	for source := range overrides {
		if g.rows[source] == nil {
			g.rows[source] = map[string][]*row{} // it is all by hand
		}
	}
	for source, byEvent := range g.rows {
		limits, err := g.headLimits(source)
		if err != nil {
			faults = append(faults, err)
		}
		rows := map[string]*stanza{}
		for event, all := range byEvent {
			rows[event] = merge(all)
		}
		o := overrides[source]
		if o != nil && o.head.get("api") != "" {
			// The head by hand holds for generated rows too.
			for _, r := range rows {
				r.replace("api", nil, "")
				r.replace("permissions", nil, "")
			}
		}
		if o != nil {
			if err := o.apply(rows); err != nil {
				faults = append(faults, err)
			}
		} else {
			o = &override{head: &stanza{}}
		}
		if len(rows) == 0 {
			continue
		}
		files[strings.TrimSuffix(source, ".amazonaws.com")+".txt"] = g.file(source, o.head, limits, rows)
	}
	if err := errors.Join(append(g.faults, faults...)...); err != nil {
		return nil, err
	}
	return files, nil
}

// merge makes one row of those that several services have for one call: the
// resources of all that are sure, each with its own locators. Types with the
// same ARNs are one resource: the record doesn't tell them apart, and the service
// that the source is named for gives its name.
func merge(all []*row) *stanza {
	rank := func(r *row) int {
		switch {
		case r.stanza.get("untaggable") != "":
			return 2
		case r.stanza.get("off") != "":
			return 1
		}
		return 0
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *row) int {
		first := func(r *row) int {
			if r.m.svc.Name == strings.TrimSuffix(r.m.source, ".amazonaws.com") {
				return 0
			}
			return 1
		}
		// Of several generations of an API the newest has the tag calls of all.
		return cmp.Or(rank(a)-rank(b), first(a)-first(b), strings.Compare(b.m.svc.Version, a.m.svc.Version))
	})
	head, blocks, tail := blocksOf(all[0].stanza)
	if rank(all[0]) > 0 {
		return all[0].stanza
	}
	for _, r := range all[1:] {
		if rank(r) > 0 {
			break
		}
		_, more, _ := blocksOf(r.stanza)
		for _, b := range more {
			at := slices.IndexFunc(blocks, func(have *stanza) bool { return have.get("arn") == b.get("arn") })
			if at < 0 {
				blocks = append(blocks, b)
				continue
			}
			have := blocks[at]
			if also := strings.Fields(have.get("also")); have.get("type") != b.get("type") && !slices.Contains(also, b.get("type")) {
				have.replace("also", []string{strings.Join(append(also, b.get("type")), " ")}, "type")
			}
			from := have.all("from")
			for _, f := range b.all("from") {
				if !slices.Contains(from, f) {
					from = append(from, f)
				}
			}
			have.replace("from", from, "arn")
		}
	}
	merged := &stanza{fields: head, class: all[0].stanza.class}
	for _, b := range blocks {
		merged.fields = append(merged.fields, b.fields...)
	}
	merged.fields = append(merged.fields, tail...)
	return merged
}

// blocksOf cuts a row into what comes before its first resource, its resources,
// and its evidence.
func blocksOf(s *stanza) (head []field, blocks []*stanza, tail []field) {
	for _, f := range s.fields {
		switch {
		case f.key == "evidence":
			tail = append(tail, f)
		case f.key == "type":
			blocks = append(blocks, &stanza{fields: []field{f}})
		case len(blocks) == 0:
			head = append(head, f)
		default:
			last := blocks[len(blocks)-1]
			last.fields = append(last.fields, f)
		}
	}
	return head, blocks, tail
}

// shared are the fields that a file's head gives for all rows that say the same.
var shared = []string{"service", "api", "permissions", "calls"}

// file writes one source's file.
func (g *generator) file(source string, byHand *stanza, limits catalogue.Limits, rows map[string]*stanza) string {
	head := &stanza{comments: byHand.comments}
	head.add("source", source)
	head.add("arrives", g.arrives[source])
	if g.hasEnded(source) {
		head.add("ended", "yes")
	}
	dated := false
	count := map[string]map[string]int{}
	for _, r := range rows {
		for _, f := range r.fields {
			if slices.Contains(shared, f.key) {
				if count[f.key] == nil {
					count[f.key] = map[string]int{}
				}
				count[f.key][f.value]++
			}
		}
	}
	for _, f := range byHand.fields {
		switch f.key {
		case "source", "because":
		default:
			dated = dated || f.key == "dated"
			head.add(f.key, f.value)
		}
	}
	if name := g.clientOf(source); name != "" && len(count["calls"]) == 0 {
		count["calls"] = map[string]int{name: 1}
	}
	if len(count["service"]) == 0 {
		for _, s := range g.aws.Services {
			if slices.Contains(g.eventSources(s), source) {
				count["service"] = map[string]int{s.Name: 1}
			}
		}
	}
	for _, key := range shared {
		if head.get(key) != "" {
			continue
		}
		values := slices.SortedFunc(maps.Keys(count[key]), func(a, b string) int {
			return cmp.Or(count[key][b]-count[key][a], strings.Compare(a, b))
		})
		if len(values) > 0 {
			head.add(key, values[0])
		}
	}
	head.add("keys", limits.Keys.String())
	head.add("values", limits.Values.String())
	if head.get("calls") == "none" {
		head.replace("calls", nil, "") // what no row has, no row needs to take back
	}
	var b strings.Builder
	b.WriteString(head.String())
	for _, name := range g.clients(rows, head) {
		b.WriteString("\n")
		g.calls[name].client.Append(&b)
	}
	for _, event := range slices.Sorted(maps.Keys(rows)) {
		r := rows[event]
		b.WriteString("\n")
		for _, c := range r.comments {
			b.WriteString(c + "\n")
		}
		for _, f := range r.fields {
			if slices.Contains(shared, f.key) && head.get(f.key) == f.value {
				continue
			}
			if f.key == "calls" && f.value == "none" && head.get("calls") == "" {
				continue
			}
			if f.key == "evidence" && g.recorded[source+" "+event] {
				f.value = strings.TrimSuffix(strings.TrimSuffix(f.value, "model shape"), "recorded shape") + "recorded shape"
			}
			fmt.Fprintf(&b, "%s: %s\n", f.key, f.value)
		}
	}
	return b.String()
}

// hasEnded reports whether all services that log under a source have ended.
func (g *generator) hasEnded(source string) bool {
	ended := false
	for _, s := range g.aws.Services {
		if slices.Contains(g.eventSources(s), source) {
			if !s.Ended {
				return false
			}
			ended = true
		}
	}
	return ended
}

// clientOf is the service whose tag calls serve the rows by hand of a source for
// which nothing was generated.
func (g *generator) clientOf(source string) string {
	for _, s := range g.aws.Services {
		if slices.Contains(g.eventSources(s), source) && g.callsOf(s, g.iamOf(s)).client != nil {
			return s.Name
		}
	}
	return ""
}

// clients are the services whose tag calls the rows refer to.
func (g *generator) clients(rows map[string]*stanza, head *stanza) []string {
	names := map[string]bool{}
	for _, s := range append(slices.Collect(maps.Values(rows)), head) {
		for _, n := range s.all("calls") {
			if n != "none" {
				names[n] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
