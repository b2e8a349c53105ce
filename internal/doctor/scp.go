package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"autotagger/internal/deployment"
	"autotagger/internal/iampolicy"
)

// org is a client: the API is served in one region of a partition, to which the SDK
// sends from any.
func (v *visit) org() *organizations.Client { return organizations.NewFromConfig(v.cfg) }

// management returns the organisation and the id of its management account; nil if
// the account is in no organisation.
func (v *visit) management(ctx context.Context) (*types.Organization, error) {
	out, err := v.org().DescribeOrganization(ctx, nil)
	if _, none := errors.AsType[*types.AWSOrganizationsNotInUseException](err); none {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.Organization, nil
}

// elsewhere is the finding of what only the management account and delegated
// administrators see.
func elsewhere(subject string, org *types.Organization) Finding {
	return Finding{Status: Info, Subject: subject, Found: "can only be seen from the management account " + aws.ToString(org.MasterAccountId) + ", or a delegated administrator",
		Do: "run autotagger doctor there"}
}

// controlPolicies looks for service control policies that keep the roles from
// tagging: above the account, and for an organisation's hub all that are attached
// anywhere.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
func (v *visit) controlPolicies(ctx context.Context) []Finding {
	org, err := v.management(ctx)
	switch {
	case err != nil:
		return []Finding{unseen("organisation", err)}
	case org == nil:
		return []Finding{{"", OK, v.account, "is in no organisation: there are none", ""}}
	case aws.ToString(org.MasterAccountId) == v.account && !v.organization:
		return []Finding{{"", OK, v.account, "is the management account, which they don't bind", ""}}
	}
	find := v.levels
	if v.organization {
		find = v.attached
	}
	levels, err := find(ctx)
	if denied(err) && aws.ToString(org.MasterAccountId) != v.account {
		return []Finding{elsewhere("service control policies", org)}
	}
	if err != nil {
		return []Finding{unseen("service control policies", err)}
	}
	var findings []Finding
	for _, l := range levels {
		findings = append(findings, v.judgeLevel(l, org)...)
	}
	if len(findings) == 0 {
		findings = append(findings, Finding{"", OK, v.account, "no service control policy denies the tagging", ""})
	}
	return findings
}

// level is the account, a unit or the root, with what is attached to it.
type level struct {
	target   string
	policies []controlPolicy
}

type controlPolicy struct {
	name, id string
	doc      iampolicy.Document
	err      error
}

// levels climbs from the account to the root.
func (v *visit) levels(ctx context.Context) ([]level, error) {
	var all []level
	for target := v.account; ; {
		l := level{target: target}
		pages := organizations.NewListPoliciesForTargetPaginator(v.org(), &organizations.ListPoliciesForTargetInput{
			TargetId: &target, Filter: types.PolicyTypeServiceControlPolicy,
		})
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, p := range out.Policies {
				policy, err := v.readPolicy(ctx, p)
				if err != nil {
					return nil, err
				}
				l.policies = append(l.policies, policy)
			}
		}
		if len(l.policies) > 0 { // without any, the organisation doesn't use this kind
			all = append(all, l)
		}
		if strings.HasPrefix(target, "r-") {
			return all, nil
		}
		out, err := v.org().ListParents(ctx, &organizations.ListParentsInput{ChildId: &target})
		if err != nil {
			return nil, err
		}
		if len(out.Parents) == 0 {
			return all, nil
		}
		target = aws.ToString(out.Parents[0].Id)
	}
}

func (v *visit) readPolicy(ctx context.Context, p types.PolicySummary) (controlPolicy, error) {
	out, err := v.org().DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: p.Id})
	if err != nil {
		return controlPolicy{}, err
	}
	c := controlPolicy{name: aws.ToString(p.Name), id: aws.ToString(p.Id)}
	c.doc, c.err = iampolicy.Parse([]byte(aws.ToString(out.Policy.Content)))
	return c, nil
}

// judgeLevel holds the actions that the functions need against a level's policies.
func (v *visit) judgeLevel(l level, org *types.Organization) []Finding {
	var findings []Finding
	var docs []iampolicy.Document
	for _, p := range l.policies {
		subject := p.name + " on " + l.target
		if p.err != nil {
			findings = append(findings, Finding{"", Unknown, subject, p.err.Error(), "read it yourself: aws organizations describe-policy --policy-id " + p.id})
			continue
		}
		docs = append(docs, p.doc)
		findings = append(findings, v.denials(p, subject, org)...)
	}
	if len(docs) < len(l.policies) {
		return findings
	}
	var missing []string
	for _, kind := range []string{"tagger", "cors"} {
		actions, _ := v.actions(kind)
		for _, a := range actions {
			if r := iampolicy.Evaluate(v.request(kind, a, org), docs...); r.Decision == iampolicy.NotAllowed {
				missing = append(missing, a)
			}
		}
	}
	if len(missing) > 0 {
		findings = append(findings, Finding{"", Fail, l.target, "its service control policies don't allow " + some(missing), "allow these actions there"})
	}
	return findings
}

// denials looks at each statement of a policy that denies. One whose conditions ask
// for what is known of the calls is certain; others are for a person to judge.
func (v *visit) denials(p controlPolicy, subject string, org *types.Organization) []Finding {
	var findings []Finding
	for _, s := range p.doc.Statements {
		if !s.Deny {
			continue
		}
		var when []string
		if s.Resources != nil && !slices.Contains(s.Resources, "*") {
			when = append(when, "for "+some(s.Resources))
		}
		if s.NotResources != nil {
			when = append(when, "but for "+some(s.NotResources))
		}
		s.Resources, s.NotResources = nil, nil
		var certain, perhaps []string
		for _, kind := range []string{"tagger", "cors"} {
			actions, _ := v.actions(kind)
			for _, a := range actions {
				r := v.request(kind, a, org)
				decidable, open := s, []string(nil)
				decidable.Conditions = nil
				for _, c := range s.Conditions {
					if known(r.Context, c.Key) {
						decidable.Conditions = append(decidable.Conditions, c)
					} else {
						open = append(open, "by the condition "+c.Operator+" on "+c.Key)
					}
				}
				switch iampolicy.Evaluate(r, iampolicy.Document{Version: p.doc.Version, Statements: []iampolicy.Statement{decidable}}).Decision {
				case iampolicy.Denied:
					certain, when = append(certain, a), append(when, open...)
				case iampolicy.Unknown:
					perhaps, when = append(perhaps, a), append(when, open...)
				}
			}
		}
		slices.Sort(when)
		when = slices.Compact(when)
		name := subject
		if s.Sid != "" {
			name += ", statement " + s.Sid
		}
		except := "except our roles there: ArnNotLike aws:PrincipalArn " + v.roles()
		switch {
		case len(certain) > 0 && len(when) == 0:
			findings = append(findings, Finding{"", Fail, name, "denies " + some(certain), except})
		case len(certain)+len(perhaps) > 0:
			all := append(certain, perhaps...)
			if len(when) == 0 {
				when = []string{"under conditions"}
			}
			findings = append(findings, Finding{"", Warn, name, "may deny " + some(all) + ", " + strings.Join(when, ", "), "see whether it means these roles; " + except})
		}
	}
	return findings
}

// known reports whether a request says what a condition key is.
func known(keys map[string][]string, key string) bool {
	for k := range keys {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}

// roles are the patterns of the roles that tag: the names that package scp guards,
// and no wider, since who can make a role of an excepted name is excepted.
func (v *visit) roles() string {
	names := deployment.OwnRoles()
	for i, name := range names {
		names[i] = fmt.Sprintf("arn:%s:iam::*:role/%s", v.partition, name)
	}
	return strings.Join(names, " and ")
}

// request is a call of a function in this region.
func (v *visit) request(kind, action string, org *types.Organization) iampolicy.Request {
	role := deployment.FunctionRole(kind, v.region)
	if v.organization {
		role = deployment.SpokeRole(kind)
	}
	arn := fmt.Sprintf("arn:%s:iam::%s:role/%s", v.partition, v.account, role)
	keys := map[string][]string{
		"aws:PrincipalArn":    {arn},
		"aws:PrincipalType":   {"AssumedRole"},
		"aws:PrincipalOrgID":  {aws.ToString(org.Id)},
		"aws:RequestedRegion": {v.region},
		"aws:SecureTransport": {"true"},
	}
	if !v.organization {
		keys["aws:PrincipalAccount"] = []string{v.account}
	}
	if kind == "tagger" {
		keys["aws:TagKeys"] = v.policy.Keys()
	}
	return iampolicy.Request{Action: action, Resource: "*", Principal: []string{arn}, Context: keys}
}

// attached returns every service control policy with where it is attached.
func (v *visit) attached(ctx context.Context) ([]level, error) {
	byTarget := map[string]level{}
	pages := organizations.NewListPoliciesPaginator(v.org(), &organizations.ListPoliciesInput{Filter: types.PolicyTypeServiceControlPolicy})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range out.Policies {
			policy, err := v.readPolicy(ctx, p)
			if err != nil {
				return nil, err
			}
			targets := organizations.NewListTargetsForPolicyPaginator(v.org(), &organizations.ListTargetsForPolicyInput{PolicyId: p.Id})
			for targets.HasMorePages() {
				out, err := targets.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				for _, t := range out.Targets {
					l := byTarget[aws.ToString(t.TargetId)]
					l.target = aws.ToString(t.TargetId)
					l.policies = append(l.policies, policy)
					byTarget[l.target] = l
				}
			}
		}
	}
	var all []level
	for _, target := range slices.Sorted(maps.Keys(byTarget)) {
		all = append(all, byTarget[target])
	}
	return all, nil
}
