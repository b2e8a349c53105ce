package generate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/fstest"

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
		rows := map[string]*stanza{}
		for event, all := range byEvent {
			rows[event] = merge(all)
		}
		o := overrides[source]
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
		if o.head.get("api") != "" {
			// The head by hand holds for generated rows too.
			for event, r := range rows {
				if byEvent[event] != nil && slices.Contains(r.fields, field{"evidence", byEvent[event][0].stanza.get("evidence")}) {
					for _, key := range shared {
						r.replace(key, nil, "")
					}
				}
			}
		}
		files[strings.TrimSuffix(source, ".amazonaws.com")+".txt"] = g.file(source, o.head, rows)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return files, check(files)
}

// check reads the files as the program will.
func check(files map[string]string) error {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	_, err := catalogue.New(fsys).All()
	return err
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
		return cmp.Or(rank(a)-rank(b), first(a)-first(b))
	})
	merged := &stanza{fields: slices.Clone(all[0].stanza.fields)}
	if rank(all[0]) > 0 {
		return merged
	}
	for _, r := range all[1:] {
		if rank(r) > 0 {
			break
		}
		at := slices.Index(merged.all("arn"), r.stanza.get("arn"))
		switch {
		case at < 0:
			evidence := len(merged.fields) - 1
			merged.fields = slices.Insert(merged.fields, evidence, r.stanza.fields[1:len(r.stanza.fields)-1]...)
		case !slices.Contains(merged.all("type"), r.stanza.get("type")) && at == 0 && len(merged.all("type")) == 1:
			merged.replace("also", []string{strings.TrimSpace(merged.get("also") + " " + r.stanza.get("type"))}, "type")
		}
	}
	return merged
}

// shared are the fields that a file's head gives for all rows that say the same.
var shared = []string{"api", "permissions", "calls"}

// file writes one source's file.
func (g *generator) file(source string, byHand *stanza, rows map[string]*stanza) string {
	head := &stanza{comments: byHand.comments}
	head.add("source", source)
	head.add("arrives", g.arrives[source])
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
		case "source", "because", "service":
		default:
			dated = dated || f.key == "dated"
			head.add(f.key, f.value)
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
	var b strings.Builder
	b.WriteString(head.String())
	for _, name := range g.clients(rows, head) {
		b.WriteString("\n")
		_ = name
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
			fmt.Fprintf(&b, "%s: %s\n", f.key, f.value)
		}
	}
	return b.String()
}

// clients are the services whose tag calls the rows refer to.
func (g *generator) clients(rows map[string]*stanza, head *stanza) []string {
	names := map[string]bool{}
	for _, s := range append(slices.Collect(maps.Values(rows)), head) {
		for _, n := range s.all("calls") {
			names[n] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
