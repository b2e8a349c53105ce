package lookup

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"autotagger/internal/apply"
	"autotagger/internal/attribute"
	"autotagger/internal/awsapi"
	"autotagger/internal/cloudtrail"
)

// principal is what IAM says of a user or role.
type principal struct {
	tags  map[string]string
	trust string // a role's trust policy, as JSON
}

// principalTags are the tags of the user or role behind a call: the user at the beginning
// of the chain, else the first role of it that someone may tag.
func (s *search) principalTags(ctx context.Context, c *chain) map[string]string {
	if c == nil {
		return nil
	}
	for _, l := range slices.Backward(c.links) {
		arn := principalARN(l)
		if arn == "" {
			continue
		}
		p, err := s.principal(ctx, arn)
		if err != nil {
			s.fails(Principal, arn, err)
			return nil
		}
		s.step(Principal, arn, fmt.Sprintf("%d tags", len(p.tags)))
		return p.tags
	}
	return nil
}

// principalARN is the ARN of a link's user or role in IAM, "" where it has none whose tags
// are its owner's: the roles of IAM Identity Center and of services are AWS's.
func principalARN(l link) string {
	switch {
	case l.id.Type == "IAMUser":
		return l.id.ARN
	case l.id.Type == "FederatedUser": // GetFederationToken is a user's call
		return l.id.IssuerARN
	case strings.Contains(l.id.IssuerARN, ":role/aws-reserved/"), strings.Contains(l.id.IssuerARN, ":role/aws-service-role/"),
		strings.HasPrefix(l.who.Role, "AWSReservedSSO_"), l.who.By == attribute.ByService, !strings.Contains(l.id.IssuerARN, ":role/"):
		return ""
	}
	return l.id.IssuerARN
}

// principal asks IAM about a user or role, with its own account's credentials.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html
func (s *search) principal(ctx context.Context, arn string) (principal, error) {
	return look(ctx, s.Finder, Principal, arn, always[principal](keepAccount), func(ctx context.Context) (principal, error) {
		account := accountOf(arn)
		if s.Account != "" && account != s.Account {
			return principal{}, errElsewhere
		}
		service, err := apply.IAM()
		if err != nil {
			return principal{}, err
		}
		op, param := "GetRole", "RoleName"
		if strings.Contains(arn, ":user/") {
			op, param = "GetUser", "UserName"
		}
		body, err := s.Caller.Do(awsapi.WithAccount(ctx, account), awsapi.Call{
			Service: service, Op: op, Account: account, Region: s.plan.Event.Region, ARN: arn,
			Form: url.Values{param: {arn[strings.LastIndexByte(arn, '/')+1:]}},
		})
		if err != nil {
			return principal{}, fmt.Errorf("asking about %s: %w", arn, err)
		}
		type entity struct {
			Trust string `xml:"AssumeRolePolicyDocument"`
			Tags  []pair `xml:"Tags>member"`
		}
		var answer struct {
			Role *entity `xml:"GetRoleResult>Role"`
			User *entity `xml:"GetUserResult>User"`
		}
		if err := xml.Unmarshal(body, &answer); err != nil {
			return principal{}, fmt.Errorf("asking about %s: %w", arn, err)
		}
		found := answer.Role
		if found == nil {
			found = answer.User
		}
		if found == nil {
			return principal{}, errAbsent
		}
		trust, err := url.PathUnescape(found.Trust)
		if err != nil {
			return principal{}, fmt.Errorf("asking about %s: %w", arn, err)
		}
		return principal{tagsFrom(found.Tags), trust}, nil
	})
}

// namesSessions reports whether the trust policy of an identity's role says which name a
// session has, so that the name isn't just what the caller chose.
func (s *search) namesSessions(ctx context.Context, id cloudtrail.Identity) bool {
	if !strings.Contains(id.IssuerARN, ":role/") {
		s.step(Principal, id.ARN, "session unverified: the record doesn't name the role's ARN")
		return false
	}
	p, err := s.principal(ctx, id.IssuerARN)
	switch {
	case err != nil:
		s.step(Principal, id.IssuerARN, "session unverified: "+why(err))
		s.doubt(&s.facts.Unsure, Principal, id.IssuerARN, err) // of the creator, here
		return false
	case !demandsName(p.trust):
		s.step(Principal, id.IssuerARN, "session unverified: its trust policy takes any name")
		return false
	}
	s.step(Principal, id.IssuerARN, "its trust policy says what sessions are called")
	return true
}

// demandsName reports whether every statement of a trust policy that lets someone assume
// the role fixes the session's name, by sts:RoleSessionName without a wildcard.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_rolesessionname
func demandsName(trust string) bool {
	var doc struct {
		Statement some[struct {
			Effect    string
			Action    some[string]
			NotAction some[string]
			Condition map[string]map[string]some[string]
		}]
	}
	if json.Unmarshal([]byte(trust), &doc) != nil {
		return false
	}
	demanded := false
	for _, st := range doc.Statement {
		assumes := len(st.NotAction) > 0 || slices.ContainsFunc(st.Action, func(a string) bool {
			a = strings.ToLower(a)
			return strings.HasPrefix(a, "sts:assumerole") || strings.ContainsAny(a, "*?")
		})
		if st.Effect != "Allow" || !assumes {
			continue
		}
		fixed := false
		for operator, keys := range st.Condition {
			switch strings.TrimSuffix(operator, "IfExists") {
			case "StringEquals", "StringEqualsIgnoreCase", "StringLike":
			default:
				continue
			}
			for key, values := range keys {
				fixed = fixed || strings.EqualFold(key, "sts:RoleSessionName") && len(values) > 0 &&
					!slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "*?") })
			}
		}
		if !fixed {
			return false
		}
		demanded = true
	}
	return demanded
}

// some is one value or a list of them, as policies have both.
type some[T any] []T

func (s *some[T]) UnmarshalJSON(text []byte) error {
	var many []T
	if json.Unmarshal(text, &many) == nil {
		*s = many
		return nil
	}
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*s = []T{one}
	return nil
}
