package doctor

import (
	"fmt"
	"os"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/lookup"
	"autotagger/internal/policy"
)

// configuration reads the configuration as a deployment reads it. Without a usable
// one the checks go on with the default.
func (v *visit) configuration(file string) (findings []Finding) {
	const name = "configuration"
	all, err := catalogue.Default().All()
	if err != nil {
		return []Finding{{name, Fail, "catalogue", err.Error(), "build autotagger anew"}}
	}
	v.policy = policy.Default()
	defer func() {
		v.rows = v.policy.RowsOn(all)
		if v.spokeLookUps, v.ownLookUps, err = lookup.Actions(catalogue.Default(), v.policy); err != nil {
			findings = append(findings, Finding{name, Fail, "catalogue", err.Error(), "build autotagger anew"})
		}
	}()
	if file == "" {
		return []Finding{{name, Warn, "autotagger.yaml", "there is none here", "cp autotagger.example.yaml autotagger.yaml, or name another with --config"}}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return []Finding{{name, Fail, file, err.Error(), "name the file that is deployed with --config"}}
	}
	p, err := policy.ParseForDeployment(file, data, all)
	if err != nil {
		return []Finding{{name, Fail, file, err.Error(), "mend it: docs/configuration.md"}}
	}
	v.policy, v.deployed = p, file
	return []Finding{{name, OK, file, fmt.Sprintf("valid; mode %s, keys %s", p.Mode, strings.Join(p.Keys(), ", ")), ""}}
}

// terraform is a hint for everyone, since what Terraform manages can't be seen: it
// removes tags that it didn't set.
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs#ignore_tags
func (v *visit) terraform() []Finding {
	if v.policy == nil {
		return nil
	}
	quoted := make([]string, 0, len(v.policy.Keys()))
	for _, k := range v.policy.Keys() {
		quoted = append(quoted, fmt.Sprintf("%q", k))
	}
	return []Finding{{"terraform", Info, "provider aws",
		"where Terraform manages resources, its next apply removes the tags unless it is told to leave them",
		fmt.Sprintf("in the provider's block: ignore_tags { keys = [%s] }", strings.Join(quoted, ", "))}}
}
