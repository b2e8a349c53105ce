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

// Beyond lists what the policy wants that a deployment made with another one doesn't
// give: permissions for tag keys, rules and permissions for calls, the function for
// CORS; and leave to overwrite tags, to guess, to overlook further roles, and to open
// buckets otherwise. A configuration that is to take effect without a deployment must
// want none: who may write it need not be who may deploy.
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
	if p.Catalogue.LastResort && !deployed.Catalogue.LastResort {
		all = append(all, "catalogue.last-resort: it is off in the deployment")
	}
	if p.Existing == Replace && deployed.Existing != Replace {
		all = append(all, "existing: the deployment keeps tags that stand")
	}
	for _, role := range p.OwnRoles {
		if !slices.Contains(deployed.OwnRoles, role) {
			all = append(all, fmt.Sprintf("own-roles: the deployment doesn't have %s", quoted(role)))
		}
	}
	if deployed.Tags.CreatorForm == CreatorHash && p.Tags.CreatorForm != CreatorHash {
		all = append(all, "tags.creator.value: the deployment writes hashes, and no names")
	}
	if p.RemovedTags && !deployed.RemovedTags {
		all = append(all, "report-removed-tags: there is no rule for it")
	}
	all = append(all, p.lookUpsBeyond(deployed)...)
	switch {
	case !p.CORS.Declared:
		all = append(all, "cors: is missing; a deployment has to say which rules buckets get, or off")
	case deployed.CORS.Off && !p.CORS.Off:
		all = append(all, "cors: there is no function for it")
	case !p.CORS.Off:
		all = append(all, p.corsBeyond(deployed)...)
	}
	return all
}

// corsBeyond lists how the policy would open buckets that the deployed one leaves
// alone, or open them otherwise. Fewer buckets are no matter.
func (p *Policy) corsBeyond(deployed *Policy) []string {
	var all []string
	if !slices.EqualFunc(p.CORS.Rules, deployed.CORS.Rules, sameRule) {
		all = append(all, "cors.rules: the deployment has others")
	}
	alone, service := slices.Concat(deployed.CORS.Exclude, deployed.Exclude.Names), serviceBuckets()
	if lacks(p.CORS.Exclude, service) && !lacks(alone, service) {
		all = append(all, "cors.exclude-service-buckets: the deployment leaves them alone")
		alone = slices.DeleteFunc(alone, func(g string) bool { return slices.Contains(service, g) })
	}
	for _, name := range alone {
		if !slices.Contains(p.CORS.Exclude, name) && !slices.Contains(p.Exclude.Names, name) {
			all = append(all, fmt.Sprintf("cors.exclude: the deployment leaves %s alone", quoted(name)))
		}
	}
	return all
}

// lacks reports whether one of the globs is missing.
func lacks(list, globs []string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return !slices.Contains(list, g) })
}

func sameRule(a, b CORSRule) bool {
	return a.ID == b.ID && a.MaxAgeSeconds == b.MaxAgeSeconds &&
		slices.Equal(a.AllowedMethods, b.AllowedMethods) && slices.Equal(a.AllowedOrigins, b.AllowedOrigins) &&
		slices.Equal(a.AllowedHeaders, b.AllowedHeaders) && slices.Equal(a.ExposeHeaders, b.ExposeHeaders)
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
