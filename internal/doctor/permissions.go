package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/ledger"
)

// simulated is how many actions are simulated in one call; IAM sets no limit that
// is documented.
const simulated = 100

// permissions asks IAM what the roles may do that tag, for every action that the
// catalogue needs. Policies of resources, as of keys and buckets, don't count there,
// nor do service control policies with conditions.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
func (v *visit) permissions(ctx context.Context) []Finding {
	var findings []Finding
	for _, j := range v.functions {
		inAccounts, own := v.actions(j.kind)
		ownRole := cmp.Or(aws.ToString(j.config().Role), v.role(deployment.FunctionRole(j.kind, v.region)))
		if v.organization && len(inAccounts) > 0 {
			findings = append(findings, v.simulate(ctx, v.role(deployment.SpokeRole(j.kind)), inAccounts)...)
		} else {
			own = append(inAccounts, own...)
		}
		if len(own) > 0 {
			findings = append(findings, v.simulate(ctx, ownRole, own)...)
		}
	}
	if v.organization {
		findings = append(findings, Finding{"", Info, "spokes", "roles in other accounts can't be seen from here", "they come from one template; what an account refuses is in the dashboard's widget of denied calls"})
	}
	return findings
}

func (v *visit) role(name string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", v.partition, v.account, name)
}

// actions are what a function needs in the accounts of events, and in the hub's own
// for look-ups. Those that are granted under conditions which a simulation doesn't know
// are left out: puts into the table under some keys only, and the identity store's in
// spokes.
func (v *visit) actions(kind string) (inAccounts, own []string) {
	switch kind {
	case "cors":
		return []string{"s3:GetBucketCORS", "s3:PutBucketCORS"}, nil
	case "ledger":
		return nil, ledger.WriterActions()
	}
	inAccounts = slices.DeleteFunc(slices.Clone(v.spokeLookUps), func(a string) bool {
		return strings.HasPrefix(a, "identitystore:") || strings.HasPrefix(a, "sso:")
	})
	inAccounts = append(inAccounts, catalogue.Actions(v.rows)...)
	slices.Sort(inAccounts)
	own = slices.Clone(v.ownLookUps)
	if v.policy.LookUps.Ledger {
		own = append(own, ledger.ReaderActions()...)
	}
	return slices.Compact(inAccounts), own
}

// batch is what one simulation asks: actions on a resource.
type batch struct {
	resource string
	actions  []string
}

// batches divides actions. All may be tried on any resource, but for those that are
// granted on some only.
func (v *visit) batches(actions []string) []batch {
	on := map[string][]string{}
	for _, a := range actions {
		resource := "*"
		switch {
		case strings.HasPrefix(a, "apigateway:"):
			resource = fmt.Sprintf("arn:%s:apigateway:%s::/tags/any", v.partition, v.region)
		case strings.HasPrefix(a, "dynamodb:") && slices.Contains(append(ledger.ReaderActions(), ledger.WriterActions()...), a):
			resource = fmt.Sprintf("arn:%s:dynamodb:%s:%s:table/%s", v.partition, v.region, v.account, deployment.Table)
		case strings.HasSuffix(a, "BucketCORS"):
			resource = fmt.Sprintf("arn:%s:s3:::any", v.partition)
		}
		on[resource] = append(on[resource], a)
	}
	var all []batch
	for _, resource := range slices.Sorted(maps.Keys(on)) {
		for some := range slices.Chunk(on[resource], simulated) {
			all = append(all, batch{resource, some})
		}
	}
	return all
}

// verdict is what a simulation makes of one action; "" allows it.
type verdict struct{ action, why string }

func (v *visit) simulate(ctx context.Context, role string, actions []string) []Finding {
	name := last(role)
	type answer struct {
		verdicts []verdict
		err      error
	}
	refused := map[string][]string{} // why, and by which service
	unknown, services := []string(nil), map[string]bool{}
	for _, a := range each(v.batches(actions), func(b batch) answer {
		verdicts, err := v.ask(ctx, role, b)
		return answer{verdicts, err}
	}) {
		if _, ok := errors.AsType[*types.NoSuchEntityException](a.err); ok {
			if v.organization {
				return []Finding{{"", Info, name, "isn't in this account: what is created here isn't tagged", "the management account needs the plain stack of the roles: docs/deploy.md"}}
			}
			return []Finding{{"", Fail, name, "the function's role is gone", restore}}
		}
		if a.err != nil {
			return []Finding{unseen(name, a.err)}
		}
		for _, x := range a.verdicts {
			service, _, _ := strings.Cut(x.action, ":")
			services[service] = true
			switch x.why {
			case "":
			case unknownAction:
				unknown = append(unknown, x.action)
			default:
				key := service + " is " + x.why
				refused[key] = append(refused[key], x.action)
			}
		}
	}
	var findings []Finding
	for _, key := range slices.Sorted(maps.Keys(refused)) {
		findings = append(findings, Finding{"", Fail, name, key + ": " + some(refused[key]), remedy(key)})
	}
	if len(unknown) > 0 {
		findings = append(findings, Finding{"", Info, name, "IAM's simulator doesn't know " + some(unknown), "nothing: what is refused shows in the function's log"})
	}
	if len(refused) == 0 {
		findings = append(findings, Finding{"", OK, name, fmt.Sprintf("%d actions of %d services are allowed", len(actions)-len(unknown), len(services)), ""})
	}
	return findings
}

// The reasons of a simulation.
const (
	unknownAction = "unknown"
	byPolicy      = "denied by a policy of the role"
	byOrg         = "denied by the organisation"
	byBoundary    = "outside of the role's permissions boundary"
	notAllowed    = "not allowed"
)

func remedy(key string) string {
	switch {
	case strings.HasSuffix(key, byOrg):
		return "see the check scp"
	case strings.HasSuffix(key, byBoundary), strings.HasSuffix(key, byPolicy):
		return "take the role out of the boundary or the policy that denies it"
	}
	return "deploy again, with the configuration that is checked here: make deploy"
}

// ask simulates a batch. An action that IAM doesn't know fails the whole call, so
// that the batch is divided until it stands alone.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
func (v *visit) ask(ctx context.Context, role string, b batch) ([]verdict, error) {
	pages := iam.NewSimulatePrincipalPolicyPaginator(iam.NewFromConfig(v.cfg), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &role, ActionNames: b.actions, ResourceArns: []string{b.resource},
		// The keys of the tags that the function would write.
		ContextEntries: []types.ContextEntry{{
			ContextKeyName: aws.String("aws:TagKeys"), ContextKeyType: types.ContextKeyTypeEnumStringList, ContextKeyValues: v.policy.Keys(),
		}},
	})
	var all []verdict
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if _, invalid := errors.AsType[*types.InvalidInputException](err); invalid {
			if len(b.actions) == 1 {
				return []verdict{{b.actions[0], unknownAction}}, nil
			}
			half := len(b.actions) / 2
			first, err := v.ask(ctx, role, batch{b.resource, b.actions[:half]})
			if err != nil {
				return nil, err
			}
			second, err := v.ask(ctx, role, batch{b.resource, b.actions[half:]})
			return append(first, second...), err
		}
		if err != nil {
			return nil, err
		}
		for _, r := range out.EvaluationResults {
			x := verdict{action: aws.ToString(r.EvalActionName)}
			switch {
			case r.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed:
			case r.OrganizationsDecisionDetail != nil && !r.OrganizationsDecisionDetail.AllowedByOrganizations:
				x.why = byOrg
			case r.PermissionsBoundaryDecisionDetail != nil && !r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary:
				x.why = byBoundary
			case r.EvalDecision == types.PolicyEvaluationDecisionTypeExplicitDeny:
				x.why = byPolicy
			default:
				x.why = notAllowed
			}
			all = append(all, x)
		}
	}
	return all, nil
}
