package doctor_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"autotagger/internal/doctor"
)

// member makes the world's account a member of an organisation, in a unit, which it
// returns.
func (w *world) member() (client *organizations.Client, unit string) {
	w.t.Helper()
	w.organisation = w.account
	client = organizations.NewFromConfig(w.cfg)
	ctx := w.t.Context()
	_, err := client.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: types.OrganizationFeatureSetAll})
	w.must(err)
	roots, err := client.ListRoots(ctx, nil)
	w.must(err)
	root := roots.Roots[0].Id
	_, err = client.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: root, PolicyType: types.PolicyTypeServiceControlPolicy})
	w.must(err)
	ou, err := client.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: root, Name: aws.String("workloads")})
	w.must(err)
	w.account = w.join(client, root, ou.OrganizationalUnit.Id)
	return client, aws.ToString(ou.OrganizationalUnit.Id)
}

// join makes an account in a unit.
func (w *world) join(client *organizations.Client, root, unit *string) string {
	w.t.Helper()
	made, err := client.CreateAccount(w.t.Context(), &organizations.CreateAccountInput{AccountName: aws.String("a"), Email: aws.String("a@example.com")})
	w.must(err)
	id := made.CreateAccountStatus.AccountId
	_, err = client.MoveAccount(w.t.Context(), &organizations.MoveAccountInput{AccountId: id, SourceParentId: root, DestinationParentId: unit})
	w.must(err)
	return aws.ToString(id)
}

// TestControlPolicies: what denies the tagging is found, and nothing else.
func TestControlPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, unit := w.member()
	want(t, w.examine(doctor.Options{}), "scp", doctor.OK, w.account, "denies the tagging", "")
	attach := func(statement string) (detach func()) {
		p, err := client.CreatePolicy(t.Context(), &organizations.CreatePolicyInput{
			Name: aws.String("guard"), Description: aws.String("d"), Type: types.PolicyTypeServiceControlPolicy,
			Content: aws.String(`{"Version":"2012-10-17","Statement":[` + statement + `]}`),
		})
		w.must(err)
		_, err = client.AttachPolicy(t.Context(), &organizations.AttachPolicyInput{PolicyId: p.Policy.PolicySummary.Id, TargetId: &unit})
		w.must(err)
		return func() {
			_, err := client.DetachPolicy(t.Context(), &organizations.DetachPolicyInput{PolicyId: p.Policy.PolicySummary.Id, TargetId: &unit})
			w.must(err)
			_, err = client.DeletePolicy(t.Context(), &organizations.DeletePolicyInput{PolicyId: p.Policy.PolicySummary.Id})
			w.must(err)
		}
	}
	for _, c := range []struct {
		name, statement string
		status          doctor.Status
		found           string
	}{
		{"plain", `{"Sid":"NoTags","Effect":"Deny","Action":["kms:TagResource","kms:Untag*"],"Resource":"*"}`, doctor.Fail, "denies kms:TagResource"},
		{"another region", `{"Effect":"Deny","NotAction":["iam:*","tag:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1"]}}}`, doctor.Fail, "denies "},
		{"this region", `{"Effect":"Deny","NotAction":["iam:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1","eu-west-1"]}}}`, doctor.OK, ""},
		{"not our roles", `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/autotagger-tagger-*","arn:aws:iam::*:role/autotagger-cors-*"]}}}`, doctor.OK, ""},
		{"not our keys", `{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":["owner"]}}}`, doctor.OK, ""},
		{"our keys", `{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":["cost-center"]}}}`, doctor.Fail, "denies ec2:CreateTags"},
		{"who knows", `{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/team":"platform"}}}`, doctor.Warn, "may deny ec2:CreateTags, by the condition StringNotEquals on aws:PrincipalTag/team"},
		{"who knows, of what", `{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/locked":"yes"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/autotagger-*"}}}`, doctor.Warn, "by the condition StringEquals on aws:ResourceTag/locked"},
		{"some resources", `{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::audit-*"}`, doctor.Warn, "for arn:aws:s3:::audit-*"},
		{"what isn't ours", `{"Effect":"Deny","Action":["ec2:RunInstances","organizations:LeaveOrganization"],"Resource":"*"}`, doctor.OK, ""},
		{"can't be read", `{"Effect":"Deny","Action":"ec2:CreateTags","Ressource":"*"}`, doctor.Unknown, "Ressource"},
	} {
		detach := attach(c.statement)
		findings := of(w.examine(doctor.Options{}), "scp")
		detach()
		t.Run(c.name, func(t *testing.T) {
			want(t, findings, "scp", c.status, "", c.found, "")
			if c.status != doctor.OK && strings.Contains(text(findings), `"ok"`) {
				t.Errorf("it is fine and isn't:\n%s", text(findings))
			}
		})
	}

	// A level allows what one of its policies allows, and no more.
	detach := attach(`{"Effect":"Allow","Action":["s3:*"],"Resource":"*"}`)
	full := &organizations.DetachPolicyInput{PolicyId: aws.String("p-FullAWSAccess"), TargetId: &unit}
	_, err := client.DetachPolicy(t.Context(), full)
	w.must(err)
	want(t, w.examine(doctor.Options{}), "scp", doctor.Fail, unit, "don't allow ", "allow these")
	_, err = client.AttachPolicy(t.Context(), &organizations.AttachPolicyInput{PolicyId: full.PolicyId, TargetId: full.TargetId})
	w.must(err)
	detach()

	// An organisation's hub looks at all that is attached anywhere.
	detach = attach(`{"Effect":"Deny","Action":"kms:TagResource","Resource":"*"}`)
	w.account, w.organisation = w.organisation, ""
	findings := of(w.examine(doctor.Options{Organization: true}), "scp")
	want(t, findings, "scp", doctor.Fail, "guard on "+unit, "denies kms:TagResource", "ArnNotLike aws:PrincipalArn arn:aws:iam::*:role/autotagger-tagger-* and arn:aws:iam::*:role/autotagger-cors-*")
	findings = of(w.examine(doctor.Options{}), "scp")
	want(t, findings, "scp", doctor.OK, w.account, "the management account", "")
	detach()
}

// TestMember: what a member can't see isn't wrong, and is said.
func TestMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.member()
	w.trail()
	w.stack("CDKToolkit", "testdata/toolkit.json")
	w.refuse("ListPoliciesForTarget", "AccessDeniedException")
	findings := w.examine(doctor.Options{})
	want(t, findings, "scp", doctor.Info, "", "can only be seen from the management account "+w.organisation, "there")
	want(t, findings, "cost-tags", doctor.Info, "creator, cost-center", w.organisation, "'TagKey=creator,Status=Active' 'TagKey=cost-center,Status=Active'")
	if !doctor.Healthy(findings) {
		t.Error(text(findings))
	}
	w.refuse("ListAWSServiceAccessForOrganization", "AccessDeniedException")
	findings = w.examine(doctor.Options{Organization: true})
	want(t, findings, "stacksets", doctor.Fail, w.account, "neither the management account nor a delegated administrator", "register-delegated-administrator --service-principal member.org.stacksets.cloudformation.amazonaws.com --account-id "+w.account)
}

// TestStackSets: the accounts of the units, the regions, and what of them is there.
func TestStackSets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, unit := w.member()
	first := w.account
	roots, err := client.ListRoots(t.Context(), nil)
	w.must(err)
	below, err := client.CreateOrganizationalUnit(t.Context(), &organizations.CreateOrganizationalUnitInput{ParentId: &unit, Name: aws.String("below")})
	w.must(err)
	second := w.join(client, roots.Roots[0].Id, below.OrganizationalUnit.Id)
	w.account, w.organisation = w.organisation, "" // the hub is in the management account
	w.trail()
	w.stack("CDKToolkit", "testdata/toolkit.json")

	findings := w.examine(doctor.Options{Organization: true})
	want(t, findings, "stacksets", doctor.Fail, "trusted access", "off", "activate-organizations-access")
	w.json("ListAWSServiceAccessForOrganization", `{"EnabledServicePrincipals":[{"ServicePrincipal":"member.org.stacksets.cloudformation.amazonaws.com"}]}`)
	findings = w.examine(doctor.Options{Organization: true})
	want(t, findings, "stacksets", doctor.OK, "trusted access", "on", "")
	want(t, findings, "stacksets", doctor.OK, "delegated administrator", "not needed", "")

	// The hub: the emulator's stacks have no stack sets.
	w.stack("Autotagger", "testdata/hub.json")
	out, err := cloudformation.NewFromConfig(w.cfg).ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("Autotagger")})
	w.must(err)
	for _, op := range []string{"DescribeTrails", "ListRules", "ListQueues", "GetQueueAttributes", "ListPolicies", "ListEventSourceMappings"} {
		w.refuse(op, "AccessDeniedException") // not asked here, and sooner answered
	}
	template := func(regions string) {
		w.xml("GetTemplate", `<TemplateBody>{"Resources":{"Bus":{"Type":"AWS::Events::EventBus","Properties":{"Name":"autotagger"}},"Rules":{"Type":"AWS::CloudFormation::StackSet","Properties":{"StackSetName":"autotagger-rules","StackInstancesGroup":[{"DeploymentTargets":{"OrganizationalUnitIds":["`+unit+`"]},"Regions":[`+regions+`]}]}}}}</TemplateBody>`)
	}
	template(`"eu-west-1"`)
	resources := ""
	member := func(kind, id string) {
		resources += fmt.Sprintf(`<member><LogicalResourceId>x</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId><ResourceType>%s</ResourceType><LastUpdatedTimestamp>2026-11-01T00:00:00Z</LastUpdatedTimestamp><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>`, id, kind)
	}
	for _, r := range out.StackResourceSummaries {
		member(aws.ToString(r.ResourceType), aws.ToString(r.PhysicalResourceId))
	}
	member("AWS::CloudFormation::StackSet", "autotagger-rules:11111111-2222-3333-4444-555555555555")
	w.xml("ListStackResources", `<StackResourceSummaries>`+resources+`</StackResourceSummaries>`)
	w.xml("DescribeStackSet", `<StackSet><StackSetName>autotagger-rules</StackSetName><Status>ACTIVE</Status><PermissionModel>SERVICE_MANAGED</PermissionModel><OrganizationalUnitIds><member>`+unit+`</member></OrganizationalUnitIds></StackSet>`)
	instance := func(account, region, status, detail, reason string) string {
		return fmt.Sprintf(`<member><StackSetId>autotagger-rules:1</StackSetId><Account>%s</Account><Region>%s</Region><Status>%s</Status><StatusReason>%s</StatusReason><StackInstanceStatus><DetailedStatus>%s</DetailedStatus></StackInstanceStatus></member>`, account, region, status, reason, detail)
	}
	current := func(account, region string) string { return instance(account, region, "CURRENT", "SUCCEEDED", "") }
	whole := current(first, "eu-west-1") + current(second, "eu-west-1")
	for _, c := range []struct {
		name, instances    string
		status             doctor.Status
		subject, found, do string
	}{
		{"whole", whole, doctor.OK, "autotagger-rules", "2 instances in eu-west-1, all current", ""},
		{"none", "", doctor.Fail, "autotagger-rules", "has no instances", "docs/deploy.md"},
		{"missing", whole + current(first, "eu-north-1"), doctor.Fail, "autotagger-rules eu-north-1", "no instance in " + second, "create-stack-instances --stack-set-name autotagger-rules"},
		{"failed", current(first, "eu-west-1") + instance(second, "eu-west-1", "OUTDATED", "FAILED", "AlreadyExists"), doctor.Fail, "autotagger-rules " + second + " eu-west-1", "OUTDATED, FAILED: AlreadyExists", "Accounts=" + second},
		{"under way", current(first, "eu-west-1") + instance(second, "eu-west-1", "OUTDATED", "RUNNING", ""), doctor.Warn, "autotagger-rules eu-west-1", "not deployed yet in " + second, "list-stack-set-operations"},
		{"inoperable", current(first, "eu-west-1") + instance(second, "eu-west-1", "INOPERABLE", "INOPERABLE", ""), doctor.Fail, second, "INOPERABLE", ""},
	} {
		w.xml("ListStackInstances", `<Summaries>`+c.instances+`</Summaries>`)
		findings := of(w.examine(doctor.Options{}), "stacksets")
		t.Run(c.name, func(t *testing.T) { want(t, findings, "stacksets", c.status, c.subject, c.found, c.do) })
	}
	// The regions that the stack set is meant for, whether anything is there or not.
	template(`"eu-west-1","ap-south-1"`)
	w.xml("ListStackInstances", `<Summaries>`+whole+`</Summaries>`)
	want(t, w.examine(doctor.Options{}), "stacksets", doctor.Fail, "autotagger-rules ap-south-1", "no instance in any account", "--regions ap-south-1")
	w.refuse("GetTemplate", "AccessDenied")
	want(t, w.examine(doctor.Options{}), "stacksets", doctor.Unknown, "Autotagger template", "", "cloudformation:GetTemplate")
	w.xml("ListStackInstances", `<Summaries>`+whole+instance(first, "ap-east-1", "OUTDATED", "FAILED", "region is not enabled")+current(second, "ap-east-1")+`</Summaries>`)
	w.json("GetRegionOptStatus", `{"RegionName":"ap-east-1","RegionOptStatus":"DISABLED"}`)
	findings = w.examine(doctor.Options{})
	want(t, findings, "stacksets", doctor.Info, first+" ap-east-1", "disabled the region", "")
	// An organisation begins with the switch off, and its hub's account may have no roles.
	want(t, findings, "stacksets", doctor.Info, w.account, "which stack sets skip", "plain stacks")
	want(t, findings, "permissions", doctor.Info, "spokes", "can't be seen from here", "")
	w.json("GetParameters", `{"Parameters":[{"Name":"/autotagger/writing","Value":"off"},{"Name":"/autotagger/configuration","Value":"deployed"}]}`)
	w.refuse("SimulatePrincipalPolicy", "NoSuchEntity")
	findings = w.examine(doctor.Options{})
	want(t, findings, "writing", doctor.Info, "/autotagger/writing", "only say what they would do", "--value on")
	want(t, findings, "permissions", doctor.Info, "autotagger-tagger-spoke", "isn't in this account", "plain stack")
	w.refuse("ListStackInstances", "AccessDenied")
	want(t, w.examine(doctor.Options{}), "stacksets", doctor.Unknown, "autotagger-rules", "", "cloudformation:ListStackInstances")
}
