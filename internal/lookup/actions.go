package lookup

import (
	"fmt"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

// Actions are the actions of IAM that a policy's look-ups take, sorted: spoke in the
// accounts that events come from, own in the functions' own account. The ledger's are
// package ledger's, and reading the tags of what an event made is what tagging it takes
// anyway.
//
// Those of the identity store are needed in its account only, and stand under own where
// the policy names none.
func Actions(c *catalogue.Catalogue, p *policy.Policy) (spoke, own []string, err error) {
	l := &p.LookUps
	if l.Parents {
		spoke = append(spoke, "cloudformation:DescribeStacks", "elasticbeanstalk:DescribeEnvironments", "tag:GetResources")
		for _, k := range parentKinds() {
			if k.Event == "" {
				continue
			}
			res, err := k.resource(c)
			if err != nil {
				return nil, nil, err
			}
			spoke = append(spoke, slices.DeleteFunc(slices.Clone(res.Permissions), func(a string) bool { return !reads(a) })...)
		}
	}
	if l.Children {
		spoke = append(spoke, "ec2:DescribeImages", "ec2:DescribeInstances")
	}
	if p.AsksPrincipals() {
		spoke = append(spoke, "iam:GetRole", "iam:GetUser")
	}
	if store := l.IdentityStore; store != nil {
		actions := []string{"identitystore:DescribeUser"}
		if p.Tags.CreatorForm == policy.CreatorEmail {
			actions = append(actions, "identitystore:GetUserId", "sso:ListInstances")
		}
		if store.Account == "" {
			own = append(own, actions...)
		} else {
			spoke = append(spoke, actions...)
		}
	}
	if p.AsksAccounts() {
		own = append(own, "organizations:ListTagsForResource")
	}
	if p.AsksOUs() {
		own = append(own, "organizations:ListParents")
	}
	for _, list := range []*[]string{&spoke, &own} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return spoke, own, nil
}

// reads reports whether an action changes nothing, by its verb.
func reads(action string) bool {
	_, verb, _ := strings.Cut(action, ":")
	return strings.HasPrefix(verb, "Describe") || strings.HasPrefix(verb, "Get") || strings.HasPrefix(verb, "List")
}

// resource is the catalogue's row of what a tag names: how its tags are read.
func (k parentKind) resource(c *catalogue.Catalogue) (*catalogue.Resource, error) {
	row, err := c.Lookup(k.Service+".amazonaws.com", k.Event)
	switch {
	case err != nil:
		return nil, err
	case row == nil || len(row.Resources) == 0:
		return nil, fmt.Errorf("reading parents: the catalogue has no resource of %s %s", k.Service, k.Event)
	}
	return &row.Resources[0], nil
}
