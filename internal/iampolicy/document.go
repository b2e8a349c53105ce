// Package iampolicy reads IAM policy documents and says what they make of a
// request: for tests of the policies that this project writes, and for the doctor,
// which looks at those of others.
//
// [Parse] reads a document, and [Evaluate] holds a request against documents of one
// kind, such as all that are attached to a role:
//
//	doc, err := iampolicy.Parse(data)
//	…
//	r := iampolicy.Evaluate(iampolicy.Request{
//		Action:   "ec2:DeleteTags",
//		Resource: "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1",
//		Context:  map[string][]string{"aws:TagKeys": {"creator"}},
//	}, doc)
//
// What AWS asks of several kinds together, as that both the role's policies and
// every service control policy allow, is for the caller to join.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
//
// It doesn't guess. Operators that it doesn't know, and requests that lack what a
// statement asks for, give [Unknown].
package iampolicy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Document is a policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type Document struct {
	Version    string // empty where it isn't said, which means 2008-10-17
	ID         string
	Statements []Statement
}

// Statement is one statement. Of Actions and NotActions one is nil, so of
// Principals and NotPrincipals, and of Resources and NotResources; both of the
// last are nil in a role's trust policy.
type Statement struct {
	Sid           string
	Deny          bool
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Principals    map[string][]string // by kind: AWS, Service, Federated, CanonicalUser, or "*"
	NotPrincipals map[string][]string
	Conditions    []Condition // all must hold; sorted by operator and key
}

// Condition compares one key of the request's context with values.
type Condition struct {
	Operator string // as it is written: ForAnyValue:StringLikeIfExists
	Key      string
	Values   []string // booleans and numbers too, as they are written
}

// The versions of the policy language. Variables are text in the older.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Parse reads a document. Intrinsic functions of CloudFormation must have been
// resolved: where a string belongs, it takes nothing else.
func Parse(data []byte) (Document, error) {
	var raw struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := decode(data, &raw); err != nil {
		return Document{}, fmt.Errorf("reading the policy: %w", err)
	}
	if !slices.Contains([]string{"", version2008, version2012}, raw.Version) {
		return Document{}, fmt.Errorf("reading the policy: its version is %q", raw.Version)
	}
	statements := []json.RawMessage{raw.Statement}
	if s := bytes.TrimSpace(raw.Statement); len(s) > 0 && s[0] == '[' {
		if err := json.Unmarshal(s, &statements); err != nil {
			return Document{}, fmt.Errorf("reading the policy: %w", err)
		}
	}
	if len(statements) == 0 || len(statements[0]) == 0 {
		return Document{}, errors.New("reading the policy: it has no statement")
	}
	doc := Document{Version: raw.Version, ID: raw.ID}
	for i, data := range statements {
		s, err := parseStatement(data)
		if err != nil {
			return Document{}, fmt.Errorf("reading statement %d of the policy: %w", i+1, err)
		}
		doc.Statements = append(doc.Statements, s)
	}
	return doc, nil
}

func parseStatement(data []byte) (Statement, error) {
	var raw struct {
		Sid                     string
		Effect                  string
		Action, NotAction       json.RawMessage
		Resource, NotResource   json.RawMessage
		Principal, NotPrincipal json.RawMessage
		Condition               map[string]map[string]json.RawMessage
	}
	if err := decode(data, &raw); err != nil {
		return Statement{}, err
	}
	s := Statement{Sid: raw.Sid, Deny: raw.Effect == "Deny"}
	if raw.Effect != "Allow" && raw.Effect != "Deny" {
		return Statement{}, fmt.Errorf("its effect is %q", raw.Effect)
	}
	var faults []error
	read := func(name string, data json.RawMessage) []string {
		if data == nil {
			return nil
		}
		list, err := parseStrings(data, false)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
		return list
	}
	s.Actions, s.NotActions = read("Action", raw.Action), read("NotAction", raw.NotAction)
	s.Resources, s.NotResources = read("Resource", raw.Resource), read("NotResource", raw.NotResource)
	principals := func(name string, data json.RawMessage) map[string][]string {
		if data == nil {
			return nil
		}
		m, err := parsePrincipals(data)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
		return m
	}
	s.Principals, s.NotPrincipals = principals("Principal", raw.Principal), principals("NotPrincipal", raw.NotPrincipal)
	for _, a := range slices.Concat(s.Actions, s.NotActions) {
		// The part before the colon names a service and takes no wildcard.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
		if service, _, ok := strings.Cut(a, ":"); a != "*" && (!ok || service == "" || strings.ContainsAny(service, "*?")) {
			faults = append(faults, fmt.Errorf("%q is no action", a))
		}
	}
	if (raw.Action == nil) == (raw.NotAction == nil) {
		faults = append(faults, errors.New("it has both or neither of Action and NotAction"))
	}
	if raw.Resource != nil && raw.NotResource != nil {
		faults = append(faults, errors.New("it has both Resource and NotResource"))
	}
	if raw.Principal != nil && raw.NotPrincipal != nil {
		faults = append(faults, errors.New("it has both Principal and NotPrincipal"))
	}
	for operator, keys := range raw.Condition {
		for key, data := range keys {
			values, err := parseStrings(data, true)
			if err != nil {
				faults = append(faults, fmt.Errorf("condition %s on %s: %w", operator, key, err))
			}
			s.Conditions = append(s.Conditions, Condition{operator, key, values})
		}
	}
	slices.SortFunc(s.Conditions, func(a, b Condition) int {
		return cmp.Or(strings.Compare(a.Operator, b.Operator), strings.Compare(a.Key, b.Key))
	})
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return s, errors.Join(faults...)
}

// parsePrincipals reads "*" or an object of lists.
func parsePrincipals(data []byte) (map[string][]string, error) {
	var star string
	if json.Unmarshal(data, &star) == nil {
		if star != "*" {
			return nil, fmt.Errorf(`%q is neither "*" nor an object`, star)
		}
		return map[string][]string{"*": {"*"}}, nil
	}
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(data, &kinds); err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for kind, data := range kinds {
		list, err := parseStrings(data, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		all[kind] = list
	}
	return all, nil
}

// parseStrings reads one string or a list of them; with scalars, booleans and
// numbers too, as conditions may have them.
func parseStrings(data []byte, scalars bool) ([]string, error) {
	list := []json.RawMessage{data}
	if d := bytes.TrimSpace(data); len(d) > 0 && d[0] == '[' {
		list = nil
		if err := json.Unmarshal(d, &list); err != nil {
			return nil, err
		}
	}
	all := make([]string, 0, len(list))
	for _, data := range list {
		data = bytes.TrimSpace(data)
		var s string
		switch {
		case json.Unmarshal(data, &s) == nil && string(data) != "null":
		case scalars && len(data) > 0 && !bytes.ContainsAny(data[:1], "{[n"):
			s = string(data)
		default:
			return nil, fmt.Errorf("%s is no string", data)
		}
		all = append(all, s)
	}
	return all, nil
}

// decode reads one JSON value with no members but those of into.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}
