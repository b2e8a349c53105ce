// Package scp writes service control policies that protect our tags: where one of
// our keys stands, only our own roles and a break-glass role may change or remove
// it. Everybody may still set it with the call that creates a resource, put it on
// a resource that lacks it, and send it again with the same value, as tools do that
// send all tags with each update.
//
// [Cover] finds out in the IAM Service Authorization Reference which actions know
// the condition keys that this takes, and [Coverage.Policies] writes them down. What
// can't be held, [Coverage.Report] lists.
//
// # How
//
// A removal names the keys (aws:TagKeys), and removing what isn't there does
// nothing: all our keys are denied. A change is denied, a statement for each key,
// if the request has the key (aws:RequestTag), the resource has it too
// (aws:ResourceTag), and the values differ. Only actions for tags are named: in a
// create call aws:ResourceTag may be of what is copied, or of the subnet it is put
// in, which has nothing to do with what the call sets.
//
// The exceptions go by the names of roles, so that who could make a role of such a
// name would be an exception. Two statements guard each name that another statement
// lets through: our own roles and the break-glass role may be managed under the
// latter and by what deploys, and what deploys under the break-glass role alone.
//
// Service control policies don't bind the organization's management account nor
// service-linked roles.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
package scp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"autotagger/internal/deployment"
)

// Limits of AWS Organizations: of a policy in characters, white space included,
// and of policies attached to one root, unit or account, FullAWSAccess included.
// Since May 2026 twice as much is let through, by what was written at the time; the
// smaller fits both.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const (
	MaxSize     = 5120
	MaxAttached = 5
)

// BreakGlass is the role that AWS Organizations makes in each account that it
// creates, for the management account to assume. An account that was invited has
// none.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_access.html
const BreakGlass = "OrganizationAccountAccessRole"

// Options say what is protected and from whom it isn't.
type Options struct {
	// Keys are the tag keys.
	Keys []string
	// BreakGlass is a glob over names of roles, paths included:
	// aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Admin_*. Empty: [BreakGlass].
	BreakGlass string
	// Hub is the hub's account, where alone the CDK may deploy roles of our names: in
	// another, whoever may deploy a stack could make one of his own. Empty: nowhere.
	Hub string
	// Partition is that of the organization. Empty: aws.
	Partition string
	// Size is how many characters a policy may have. Zero: [MaxSize].
	Size int
}

type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  any // a string or strings
	Condition map[string]map[string]any
}

// Policies returns the documents, each within the size. They belong together.
func (c Coverage) Policies(o Options) ([][]byte, error) {
	if o.BreakGlass == "" {
		o.BreakGlass = BreakGlass
	}
	if o.Partition == "" {
		o.Partition = "aws"
	}
	if o.Size == 0 {
		o.Size = MaxSize
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	p := packer{size: o.Size}
	for _, s := range c.statements(o) {
		if err := p.add(s); err != nil {
			return nil, err
		}
	}
	return append(p.full, p.current.json()), nil
}

func (o Options) check() error {
	if len(o.Keys) == 0 {
		return errors.New("there is no tag key to protect")
	}
	if !slices.Contains(partitions(), o.Partition) {
		return fmt.Errorf("the partition %q isn't known; there are %s", o.Partition, strings.Join(partitions(), ", "))
	}
	// What other characters would do within a condition key or a policy variable
	// isn't known.
	// https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
	allowed := regexp.MustCompile(`^[\p{L}\p{N} _.:/=+\-@]+$`)
	for _, k := range o.Keys {
		if !allowed.MatchString(k) {
			return fmt.Errorf("the tag key %q can't stand in a policy", k)
		}
	}
	if !regexp.MustCompile(`^[\w+=,.@/*?-]+$`).MatchString(o.BreakGlass) || !regexp.MustCompile(`\w{3}`).MatchString(o.BreakGlass) {
		return fmt.Errorf("the break-glass role %q is not a name, or a glob that says too little", o.BreakGlass)
	}
	if o.Hub != "" && !regexp.MustCompile(`^\d{12}$`).MatchString(o.Hub) {
		return fmt.Errorf("the hub %q is no account", o.Hub)
	}
	return nil
}

// partitions are AWS's, as its SDKs know them.
func partitions() []string {
	return []string{"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"}
}

// roles returns the ARNs of roles in all accounts.
func (o Options) roles(names ...string) []string {
	arns := make([]string, len(names))
	for i, n := range names {
		arns[i] = o.role("*", n)
	}
	return arns
}

func (o Options) role(account, name string) string {
	return "arn:" + o.Partition + ":iam::" + account + ":role/" + name
}

// deployers are the roles under which stacks with ours are deployed. Service-managed
// stack sets make theirs with a service-linked role, which the policies don't bind,
// and the hub's account has the CDK's from its bootstrap.
//
//   - https://docs.aws.amazon.com/aws-managed-policy/latest/reference/CloudFormationStackSetsOrgMemberServiceRolePolicy.html
//   - https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
func (o Options) deployers() []string {
	all := o.roles("stacksets-exec-*")
	if o.Hub != "" {
		all = append(all, o.role(o.Hub, "cdk-*-cfn-exec-role-*"))
	}
	return all
}

// guard denies everybody but some to manage roles, or to hand them to a service. The
// wildcards reach what else IAM has, but not for roles.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
func guard(sid string, roles, but []string) statement {
	return statement{
		Sid:       sid,
		Action:    []string{"iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:Pass*", "iam:Put*", "iam:Update*"},
		Resource:  roles,
		Condition: map[string]map[string]any{"ArnNotLike": {"aws:PrincipalArn": but}},
	}
}

func (c Coverage) statements(o Options) []statement {
	breakGlass := o.roles(o.BreakGlass)
	exempt := append(o.roles(deployment.OwnRoles()...), breakGlass...)
	// aws:PrincipalArn is the role's for a session of it.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
	others := map[string]any{"aws:PrincipalArn": exempt}
	all := []statement{
		// The ledger's function writes no tags, but what others' go by.
		guard("Roles", append(o.roles(deployment.FunctionRole(deployment.Ledger, "*")), exempt...), append(o.deployers(), breakGlass...)),
		guard("Deployers", o.deployers(), breakGlass),
	}
	all = append(all, statement{
		Sid:      "Remove",
		Action:   wildcards(c.Remove),
		Resource: "*",
		Condition: map[string]map[string]any{
			"ForAnyValue:StringEquals": {tagKeys: o.Keys},
			"ArnNotLike":               others,
		},
	})
	for i, k := range o.Keys {
		all = append(all, statement{
			// Without keys it removes all tags.
			// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html
			Sid:      fmt.Sprintf("RemoveAll%d", i+1),
			Action:   []string{"ec2:DeleteTags"},
			Resource: "*",
			Condition: map[string]map[string]any{
				"Null":       {tagKeys: "true", resourceTag + k: "false"},
				"ArnNotLike": others,
			},
		})
	}
	for i, k := range o.Keys {
		all = append(all, statement{
			Sid:      fmt.Sprintf("Change%d", i+1),
			Action:   wildcards(c.Set),
			Resource: "*",
			Condition: map[string]map[string]any{
				"Null":            {requestTag + k: "false", resourceTag + k: "false"},
				"StringNotEquals": {requestTag + k: "${" + resourceTag + k + "}"},
				"ArnNotLike":      others,
			},
		})
	}
	return all
}

// document is a policy.
type document struct {
	Version   string
	Statement []statement
}

// json has no white space, which would count.
func (d document) json() []byte {
	d.Version = "2012-10-17"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(d) // strings, and maps of strings, only
	return bytes.TrimSpace(b.Bytes())
}

// packer fills documents one after the other, and divides statements between them.
type packer struct {
	size    int
	full    [][]byte
	current document
}

func (p *packer) add(s statement) error {
	s.Effect = "Deny"
	actions := s.Action
	s.Action = nil
	for len(actions) > 0 {
		room := document{Statement: append(p.current.Statement[:len(p.current.Statement):len(p.current.Statement)], s)}
		last := &room.Statement[len(room.Statement)-1]
		n := 0
		for n < len(actions) {
			last.Action = actions[:n+1]
			if len(room.json()) > p.size {
				break
			}
			n++
		}
		if n > 0 {
			last.Action = actions[:n]
			p.current, actions = room, actions[n:]
			continue
		}
		if len(p.current.Statement) == 0 {
			return fmt.Errorf("%s of statement %s takes more than the %d characters of a policy: that size is too small, or the tag keys are too long", actions[0], strings.TrimRight(s.Sid, "0123456789"), p.size)
		}
		p.full, p.current = append(p.full, p.current.json()), document{}
	}
	return nil
}
