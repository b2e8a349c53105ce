package policy

import (
	"fmt"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
)

// Catalogue says which calls of the catalogue are handled. Calls are globs over
// service:EventName, where the service is the event source without
// .amazonaws.com: ecs:RunTask, glue:Start*, *:CreateJob.
type Catalogue struct {
	// Enable are calls that are handled although their row is off.
	Enable []string
	// Disable are calls that aren't handled. It wins over Enable.
	Disable []string
	// LastResort handles create calls that the catalogue doesn't know, where
	// the record leaves no doubt about what they made.
	LastResort bool
}

// RowOff says why a row of the catalogue isn't used, "" where it is: the event
// rules, the permissions, the listing and the pipeline all ask here.
func (p *Policy) RowOff(r *catalogue.Row) (why string) {
	switch {
	case r.Untaggable != "":
		return r.Untaggable
	case r.Off == "" && len(p.Catalogue.Disable) == 0:
		return "" // as a rule, and asked for each event
	}
	switch c := call(r.Source, r.Event); {
	case anyOf(p.Catalogue.Disable, c):
		return "the configuration disables " + c
	case r.Off != "" && !anyOf(p.Catalogue.Enable, c):
		return "off by default: " + r.Off
	}
	return ""
}

// RowsOn returns the rows that are used.
func (p *Policy) RowsOn(rows []*catalogue.Row) []*catalogue.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *catalogue.Row) bool { return p.RowOff(r) != "" })
}

// LastResort reports whether what an unknown call made may be worked out from
// its response alone.
func (p *Policy) LastResort(eventSource, eventName string) bool {
	return p.Catalogue.LastResort && !anyOf(p.Catalogue.Disable, call(eventSource, eventName))
}

// UnmatchedCalls lists the patterns of the catalogue key that match none of the
// rows, each with its place: most likely they are misspelled. A row that can't
// be turned on, since what its call makes takes no tags, doesn't count. With
// the last resort, disable may name calls yet to come.
func (p *Policy) UnmatchedCalls(rows []*catalogue.Row) []string {
	var all []string
	for _, list := range []struct {
		name  string
		globs []string
	}{{"enable", p.Catalogue.Enable}, {"disable", p.Catalogue.Disable}} {
		if list.name == "disable" && p.Catalogue.LastResort {
			continue
		}
		for i, g := range list.globs {
			if !slices.ContainsFunc(rows, func(r *catalogue.Row) bool { return r.Untaggable == "" && glob(g, call(r.Source, r.Event)) }) {
				all = append(all, fmt.Sprintf("catalogue.%s[%d]: %s matches no call that could be handled; autotagger catalog lists them", list.name, i, quoted(g)))
			}
		}
	}
	return all
}

// call is what the patterns are matched against.
func call(eventSource, eventName string) string {
	return strings.TrimSuffix(eventSource, ".amazonaws.com") + ":" + eventName
}
