package policy

import (
	"errors"
	"fmt"
	"slices"

	"autotagger/internal/catalogue"
)

// ParseForDeployment reads a configuration that is fit to be deployed: it says which
// cross-origin rules buckets get, and its calls are among the catalogue's rows. The
// error lists every fault, a line each.
func ParseForDeployment(name string, data []byte, rows []*catalogue.Row) (*Policy, error) {
	p, err := Parse(name, data)
	if err != nil {
		return nil, err
	}
	var faults []error
	if !p.CORS.Declared {
		faults = append(faults, fmt.Errorf("%s doesn't say which cross-origin rules new buckets get: add cors: with rules, or cors: off", name))
	}
	for _, unmatched := range p.UnmatchedCalls(rows) {
		faults = append(faults, fmt.Errorf("%s: %s", name, unmatched))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// Beyond lists what the policy wants that a deployment made with another one hasn't
// got: permissions for tag keys, rules and permissions for calls, the function for
// CORS. A configuration that is to take effect without a deployment must want
// none.
func (p *Policy) Beyond(deployed *Policy) []string {
	var all []string
	for _, k := range p.Keys() {
		if !slices.Contains(deployed.Keys(), k) {
			all = append(all, fmt.Sprintf("tags: the functions may not write the key %s", quoted(k)))
		}
	}
	for _, call := range p.Catalogue.Enable {
		if !slices.Contains(deployed.Catalogue.Enable, call) {
			all = append(all, fmt.Sprintf("catalogue.enable: there are no rules and permissions for %s", quoted(call)))
		}
	}
	for _, call := range deployed.Catalogue.Disable {
		if !slices.Contains(p.Catalogue.Disable, call) {
			all = append(all, fmt.Sprintf("catalogue.disable: there are no rules and permissions for %s, which it no longer names", quoted(call)))
		}
	}
	if p.RemovedTags && !deployed.RemovedTags {
		all = append(all, "report-removed-tags: there is no rule for it")
	}
	switch {
	case !p.CORS.Declared:
		all = append(all, "cors: is missing; a deployment has to say which rules buckets get, or off")
	case deployed.CORS.Off && !p.CORS.Off:
		all = append(all, "cors: there is no function for it")
	}
	return all
}

// Observing returns the policy with nothing written anywhere: observe where it
// would enforce.
func (p *Policy) Observing() *Policy {
	o := *p
	o.Mode = observe(p.Mode)
	o.Overrides = slices.Clone(p.Overrides)
	for i := range o.Overrides {
		o.Overrides[i].Mode = observe(o.Overrides[i].Mode)
	}
	return &o
}

func observe(m Mode) Mode {
	if m == Enforce {
		return Observe
	}
	return m
}
