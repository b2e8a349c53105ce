package iampolicy

import (
	"fmt"
	"strings"
)

// symbol is one character of a pattern.
type symbol struct {
	r       rune
	wild    bool // * or ?, rather than the character
	bounded bool // of wild ones: a colon isn't matched
}

func (s symbol) is(r rune) bool { return !s.wild && s.r == r }

// symbols reads text in which * and ? are wild.
func symbols(text string) []symbol {
	all := make([]symbol, 0, len(text))
	for _, r := range text {
		all = append(all, symbol{r: r, wild: r == '*' || r == '?'})
	}
	return all
}

func literals(text string) []symbol {
	all := make([]symbol, 0, len(text))
	for _, r := range text {
		all = append(all, symbol{r: r})
	}
	return all
}

// match reports whether a pattern is the whole text, in time of their product.
func match(pattern []symbol, text string) bool {
	runes := []rune(text)
	// reached[i]: what was seen of the pattern may end before runes[i].
	reached := make([]bool, len(runes)+1)
	reached[0] = true
	for _, p := range pattern {
		next := make([]bool, len(runes)+1)
		for i := range next {
			fits := i > 0 && (p.wild && (!p.bounded || runes[i-1] != ':') || p.is(runes[i-1]))
			if p.wild && p.r == '*' {
				next[i] = reached[i] || fits && next[i-1]
			} else {
				next[i] = fits && reached[i-1]
			}
		}
		reached = next
	}
	return reached[len(runes)]
}

// expand puts the request's values into a pattern: ${key}, ${key, 'default'}, and
// ${*}, ${?}, ${$} for the characters themselves. The reason says why it can't: a
// variable without a value "might" make the whole statement invalid.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func (r Request) expand(pattern string, variables bool) (all []symbol, why string) {
	for variables {
		before, rest, found := strings.Cut(pattern, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			break
		}
		all = append(all, symbols(before)...)
		pattern = after
		if name == "*" || name == "?" || name == "$" {
			all = append(all, literals(name)...)
			continue
		}
		key, fallback, hasFallback := strings.Cut(name, ",")
		values := r.values(strings.TrimSpace(key))
		switch {
		case len(values) == 1 && strings.ContainsAny(values[0], "*?"):
			// Whether it is wild then isn't documented.
			return nil, fmt.Sprintf("the value of ${%s} has a wildcard", name)
		case len(values) == 1:
			all = append(all, literals(values[0])...)
		case len(values) > 1:
			return nil, fmt.Sprintf("${%s} has several values", name)
		case hasFallback:
			all = append(all, literals(strings.Trim(strings.TrimSpace(fallback), "'"))...)
		default:
			return nil, fmt.Sprintf("${%s} has no value", name)
		}
	}
	return append(all, symbols(pattern)...), ""
}

// values returns those of a condition key.
func (r Request) values(key string) []string {
	for k, v := range r.Context {
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return nil
}
