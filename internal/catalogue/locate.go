package catalogue

import (
	"fmt"
	"strings"
)

// Path is the way to a value in a record: "response.instancesSet[].instanceId".
// It begins with request (requestParameters) or response (responseElements).
// Names match without case. Behind a name, [] goes through the members of a
// list, in whichever form the list was logged, and [name.name!=text] through
// those whose value there is not the text.
type Path struct {
	Root  string // "request" or "response"
	Steps []Step
}

// Step is one name of a [Path].
type Step struct {
	Name string
	List bool // go through the members
	// Unless leaves out the members that have the text Is at this place.
	Unless []string
	Is     string
}

// IsZero reports whether there is no path.
func (p Path) IsZero() bool { return p.Root == "" }

func (p Path) String() string {
	var b strings.Builder
	b.WriteString(p.Root)
	for _, s := range p.Steps {
		b.WriteString("." + s.Name)
		switch {
		case s.Unless != nil:
			b.WriteString("[" + strings.Join(s.Unless, ".") + "!=" + s.Is + "]")
		case s.List:
			b.WriteString("[]")
		}
	}
	return b.String()
}

func parsePath(s string) (Path, error) {
	root, rest, _ := strings.Cut(s, ".")
	p := Path{Root: root}
	if p.Root != "request" && p.Root != "response" {
		return Path{}, fmt.Errorf("path %q begins with neither request nor response", s)
	}
	for more := true; more; {
		var step Step
		end := strings.IndexAny(rest, ".[")
		if end >= 0 && rest[end] == '[' {
			inside, after, closed := strings.Cut(rest[end+1:], "]")
			if place, text, ok := strings.Cut(inside, "!="); ok {
				step.Unless, step.Is = strings.Split(place, "."), text
			} else if inside != "" || !closed {
				return Path{}, fmt.Errorf("path %q has [%s where [] or [name!=text] belongs", s, inside)
			}
			step.Name, step.List = rest[:end], true
			rest, more = strings.CutPrefix(after, ".")
			if !more && after != "" {
				return Path{}, fmt.Errorf("path %q has %q behind a bracket", s, after)
			}
		} else {
			step.Name, rest, more = strings.Cut(rest, ".")
		}
		if step.Name == "" || strings.ContainsAny(step.Name, "[](){}|= ") {
			return Path{}, fmt.Errorf("path %q has the name %q", s, step.Name)
		}
		p.Steps = append(p.Steps, step)
	}
	return p, nil
}

// Locator finds the variables of an ARN's template in a record. All must be
// found for it to yield; one without any is for a template that has no more than
// the event's.
type Locator []Assignment

// always is the locator without assignments.
const always = "always"

// Assignment gives one variable of a template its value.
type Assignment struct {
	Var  string // "id" unless named
	Path Path
	Func string // "", "lower", "last" or "unslash"
}

func (l Locator) String() string {
	if len(l) == 0 {
		return always
	}
	var parts []string
	for _, a := range l {
		s := a.Path.String()
		if a.Func != "" {
			s = a.Func + "(" + s + ")"
		}
		if a.Var != "id" || len(l) > 1 {
			s = a.Var + "=" + s
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func parseLocator(s string) (Locator, error) {
	if s == always {
		return Locator{}, nil
	}
	var l Locator
	for word := range strings.FieldsSeq(s) {
		a := Assignment{Var: "id"}
		rest := word
		if name, after, ok := strings.Cut(word, "="); ok && !strings.ContainsAny(name, ".[") {
			a.Var, rest = name, after
		}
		if f, arg, ok := strings.Cut(rest, "("); ok {
			if f != "lower" && f != "last" && f != "unslash" {
				return nil, fmt.Errorf("locator %q has the function %q; there are lower, last and unslash", s, f)
			}
			a.Func, rest = f, strings.TrimSuffix(arg, ")")
		}
		var err error
		if a.Path, err = parsePath(rest); err != nil {
			return nil, err
		}
		l = append(l, a)
	}
	if len(l) == 0 {
		return nil, fmt.Errorf("locator is empty")
	}
	return l, nil
}

// Condition is what must hold in a record for a resource to have been created.
type Condition struct {
	Path  Path
	Not   bool
	Equal string // "" asks only whether there is a value; "{account}" is the event's, "{time}" a time within two minutes of the event's
	// Absent says that the condition holds where there is no value, too.
	Absent bool
}

func parseCondition(s string) (Condition, error) {
	var c Condition
	s, c.Not = strings.CutPrefix(s, "!")
	s, c.Equal, _ = strings.Cut(s, "=")
	s, c.Absent = strings.CutSuffix(s, "?")
	var err error
	c.Path, err = parsePath(s)
	return c, err
}

// Template is the form of a type's ARNs. Its parts between variables are
// fixed.
type Template string

// Expand fills the template; value returns a variable's value. It returns
// false if one is missing.
func (t Template) Expand(value func(name string) string) (string, bool) {
	var b strings.Builder
	for rest := string(t); ; {
		before, after, ok := strings.Cut(rest, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), true
		}
		name, tail, _ := strings.Cut(after, "}")
		v := value(name)
		if v == "" {
			return "", false
		}
		b.WriteString(v)
		rest = tail
	}
}

// Fits reports whether an ARN is of the template's form: the same service, an
// account and a region where the template has them and none where it has none,
// and a resource part with the template's fixed parts in order.
func (t Template) Fits(arn string) bool {
	want, got := strings.SplitN(string(t), ":", 6), strings.SplitN(arn, ":", 6)
	if len(want) != 6 || len(got) != 6 || got[0] != "arn" || !isPartition(got[1]) {
		return false
	}
	if want[2] != got[2] || !fitsLabel(want[3], got[3], isRegion) {
		return false
	}
	// GameLift leaves its account out of ARNs at times, whatever IAM says of them.
	if nameless := got[2] == "gamelift" && got[4] == ""; !nameless && !fitsLabel(want[4], got[4], isAccount) {
		return false
	}
	return fits(want[5], got[5])
}

// fitsLabel compares an ARN's region or account with the template's: where it
// is variable it must be well formed, where it is fixed it must be the same.
func fitsLabel(want, got string, wellFormed func(string) bool) bool {
	if strings.HasPrefix(want, "{") {
		return wellFormed(got)
	}
	return want == got
}

// isPartition takes aws, aws-cn, aws-us-gov, aws-iso, … and those yet to come.
func isPartition(s string) bool {
	return s == "aws" || strings.HasPrefix(s, "aws-") && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") == ""
}

func isRegion(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return strings.Count(s, "-") >= 2
}

// isAccount takes account ids of other lengths than twelve too: AWS has none, but
// its documentation's events do.
func isAccount(s string) bool { return digits(s) }

// fits matches text against a template's part: each variable takes at least
// one character. Fixed parts are searched from the left, the last from the
// right, which is exact for the templates that AWS has.
func fits(template, text string) bool {
	fixed, rest, ok := strings.Cut(template, "{")
	if !ok {
		return template == text
	}
	if !strings.HasPrefix(text, fixed) {
		return false
	}
	text = text[len(fixed):]
	_, rest, _ = strings.Cut(rest, "}")
	next, _, more := strings.Cut(rest, "{")
	switch {
	case text == "":
		return false
	case !more:
		return len(text) > len(next) && strings.HasSuffix(text, next)
	case next == "": // two variables side by side: {path}{id}
		return fits(rest, text[1:])
	}
	for from := 1; ; {
		i := strings.Index(text[min(from, len(text)):], next)
		if i < 0 {
			return false
		}
		if fits(rest, text[from+i:]) {
			return true
		}
		from += i + 1
	}
}

// Vars returns the names of the variables, those of the event included.
func (t Template) Vars() []string {
	var names []string
	for rest := string(t); ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return names
		}
		name, tail, _ := strings.Cut(after, "}")
		names = append(names, name)
		rest = tail
	}
}
