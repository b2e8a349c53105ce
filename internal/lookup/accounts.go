package lookup

import (
	"context"
	"encoding/json"
	"fmt"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/resolve"
)

// maxUnits bounds the way from an account to its root: units are nested five deep at most.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const maxUnits = 8

// accountTags are an account's tags in Organizations.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListTagsForResource.html
func (s *search) accountTags(ctx context.Context, account string) map[string]string {
	tags, err := look(ctx, s.Finder, Account, account, always[map[string]string](keepAccount), func(ctx context.Context) (map[string]string, error) {
		all := map[string]string{}
		fields := map[string]any{"ResourceId": account}
		for {
			var page struct {
				Tags      []pair
				NextToken string
			}
			if err := s.organizations(ctx, "ListTagsForResource", fields, &page); err != nil {
				return nil, err
			}
			for _, t := range page.Tags {
				all[t.Key] = t.Value
			}
			if page.NextToken == "" {
				return all, nil
			}
			fields["NextToken"] = page.NextToken
		}
	})
	if err != nil {
		s.fails(Account, account, err)
		return nil
	}
	s.step(Account, account, fmt.Sprintf("%d tags", len(tags)))
	return tags
}

// units are the ids of the organizational units that an account is in, its own first, and
// the root. Where one doesn't say what it is in, those up to it are returned.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
func (s *search) units(ctx context.Context, account string) []string {
	var ids []string
	child := account
	for range maxUnits {
		parent, err := look(ctx, s.Finder, Unit, child, always[string](keepAccount), func(ctx context.Context) (string, error) {
			var answer struct{ Parents []struct{ ID string } }
			if err := s.organizations(ctx, "ListParents", map[string]any{"ChildId": child}, &answer); err != nil {
				return "", err
			}
			if len(answer.Parents) == 0 {
				return "", errAbsent
			}
			return answer.Parents[0].ID, nil
		})
		if err != nil {
			s.fails(Unit, child, err)
			return ids
		}
		s.step(Unit, child, "in "+parent)
		ids = append(ids, parent)
		if len(parent) > 1 && parent[:2] == "r-" {
			return ids
		}
		child = parent
	}
	return ids
}

// organizations asks AWS Organizations, which only the management account and delegated
// administrators may.
func (s *search) organizations(ctx context.Context, op string, fields map[string]any, answer any) error {
	row, err := s.Catalogue.Lookup("organizations.amazonaws.com", "CreateAccount")
	if err != nil {
		return err
	}
	return s.json(ctx, s.Own, &row.Resources[0].Calls.Service, op, "", s.plan.Event.Region, fields, answer)
}

// json makes a call of a service that speaks JSON.
func (s *search) json(ctx context.Context, c *awsapi.Caller, service *catalogue.Service, op, account, region string, fields map[string]any, answer any) error {
	body, err := c.Do(awsapi.WithAccount(ctx, account), awsapi.Call{
		Service: service, Op: op, Account: account, Region: region, ARN: "arn:" + resolve.Partition(region) + ":", Fields: fields,
	})
	if err == nil {
		err = json.Unmarshal(body, answer)
	}
	if err != nil {
		return fmt.Errorf("asking %s for %s: %w", service.ID, op, err)
	}
	return nil
}
