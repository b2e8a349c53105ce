package generate

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"autotagger/internal/catalogue"
)

// checkFacts finds the facts by hand that are about nothing any more: a service
// that the models have lost, or a call that has no row.
func (g *generator) checkFacts(rows []*catalogue.Row) error {
	services, sources, calls := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range g.aws.Services {
		services[s.Name] = true
		for _, source := range g.eventSources(s) {
			sources[source] = true
		}
	}
	for _, r := range rows {
		sources[r.Source] = true
		calls[r.Source+" "+r.Event] = true
	}
	patterns := map[string]bool{}
	for _, s := range g.aws.Services {
		for _, shape := range s.Shapes {
			patterns[shape.Pattern] = true
		}
	}
	var faults []error
	missing := func(where string, names []string, known map[string]bool) {
		for _, n := range names {
			if !known[n] {
				faults = append(faults, fmt.Errorf("%s names %s, which the models and overrides don't have", where, n))
			}
		}
	}
	missing("sources.txt", slices.Sorted(maps.Keys(g.sources)), services)
	missing("sources.txt", slices.Sorted(maps.Keys(g.skipped)), services)
	missing("sources.txt", slices.Sorted(maps.Keys(g.arrives)), sources)
	missing("recorded.txt", slices.Sorted(maps.Keys(g.recorded)), calls)
	missing("calls.go's irregular", slices.Sorted(maps.Keys(irregular)), services)
	missing("calls.go's given", slices.Sorted(maps.Keys(given)), services)
	missing("calls.go's readBy", slices.Sorted(maps.Keys(readBy)), services)
	missing("limits.go's translated", slices.Sorted(maps.Keys(translated)), patterns)
	missing("limits.txt", slices.Sorted(maps.Keys(g.byHand)), services)
	for _, group := range slices.Sorted(maps.Keys(cfnGroupsByHand)) {
		missing("generate.go's cfnGroupsByHand", cfnGroupsByHand[group], services)
		if len(g.cfnIn[group]) == 0 {
			faults = append(faults, fmt.Errorf("generate.go's cfnGroupsByHand names AWS::%s, which CloudFormation doesn't have", group))
		}
	}
	return errors.Join(faults...)
}
