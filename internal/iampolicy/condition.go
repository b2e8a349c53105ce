package iampolicy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// holds reports whether a condition is met, and why that isn't known.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
func (c Condition) holds(r Request, variables bool) (truth, string) {
	set, operator, ok := strings.Cut(c.Operator, ":")
	if !ok {
		set, operator = "", c.Operator
	}
	if set != "" && set != "ForAnyValue" && set != "ForAllValues" {
		return unknown, "the set operator isn't known"
	}
	values := r.values(c.Key)
	if operator == "Null" {
		return truthOf(slices.ContainsFunc(c.Values, func(v string) bool {
			return strings.EqualFold(v, strconv.FormatBool(len(values) == 0))
		})), ""
	}
	operator, ifExists := strings.CutSuffix(operator, "IfExists")
	positive := strings.Replace(operator, "Not", "", 1)
	not := positive != operator
	compare := comparison(positive)
	if compare == nil || not && positive == "Bool" {
		return unknown, "the operator isn't evaluated"
	}
	if len(values) == 0 {
		// A negated operator matches where there is no key; but ForAnyValue wants one.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
		return truthOf(ifExists || set == "ForAllValues" || set == "" && not), ""
	}
	if set == "" && len(values) > 1 {
		return unknown, "several values need a set operator"
	}
	why := ""
	each := func(value string) truth {
		found := no
		for _, pattern := range c.Values {
			p, reason := r.expand(pattern, variables && positive != "Bool")
			t := unknown
			if reason == "" {
				t, reason = compare(p, value)
			}
			if t == unknown {
				why = reason
			}
			found = max(found, t)
		}
		return negated(not, found)
	}
	all := each(values[0])
	for _, v := range values[1:] {
		if set == "ForAllValues" {
			all = min(all, each(v))
		} else {
			all = max(all, each(v))
		}
	}
	return all, why
}

// comparison returns how a pattern is compared with a value, nil for operators
// that aren't evaluated: of numbers, dates, addresses and bytes.
func comparison(operator string) func([]symbol, string) (truth, string) {
	switch operator {
	case "StringEquals", "Bool":
		return func(p []symbol, value string) (truth, string) {
			if operator == "Bool" {
				return truthOf(strings.EqualFold(text(p), value)), ""
			}
			return truthOf(text(p) == value), ""
		}
	case "StringEqualsIgnoreCase":
		return func(p []symbol, value string) (truth, string) { return truthOf(strings.EqualFold(text(p), value)), "" }
	case "StringLike":
		return func(p []symbol, value string) (truth, string) { return truthOf(match(p, value)), "" }
	case "ArnEquals", "ArnLike":
		return compareARN
	}
	return nil
}

// compareARN compares the six parts, each apart.
func compareARN(p []symbol, value string) (truth, string) {
	parts := strings.SplitN(value, ":", 6)
	for n := range 6 {
		end := slices.IndexFunc(p, func(s symbol) bool { return s.is(':') })
		if n == 5 {
			end = len(p)
		}
		if end < 0 {
			return unknown, fmt.Sprintf("%q is no ARN", text(p))
		}
		if len(parts) < 6 || !match(p[:end], parts[n]) {
			return no, ""
		}
		p = p[min(end+1, len(p)):]
	}
	return yes, ""
}

// text returns a pattern in which nothing is wild.
func text(p []symbol) string {
	var b strings.Builder
	for _, s := range p {
		b.WriteRune(s.r)
	}
	return b.String()
}
