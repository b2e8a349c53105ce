package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
)

// rules holds the hub's rules, on the default bus and on its own, against those
// that its stack made.
func (v *visit) rules(ctx context.Context) []Finding {
	if v.hub.unread {
		return nil
	}
	made := map[string]bool{} // whether it is there
	for _, id := range v.hub.of("AWS::Events::Rule") {
		// The rule of a bus that isn't the default is BUS|NAME to CloudFormation.
		// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
		made[id[strings.LastIndexByte(id, '|')+1:]] = false
	}
	if len(made) == 0 {
		return []Finding{{"", Fail, deployment.Stack, "the stack has no rules: no event reaches the queues", "make deploy"}}
	}
	var findings []Finding
	blind := false
	for _, bus := range []string{defaultBus, deployment.Bus} {
		there, err := v.listRules(ctx, v.region, bus, "")
		if err != nil {
			findings, blind = append(findings, unseen(v.region+" "+bus, err)), true
			continue
		}
		ours := slices.DeleteFunc(there, func(r types.Rule) bool { _, ok := made[aws.ToString(r.Name)]; return !ok })
		for _, r := range ours {
			made[aws.ToString(r.Name)] = true
		}
		if bus == deployment.Bus || !v.organization {
			findings = append(findings, v.sessions(v.region, bus, ours)...)
		}
		off := disabled(ours)
		for _, name := range off {
			findings = append(findings, switchedOff(v.region, bus, name))
		}
		if len(ours) > 0 && len(off) == 0 {
			findings = append(findings, Finding{"", OK, v.region + " " + bus, fmt.Sprintf("%d rules, all enabled", len(ours)), ""})
		}
	}
	gone := slices.Sorted(maps.Keys(made))
	gone = slices.DeleteFunc(gone, func(name string) bool { return made[name] })
	if len(gone) > 0 && !blind {
		findings = append(findings, Finding{"", Fail, v.region, "these rules of the stack are gone: " + some(gone), restore})
	}
	return findings
}

const defaultBus = "default"

func switchedOff(region, bus, name string) Finding {
	return Finding{"", Fail, region + " " + bus, "the rule " + name + " is disabled: its events are lost",
		fmt.Sprintf("aws events enable-rule --region %s --event-bus-name %s --name %s", region, bus, name)}
}

func disabled(rules []types.Rule) []string {
	var off []string
	for _, r := range rules {
		if r.State == types.RuleStateDisabled {
			off = append(off, aws.ToString(r.Name))
		}
	}
	return off
}

// listRules returns the rules of a bus whose names have a prefix; none where there is
// no such bus.
func (v *visit) listRules(ctx context.Context, region, bus, prefix string) ([]types.Rule, error) {
	client := eventbridge.NewFromConfig(v.cfg, func(o *eventbridge.Options) { o.Region = region })
	in := &eventbridge.ListRulesInput{EventBusName: &bus}
	if prefix != "" {
		in.NamePrefix = &prefix
	}
	var all []types.Rule
	for {
		out, err := client.ListRules(ctx, in)
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, out.Rules...)
		if out.NextToken == nil {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}

// forwarding looks for the rules that forward to the hub in the account's other
// regions, and in the hub's region too where the hub is an organisation's.
func (v *visit) forwarding(ctx context.Context) []Finding {
	regions := v.regions[1:]
	if v.organization {
		regions = v.regions
	}
	type seen struct {
		rules []types.Rule
		err   error
	}
	companions := v.companions()
	var findings []Finding
	if _, known := catalogue.Companions(v.rows, v.partition); !known {
		findings = append(findings, Finding{"", Info, v.partition, "where the events of global services arrive in this partition isn't known", "see where CreateRole events arrive, and deploy rules there: docs/deploy.md"})
	}
	var with, without []string
	for i, s := range each(regions, func(region string) seen {
		rules, err := v.listRules(ctx, region, defaultBus, deployment.Prefix)
		return seen{rules, err}
	}) {
		region := regions[i]
		companion := slices.Contains(companions, region)
		switch {
		case s.err != nil:
			findings = append(findings, unseen(region, s.err))
		case len(s.rules) == 0 && companion:
			findings = append(findings, Finding{"", Warn, region,
				"no rules: what is created in these global services isn't tagged: " + some(v.onlyIn(region)), "make deploy brings them, unless told companions=false; the management account of an organisation needs the plain stack: docs/deploy.md"})
		case len(s.rules) == 0:
			without = append(without, region)
		default:
			with = append(with, region)
			findings = append(findings, v.sessions(region, defaultBus, s.rules)...)
			for _, name := range disabled(s.rules) {
				findings = append(findings, switchedOff(region, defaultBus, name))
			}
		}
	}
	if len(with) > 0 {
		findings = append(findings, Finding{"", OK, "forwarding", "rules in " + strings.Join(with, ", "), ""})
	}
	if len(without) > 0 {
		findings = append(findings, Finding{"", Info, "forwarding", "no rules in " + strings.Join(without, ", ") + ": what is created there isn't tagged",
			"nothing, if they aren't used; else deploy with the context regions: docs/deploy.md"})
	}
	return findings
}
