package lookup

import (
	"context"
	"strings"

	"autotagger/internal/attribute"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/policy"
)

// user is one of IAM Identity Center.
type user struct{ name, mail string }

// person names a user of IAM Identity Center of whom only the id is known, and where mail
// addresses are wanted those of whom only the name is.
func (s *search) person(ctx context.Context, who attribute.Creator, id cloudtrail.Identity) attribute.Creator {
	if s.Policy.LookUps.IdentityStore == nil {
		return who
	}
	mail := s.Policy.Tags.CreatorForm == policy.CreatorEmail
	var u user
	var err error
	asked := who.Name
	switch {
	case id.OnBehalfOf != "" && who.Name == id.OnBehalfOf:
		u, err = s.userByID(ctx, storeID(id.IdentityStore), accountOf(id.IdentityStore), id.OnBehalfOf)
	case mail && who.By == attribute.BySSO && !strings.Contains(who.Name, "@"):
		u, err = s.userByName(ctx, who.Name)
	default:
		return who
	}
	if err != nil {
		s.fails(User, asked, err)
		return who
	}
	name := u.name
	if mail && u.mail != "" {
		name = u.mail
	}
	s.step(User, asked, name)
	if name != "" {
		who.Name = name
	}
	return who
}

// storeID is the id in an identity store's ARN, …:identitystore/d-1234567890.
func storeID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// userByID asks the identity store for a user.
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_DescribeUser.html
func (s *search) userByID(ctx context.Context, store, account, id string) (user, error) {
	at := s.Policy.LookUps.IdentityStore
	if store == "" || at.Account != "" && account != "" && account != at.Account {
		return user{}, errElsewhere
	}
	return look(ctx, s.Finder, User, strings.Join([]string{at.Account, at.Region, store, id}, " "), always[user](keepLink), func(ctx context.Context) (user, error) {
		return s.describeUser(ctx, store, id)
	})
}

func (s *search) describeUser(ctx context.Context, store, id string) (user, error) {
	var answer struct {
		UserName string
		Emails   []struct {
			Value   string
			Primary bool
		}
	}
	if err := s.identityStore(ctx, "DescribeUser", map[string]any{"IdentityStoreId": store, "UserId": id}, &answer); err != nil {
		return user{}, err
	}
	u := user{name: answer.UserName}
	for _, e := range answer.Emails {
		if u.mail == "" || e.Primary {
			u.mail = e.Value
		}
	}
	return u, nil
}

// userByName asks for a user by the name that sessions of IAM Identity Center have.
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetUserId.html
func (s *search) userByName(ctx context.Context, name string) (user, error) {
	store, err := s.store(ctx)
	if err != nil {
		return user{}, err
	}
	return look(ctx, s.Finder, User, store+" name "+name, always[user](keepLink), func(ctx context.Context) (user, error) {
		var answer struct{ UserID string }
		err := s.identityStore(ctx, "GetUserId", map[string]any{
			"IdentityStoreId":     store,
			"AlternateIdentifier": map[string]any{"UniqueAttribute": map[string]any{"AttributePath": "userName", "AttributeValue": name}},
		}, &answer)
		if err != nil {
			return user{}, err
		}
		return s.describeUser(ctx, store, answer.UserID)
	})
}

// store is the id of the identity store, which sessions' records don't have.
// https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListInstances.html
func (s *search) store(ctx context.Context) (string, error) {
	at := s.Policy.LookUps.IdentityStore
	return look(ctx, s.Finder, User, strings.Join([]string{"store", at.Account, at.Region}, " "), always[string](keepLink), func(ctx context.Context) (string, error) {
		row, err := s.Catalogue.Lookup("sso.amazonaws.com", "CreatePermissionSet")
		if err != nil {
			return "", err
		}
		var answer struct {
			Instances []struct{ IdentityStoreID string }
		}
		if err := s.json(ctx, s.identityCaller(), &row.Resources[0].Calls.Service, "ListInstances", at.Account, at.Region, map[string]any{}, &answer); err != nil {
			return "", err
		}
		if len(answer.Instances) == 0 {
			return "", errAbsent
		}
		return answer.Instances[0].IdentityStoreID, nil
	})
}

func (s *search) identityStore(ctx context.Context, op string, fields map[string]any, answer any) error {
	at := s.Policy.LookUps.IdentityStore
	service := catalogue.Service{ID: "identitystore", Signing: "identitystore", Protocol: catalogue.JSON11, Version: "AWSIdentityStore"}
	return s.json(ctx, s.identityCaller(), &service, op, at.Account, at.Region, fields, answer)
}

// identityCaller has the credentials of the identity store's account.
func (s *search) identityCaller() *awsapi.Caller {
	if s.Policy.LookUps.IdentityStore.Account == "" {
		return s.Own
	}
	return s.Caller
}
