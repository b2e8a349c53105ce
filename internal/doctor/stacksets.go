package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"autotagger/internal/deployment"
)

// stackSetsPrincipal is the service that deploys to an organisation's accounts.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html
const stackSetsPrincipal = "member.org.stacksets.cloudformation.amazonaws.com"

// stackSets looks at what lets the hub deploy to the organisation, and whether each
// account has each of its stacks.
func (v *visit) stackSets(ctx context.Context) []Finding {
	if !v.organization {
		return nil
	}
	org, err := v.management(ctx)
	switch {
	case err != nil:
		return []Finding{unseen("organisation", err)}
	case org == nil:
		return []Finding{{"", Fail, v.account, "is in no organisation", "deploy without the context organization"}}
	}
	findings := v.trusted(ctx, org)
	if v.hub == nil || v.hub.unread {
		return findings
	}
	sets := v.hub.of("AWS::CloudFormation::StackSet")
	if len(sets) == 0 {
		return append(findings, Finding{"", Info, deployment.Stack, "has no stack sets: spokes are deployed by hand", "docs/deploy.md"})
	}
	members, missed := v.members(ctx, sets, org)
	findings = append(findings, missed...)
	regions, err := v.spokeRegions(ctx)
	if err != nil {
		findings = append(findings, unseen(deployment.Stack+" template", err))
	}
	for _, list := range each(sets, func(id string) []Finding { return v.stackSet(ctx, id, org, members, regions[setName(id)]) }) {
		findings = append(findings, list...)
	}
	return append(findings, Finding{"", Info, aws.ToString(org.MasterAccountId), "is the management account, which stack sets skip", "deploy its spoke as plain stacks: docs/deploy.md"})
}

// trusted looks at trusted access and delegated administration.
func (v *visit) trusted(ctx context.Context, org *orgtypes.Organization) []Finding {
	manages := aws.ToString(org.MasterAccountId) == v.account
	var services []string
	pages := organizations.NewListAWSServiceAccessForOrganizationPaginator(v.org(), nil)
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if denied(err) && !manages {
			return []Finding{{"", Fail, v.account, "is neither the management account nor a delegated administrator, so that it can't deploy to the organisation (or these credentials may not organizations:ListAWSServiceAccessForOrganization)",
				"from the management account " + aws.ToString(org.MasterAccountId) + ": " + v.delegate()}}
		}
		if err != nil {
			return []Finding{unseen("trusted access", err)}
		}
		for _, s := range out.EnabledServicePrincipals {
			services = append(services, aws.ToString(s.ServicePrincipal))
		}
	}
	var findings []Finding
	if slices.Contains(services, stackSetsPrincipal) {
		findings = append(findings, Finding{"", OK, "trusted access", "on for stack sets", ""})
	} else {
		findings = append(findings, Finding{"", Fail, "trusted access", "off for stack sets", "from the management account: aws cloudformation activate-organizations-access"})
	}
	if manages {
		return append(findings, Finding{"", OK, "delegated administrator", "not needed in the management account: deploy with the context call-as=SELF", ""})
	}
	var admins []string
	list := organizations.NewListDelegatedAdministratorsPaginator(v.org(), &organizations.ListDelegatedAdministratorsInput{ServicePrincipal: aws.String(stackSetsPrincipal)})
	for list.HasMorePages() {
		out, err := list.NextPage(ctx)
		if err != nil {
			return append(findings, unseen("delegated administrator", err))
		}
		for _, a := range out.DelegatedAdministrators {
			admins = append(admins, aws.ToString(a.Id))
		}
	}
	if slices.Contains(admins, v.account) {
		return append(findings, Finding{"", OK, "delegated administrator", v.account + " is one for stack sets", ""})
	}
	return append(findings, Finding{"", Fail, "delegated administrator", v.account + " is none for stack sets", "from the management account: " + v.delegate()})
}

func (v *visit) delegate() string {
	return "aws organizations register-delegated-administrator --service-principal " + stackSetsPrincipal + " --account-id " + v.account
}

// callAs is who the hub's account is to stack sets.
func (v *visit) callAs(org *orgtypes.Organization) types.CallAs {
	if aws.ToString(org.MasterAccountId) == v.account {
		return types.CallAsSelf
	}
	return types.CallAsDelegatedAdmin
}

// members returns the active accounts under the stack sets' units; nil where they
// can't be seen. The management account is none: stack sets skip it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs.html
func (v *visit) members(ctx context.Context, sets []string, org *orgtypes.Organization) (map[string]string, []Finding) {
	units := map[string]bool{}
	for _, id := range sets {
		set, err := v.formation(v.region).DescribeStackSet(ctx, &cloudformation.DescribeStackSetInput{StackSetName: &id, CallAs: v.callAs(org)})
		if err != nil {
			return nil, []Finding{unseen(setName(id), err)}
		}
		for _, u := range set.StackSet.OrganizationalUnitIds {
			units[u] = true
		}
	}
	accounts := map[string]string{}
	todo := slices.Sorted(maps.Keys(units))
	for len(todo) > 0 {
		unit := todo[0]
		todo = todo[1:]
		pages := organizations.NewListAccountsForParentPaginator(v.org(), &organizations.ListAccountsForParentInput{ParentId: &unit})
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				return nil, []Finding{unseen("accounts of "+unit, err)}
			}
			for _, a := range out.Accounts {
				if active(a) && aws.ToString(a.Id) != aws.ToString(org.MasterAccountId) {
					accounts[aws.ToString(a.Id)] = aws.ToString(a.Name)
				}
			}
		}
		below := organizations.NewListOrganizationalUnitsForParentPaginator(v.org(), &organizations.ListOrganizationalUnitsForParentInput{ParentId: &unit})
		for below.HasMorePages() {
			out, err := below.NextPage(ctx)
			if err != nil {
				return nil, []Finding{unseen("units of "+unit, err)}
			}
			for _, u := range out.OrganizationalUnits {
				todo = append(todo, aws.ToString(u.Id))
			}
		}
	}
	return accounts, nil
}

// active: State is what replaces Status.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
func active(a orgtypes.Account) bool {
	if a.State != "" {
		return a.State == orgtypes.AccountStateActive
	}
	return a.Status == orgtypes.AccountStatusActive
}

// spokeRegions returns the regions that the hub's template gives each stack set, by
// its name. The stack set itself only tells those in which it has instances.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSet.html
func (v *visit) spokeRegions(ctx context.Context) (map[string][]string, error) {
	out, err := v.formation(v.region).GetTemplate(ctx, &cloudformation.GetTemplateInput{
		StackName: aws.String(deployment.Stack), TemplateStage: types.TemplateStageProcessed,
	})
	if err != nil {
		return nil, err
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.TemplateBody)), &template); err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	regions := map[string][]string{}
	for id, r := range template.Resources {
		if r.Type != "AWS::CloudFormation::StackSet" {
			continue
		}
		var set struct {
			StackSetName        string
			StackInstancesGroup []struct{ Regions []string }
		}
		if err := json.Unmarshal(r.Properties, &set); err != nil {
			return nil, fmt.Errorf("reading the template's %s: %w", id, err)
		}
		for _, group := range set.StackInstancesGroup {
			regions[set.StackSetName] = append(regions[set.StackSetName], group.Regions...)
		}
	}
	return regions, nil
}

// setName is a stack set's name: to CloudFormation a stack's resource it is NAME:ID.
func setName(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}

// stackSet holds the instances of a stack set against the accounts that should have
// them, in the regions that it is meant for and those in which there is any.
func (v *visit) stackSet(ctx context.Context, id string, org *orgtypes.Organization, members map[string]string, regions []string) []Finding {
	name := setName(id)
	have := map[string]map[string]types.StackInstanceSummary{} // by region and account
	for _, r := range regions {
		have[r] = map[string]types.StackInstanceSummary{}
	}
	count := 0
	pages := cloudformation.NewListStackInstancesPaginator(v.formation(v.region), &cloudformation.ListStackInstancesInput{StackSetName: &id, CallAs: v.callAs(org)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if _, gone := errors.AsType[*types.StackSetNotFoundException](err); gone {
			return []Finding{{"", Fail, name, "the stack set is gone", restore}}
		}
		if err != nil {
			return []Finding{unseen(name, err)}
		}
		for _, s := range out.Summaries {
			region := aws.ToString(s.Region)
			if have[region] == nil {
				have[region] = map[string]types.StackInstanceSummary{}
			}
			have[region][aws.ToString(s.Account)] = s
			count++
		}
	}
	var findings []Finding
	for _, region := range slices.Sorted(maps.Keys(have)) {
		var missing, outdated []string
		for _, a := range slices.Sorted(maps.Keys(members)) {
			if _, ok := have[region][a]; !ok {
				missing = append(missing, a)
			}
		}
		for _, a := range slices.Sorted(maps.Keys(have[region])) {
			s := have[region][a]
			switch {
			case s.Status == types.StackInstanceStatusCurrent:
			case v.disabled(ctx, a, region, org):
				findings = append(findings, Finding{"", Info, name + " " + a + " " + region, "the account has disabled the region", "nothing: nothing is created there"})
			case underWay(s):
				outdated = append(outdated, a)
			default:
				findings = append(findings, Finding{"", Fail, name + " " + a + " " + region, instanceText(s), v.repair(name, a, region, org)})
			}
		}
		switch {
		case count == 0: // said once, below
		case len(have[region]) == 0:
			findings = append(findings, Finding{"", Fail, name + " " + region, "no instance in any account", v.create(name, region, org)})
		case len(missing) > 0:
			findings = append(findings, Finding{"", Fail, name + " " + region, "no instance in " + some(missing),
				v.create(name, region, org)})
		}
		if len(outdated) > 0 {
			findings = append(findings, Finding{"", Warn, name + " " + region, "not deployed yet in " + some(outdated), "look again when the operation is done: aws cloudformation list-stack-set-operations --stack-set-name " + name + v.as(org)})
		}
	}
	switch {
	case count == 0:
		findings = append(findings, Finding{"", Fail, name, "has no instances: no account sends events", "are there accounts under the units, and is automatic deployment on? docs/deploy.md"})
	case len(findings) == 0:
		findings = append(findings, Finding{"", OK, name, fmt.Sprintf("%d instances in %s, all current", count, strings.Join(slices.Sorted(maps.Keys(have)), ", ")), ""})
	}
	return findings
}

// underWay reports whether an instance waits for an operation, and nothing failed.
func underWay(s types.StackInstanceSummary) bool {
	if s.Status != types.StackInstanceStatusOutdated {
		return false
	}
	if s.StackInstanceStatus == nil {
		return aws.ToString(s.StatusReason) == ""
	}
	switch s.StackInstanceStatus.DetailedStatus {
	case types.StackInstanceDetailedStatusPending, types.StackInstanceDetailedStatusRunning, types.StackInstanceDetailedStatusSucceeded:
		return true
	}
	return false
}

func instanceText(s types.StackInstanceSummary) string {
	text := string(s.Status)
	if d := s.StackInstanceStatus; d != nil && d.DetailedStatus != "" {
		text += ", " + string(d.DetailedStatus)
	}
	if why := aws.ToString(s.StatusReason); why != "" {
		text += ": " + why
	}
	return text
}

// disabled reports whether an account has a region disabled. Other accounts' regions
// are seen from the management account, with trusted access for account management;
// where that isn't to be had, what CloudFormation said of the instance has to do.
// https://docs.aws.amazon.com/accounts/latest/reference/API_GetRegionOptStatus.html
func (v *visit) disabled(ctx context.Context, id, region string, org *orgtypes.Organization) bool {
	in := &account.GetRegionOptStatusInput{RegionName: &region, AccountId: &id}
	if id == v.account {
		in.AccountId = nil
	}
	out, err := account.NewFromConfig(v.cfg, inRegion(v.global())).GetRegionOptStatus(ctx, in)
	return err == nil && (out.RegionOptStatus == accounttypes.RegionOptStatusDisabled || out.RegionOptStatus == accounttypes.RegionOptStatusDisabling)
}

func (v *visit) as(org *orgtypes.Organization) string {
	return " --call-as " + string(v.callAs(org))
}

func (v *visit) repair(name, id, region string, org *orgtypes.Organization) string {
	return fmt.Sprintf("mend what it names, or disregard it if the account has disabled the region; then aws cloudformation update-stack-instances --stack-set-name %s --deployment-targets OrganizationalUnitIds=UNIT,Accounts=%s,AccountFilterType=INTERSECTION --regions %s%s", name, id, region, v.as(org))
}

func (v *visit) create(name, region string, org *orgtypes.Organization) string {
	return fmt.Sprintf("aws cloudformation create-stack-instances --stack-set-name %s --deployment-targets OrganizationalUnitIds=UNIT --regions %s%s", name, region, v.as(org))
}
