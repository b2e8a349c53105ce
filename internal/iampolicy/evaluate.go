package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// Request is what a principal wants to do.
type Request struct {
	Action string // service:Name
	// Resource is an ARN, or "*" of an action that isn't for a resource.
	Resource string
	// Principal holds the names by which the principal is known: of a role's session
	// its ARN and the role's, of a service its name (events.amazonaws.com). Only
	// statements that have a Principal ask for it.
	Principal []string
	// Context holds the values of the condition keys. Keys are the same in upper and
	// lower case. One without values is absent.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
	Context map[string][]string
}

// Decision is what documents make of a request.
type Decision int

// The decisions. NotAllowed is AWS's implicit deny. Unknown is that of a request
// on which a condition decides that can't be evaluated here.
const (
	NotAllowed Decision = iota
	Allowed
	Denied
	Unknown
)

func (d Decision) String() string {
	return [...]string{"not allowed", "allowed", "explicitly denied", "unknown"}[d]
}

// Result is a decision and the statement that it rests on: none where no
// statement is for the request.
type Result struct {
	Decision  Decision
	Sid       string
	Statement *Statement
	// Why says what can't be evaluated, where the decision is Unknown.
	Why string
}

// Evaluate decides on a request by documents of one kind. An explicit deny wins;
// without an allow nothing is allowed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func Evaluate(r Request, docs ...Document) Result {
	var deny, allow, mayDeny, mayAllow *Result
	for _, doc := range docs {
		for i := range doc.Statements {
			s := &doc.Statements[i]
			matches, why := s.matches(r, doc.Version == version2012)
			if matches == no {
				continue
			}
			result := &Result{Sid: s.Sid, Statement: s, Why: why}
			into := &allow
			switch {
			case s.Deny && matches == yes:
				result.Decision, into = Denied, &deny
			case s.Deny:
				result.Decision, into = Unknown, &mayDeny
			case matches == yes:
				result.Decision = Allowed
			default:
				result.Decision, into = Unknown, &mayAllow
			}
			if *into == nil {
				*into = result
			}
		}
	}
	for _, r := range []*Result{deny, mayDeny, allow, mayAllow} {
		if r != nil {
			return *r
		}
	}
	return Result{}
}

// truth has a third value, so that min is "and", max is "or" and minus is "not".
type truth int

const (
	no truth = iota - 1
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// matches reports whether a statement is for the request, and what is unknown.
func (s *Statement) matches(r Request, variables bool) (truth, string) {
	matches, why := yes, ""
	and := func(t truth, reason string) {
		matches = min(matches, t)
		if t == unknown && why == "" {
			why = reason
		}
	}
	actions, resources := s.Actions, s.Resources
	if s.NotActions != nil {
		actions = s.NotActions
	}
	and(negated(s.NotActions != nil, truthOf(slices.ContainsFunc(actions, func(a string) bool {
		return matchAction(a, r.Action)
	}))), "")
	if s.NotResources != nil {
		resources = s.NotResources
	}
	if resources != nil {
		found, reason := no, ""
		for _, pattern := range resources {
			t, w := r.matchResource(pattern, variables)
			if found = max(found, t); t == unknown {
				reason = w
			}
		}
		and(negated(s.NotResources != nil, found), reason)
	}
	for _, p := range []struct {
		principals map[string][]string
		not        bool
	}{{s.Principals, false}, {s.NotPrincipals, true}} {
		switch {
		case p.principals == nil:
		case len(r.Principal) == 0:
			and(unknown, "the statement has a principal, the request has none")
		default:
			and(negated(p.not, truthOf(r.matchPrincipal(p.principals))), "")
		}
	}
	for _, c := range s.Conditions {
		t, reason := c.holds(r, variables)
		and(t, fmt.Sprintf("%s on %s: %s", c.Operator, c.Key, reason))
	}
	if matches != unknown {
		why = ""
	}
	return matches, why
}

func negated(not bool, t truth) truth {
	if not {
		return -t
	}
	return t
}

// matchAction: actions are the same in upper and lower case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
func matchAction(pattern, action string) bool {
	switch {
	case pattern == "*":
		return true
	case !strings.ContainsAny(pattern, "*?"):
		return strings.EqualFold(pattern, action)
	}
	// Most patterns are another service's.
	service, _, _ := strings.Cut(pattern, ":")
	if of, _, _ := strings.Cut(action, ":"); !strings.EqualFold(service, of) {
		return false
	}
	return match(symbols(strings.ToLower(pattern)), strings.ToLower(action))
}

// matchResource: a * within one of an ARN's first five parts doesn't go beyond its
// colon, one that ends a part does.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func (r Request) matchResource(pattern string, variables bool) (truth, string) {
	p, why := r.expand(pattern, variables)
	if why != "" {
		return unknown, why
	}
	part := 0
	for i := range p {
		switch {
		case p[i].is(':'):
			part++
		case p[i].wild && part < 5:
			last := i+1 == len(p) || p[i+1].is(':')
			p[i].bounded = p[i].r == '?' || !last
		}
	}
	return truthOf(match(p, r.Resource)), ""
}

// matchPrincipal: an account stands for all that is in it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (r Request) matchPrincipal(kinds map[string][]string) bool {
	for _, p := range r.Principal {
		for kind, names := range kinds {
			for _, name := range names {
				if name == "*" || name == p || kind == "AWS" && account(name) != "" && account(name) == arnPart(p, 4) {
					return true
				}
			}
		}
	}
	return false
}

// account returns the account that a principal names as a whole: by its number, or
// as its root.
func account(principal string) string {
	if len(principal) == 12 && strings.Trim(principal, "0123456789") == "" {
		return principal
	}
	if arnPart(principal, 2) == "iam" && arnPart(principal, 5) == "root" {
		return arnPart(principal, 4)
	}
	return ""
}

func arnPart(arn string, n int) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[n]
}
