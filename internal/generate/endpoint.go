package generate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// The rules of a service's endpoints are a small language of their own:
// https://smithy.io/2.0/additional-specs/rules-engine/specification.html
// What is evaluated here is what the models use; a function, a type of rule or a
// form of value that isn't known is an error that names it.

// ruleSet is endpoint-rule-set-1.json.
type ruleSet struct {
	Parameters map[string]struct{ Default any }
	Rules      []rule
}

type rule struct {
	Type       string // tree, endpoint, error
	Conditions []ruleCall
	Rules      []rule // of a tree
	Error      any    // a template
	Endpoint   *struct {
		URL        any
		Properties struct{ AuthSchemes []authScheme }
	}
}

// ruleCall is a function applied to arguments; a condition may keep its value
// under a name.
type ruleCall struct {
	Fn     string
	Argv   []any
	Assign string
}

type authScheme struct{ Name, SigningName, SigningRegion string }

// endpointURL is what the rules give.
type endpointURL struct {
	url     string
	schemes []authScheme
}

// refused is the rules' own error: there is no such endpoint.
type refused string

func (r refused) Error() string { return string(r) }

// scope is the values that rules know by name.
type scope struct {
	vars       map[string]any
	partitions []models.Partition
}

// resolve evaluates rules with parameters, over their defaults.
func (rs *ruleSet) resolve(params map[string]any, partitions []models.Partition) (endpointURL, error) {
	s := scope{map[string]any{}, partitions}
	for name, p := range rs.Parameters {
		if p.Default != nil {
			s.vars[name] = p.Default
		}
	}
	for name, v := range params {
		if _, has := rs.Parameters[name]; has {
			s.vars[name] = v
		}
	}
	e, ok, err := s.first(rs.Rules)
	if err == nil && !ok {
		return e, errors.New("no rule of the endpoints holds")
	}
	return e, err
}

// first is the endpoint of the first rule whose conditions hold.
func (s scope) first(rules []rule) (endpointURL, bool, error) {
	for _, r := range rules {
		inner := scope{maps.Clone(s.vars), s.partitions}
		holds, err := inner.all(r.Conditions)
		if err != nil {
			return endpointURL{}, false, err
		}
		if !holds {
			continue
		}
		switch r.Type {
		case "tree":
			// The rules of a tree whose conditions hold are final.
			e, ok, err := inner.first(r.Rules)
			if err == nil && !ok {
				err = errors.New("no rule of a tree of the endpoints holds")
			}
			return e, ok, err
		case "error":
			text, err := inner.value(r.Error)
			if err != nil {
				return endpointURL{}, false, err
			}
			return endpointURL{}, false, refused(fmt.Sprint(text))
		case "endpoint":
			if r.Endpoint == nil {
				return endpointURL{}, false, errors.New("a rule of the type endpoint has none")
			}
			return inner.endpoint(r)
		default:
			return endpointURL{}, false, fmt.Errorf("the rules of endpoints have a rule of the unknown type %q", r.Type)
		}
	}
	return endpointURL{}, false, nil
}

func (s scope) endpoint(r rule) (endpointURL, bool, error) {
	u, err := s.value(r.Endpoint.URL)
	if err != nil {
		return endpointURL{}, false, err
	}
	e := endpointURL{url: fmt.Sprint(u)}
	for _, a := range r.Endpoint.Properties.AuthSchemes {
		name, err1 := s.template(a.SigningName)
		region, err2 := s.template(a.SigningRegion)
		if err := errors.Join(err1, err2); err != nil {
			return e, false, err
		}
		e.schemes = append(e.schemes, authScheme{a.Name, name, region})
	}
	return e, true, nil
}

func (s scope) all(conditions []ruleCall) (bool, error) {
	for _, c := range conditions {
		v, err := s.call(c)
		if err != nil {
			return false, err
		}
		if v == nil || v == false {
			return false, nil
		}
		if c.Assign != "" {
			s.vars[c.Assign] = v
		}
	}
	return true, nil
}

// value is what a literal, a template, a reference or a call stands for; nil
// where there is nothing.
func (s scope) value(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return s.template(v)
	case bool, float64, nil:
		return v, nil
	case map[string]any:
		if ref, ok := v["ref"].(string); ok {
			return s.vars[ref], nil
		}
		if fn, ok := v["fn"].(string); ok {
			argv, _ := v["argv"].([]any)
			return s.call(ruleCall{Fn: fn, Argv: argv})
		}
	}
	return nil, fmt.Errorf("the rules of endpoints have the unknown value %v", v)
}

// template fills "{Region}" and "{PartitionResult#dnsSuffix}" in a text.
func (s scope) template(text string) (string, error) {
	var b strings.Builder
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			b.WriteByte(rest[0])
			rest = rest[2:]
		case rest[0] == '{':
			name, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", fmt.Errorf("the template %q of endpoints isn't closed", text)
			}
			ref, path, deep := strings.Cut(name, "#")
			v := s.vars[ref]
			if deep {
				var err error
				if v, err = attribute(v, path); err != nil {
					return "", err
				}
			}
			if v == nil {
				return "", fmt.Errorf("the template %q of endpoints names %s, which has no value", text, name)
			}
			fmt.Fprint(&b, v)
			rest = after
		default:
			b.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	return b.String(), nil
}

// attribute is a place in a value: "name", "resourceId[1]".
func attribute(v any, path string) (any, error) {
	for step := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(step, "[")
		if name != "" {
			m, ok := v.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("the rules of endpoints ask for %s of %v", path, v)
			}
			v = m[name]
		}
		if indexed {
			var n int
			if _, err := fmt.Sscanf(index, "%d]", &n); err != nil {
				return nil, fmt.Errorf("the rules of endpoints ask for %s: %w", path, err)
			}
			list, _ := v.([]any)
			if n >= len(list) {
				return nil, nil
			}
			v = list[n]
		}
	}
	return v, nil
}

func (s scope) call(c ruleCall) (any, error) {
	args := make([]any, len(c.Argv))
	for i, a := range c.Argv {
		var err error
		if args[i], err = s.value(a); err != nil {
			return nil, err
		}
	}
	arity := map[string]int{
		"isSet": 1, "not": 1, "stringEquals": 2, "booleanEquals": 2, "getAttr": 2, "aws.partition": 1,
		"parseURL": 1, "aws.parseArn": 1, "isValidHostLabel": 2, "substring": 4,
	}
	n, known := arity[c.Fn]
	if !known {
		return nil, fmt.Errorf("the rules of endpoints call the unknown function %q", c.Fn)
	}
	if n != len(args) {
		return nil, fmt.Errorf("the rules of endpoints call %s with %d arguments", c.Fn, len(args))
	}
	text, _ := args[0].(string)
	switch c.Fn {
	case "isSet":
		return args[0] != nil, nil
	case "not":
		return args[0] == nil || args[0] == false, nil
	case "stringEquals", "booleanEquals":
		return args[0] == args[1], nil
	case "getAttr":
		if args[0] == nil {
			return nil, nil
		}
		return attribute(args[0], fmt.Sprint(args[1]))
	case "aws.partition":
		return partitionOf(s.partitions, text)
	case "parseURL":
		return parseURL(text), nil
	case "aws.parseArn":
		return parseARN(text), nil
	case "isValidHostLabel":
		return validLabel(text, args[1] == true), nil
	default: // substring
		return substring(text, args[1], args[2], args[3] == true), nil
	}
}

// partitionOf is what aws.partition tells of a region.
func partitionOf(partitions []models.Partition, region string) (any, error) {
	for _, p := range partitions {
		if _, ok := p.Regions[region]; ok {
			return p.Outputs, nil
		}
	}
	for _, p := range partitions {
		ok, err := regexp.MatchString(p.RegionRegex, region)
		if err != nil {
			return nil, fmt.Errorf("the regions of the partition %s: %w", p.ID, err)
		}
		if ok {
			return p.Outputs, nil
		}
	}
	if len(partitions) == 0 {
		return nil, errors.New("there are no partitions")
	}
	return partitions[0].Outputs, nil // aws, as the specification has it
}

func parseURL(text string) any {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
		return nil
	}
	_, err = netip.ParseAddr(u.Hostname())
	return map[string]any{
		"scheme": u.Scheme, "authority": u.Host, "path": u.Path,
		"normalizedPath": "/" + strings.TrimPrefix(strings.TrimSuffix(u.Path, "/")+"/", "/"), "isIp": err == nil,
	}
}

func parseARN(text string) any {
	p := strings.SplitN(text, ":", 6)
	if len(p) < 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return nil
	}
	var id []any
	for _, s := range strings.FieldsFunc(p[5], func(r rune) bool { return r == '/' || r == ':' }) {
		id = append(id, s)
	}
	return map[string]any{"partition": p[1], "service": p[2], "region": p[3], "accountId": p[4], "resourceId": id}
}

func validLabel(text string, dots bool) bool {
	labels := []string{text}
	if dots {
		labels = strings.Split(text, ".")
	}
	return !slices.ContainsFunc(labels, func(l string) bool {
		ok, _ := regexp.MatchString(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$`, l) // fails for an invalid expression only
		return !ok
	})
}

func substring(text string, start, stop any, reverse bool) any {
	a, ok1 := start.(float64)
	z, ok2 := stop.(float64)
	from, to := int(a), int(z)
	if !ok1 || !ok2 || from >= to || to > len(text) {
		return nil
	}
	if reverse {
		return text[len(text)-to : len(text)-from]
	}
	return text[from:to]
}

// sampleAccount stands in the ARNs that rules look at.
const sampleAccount = "111122223333"

// endpoints are the hosts of a call in every region of every partition, as a
// data file has them, and the name it is signed for.
func endpoints(s *models.Service, op *models.Operation) (signing string, all []catalogue.Endpoint, err error) {
	var rules ruleSet
	if err := json.Unmarshal(s.Rules, &rules); err != nil {
		return "", nil, fmt.Errorf("reading the rules of %s's endpoints: %w", s.Name, err)
	}
	var sites []site
	for _, p := range s.Partitions {
		for _, region := range slices.Sorted(maps.Keys(p.Regions)) {
			if strings.HasSuffix(region, "-global") {
				continue
			}
			params := map[string]any{"Region": region, "UseFIPS": false, "UseDualStack": false}
			for name, v := range op.StaticContextParams {
				params[name] = v.Value
			}
			for _, m := range s.Shape(op.Input).Members {
				if name := m.ContextParam.Name; strings.HasSuffix(strings.ToLower(name), "arn") {
					params[name] = "arn:" + p.ID + ":" + s.Metadata.Signing() + ":" + region + ":" + sampleAccount + ":stream/name"
				}
			}
			e, err := rules.resolve(params, s.Partitions)
			var no refused
			switch {
			case errors.As(err, &no):
				continue // not to be had in this partition
			case err != nil:
				return "", nil, err
			}
			at, name, err := siteOf(s, op, p.ID, region, e)
			if err != nil {
				return "", nil, err
			}
			if signing == "" {
				signing = name
			}
			if signing != name {
				return "", nil, fmt.Errorf("%s is signed for %s and, in %s, for %s", s.Name, signing, region, name)
			}
			sites = append(sites, at)
		}
	}
	if len(sites) == 0 {
		return "", nil, fmt.Errorf("the rules of %s give no endpoint", s.Name)
	}
	return signing, summary(sites, catalogue.Endpoint{Host: signing + ".{region}.{suffix}"}), nil
}

// site is the endpoint of one region, in the forms that may also say another's.
type site struct {
	partition, region string
	// forms are the host with words in braces for the region and the domain, for
	// the region alone, and for the domain alone.
	forms [3]catalogue.Endpoint
}

func (a site) is(e catalogue.Endpoint) bool { return slices.Contains(a.forms[:], e) }

func siteOf(s *models.Service, op *models.Operation, partition, region string, e endpointURL) (site, string, error) {
	name, sign := s.Metadata.Signing(), region
	if len(e.schemes) > 0 {
		i := slices.IndexFunc(e.schemes, func(a authScheme) bool { return a.Name == "sigv4" })
		if i < 0 {
			return site{}, "", fmt.Errorf("%s in %s isn't signed with sigv4 but with %s", s.Name, region, e.schemes[0].Name)
		}
		name, sign = cmp.Or(e.schemes[i].SigningName, name), cmp.Or(e.schemes[i].SigningRegion, region)
	}
	u, err := url.Parse(e.url)
	if err != nil || u.Scheme != "https" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return site{}, "", fmt.Errorf("the endpoint of %s in %s is %q: only a host over https is provided for", s.Name, region, e.url)
	}
	if strings.ContainsAny(op.Endpoint.HostPrefix, "{}") {
		return site{}, "", fmt.Errorf("%s has the host prefix %q", op.Name, op.Endpoint.HostPrefix)
	}
	host := strings.ReplaceAll(op.Endpoint.HostPrefix+u.Host, sampleAccount, "{account}")
	short := host
	suffix, dual := catalogue.Suffixes(partition)
	if h, ok := strings.CutSuffix(host, "."+suffix); ok {
		short = h + ".{suffix}"
	} else if h, ok := strings.CutSuffix(host, "."+dual); ok {
		short = h + ".{dual-suffix}"
	}
	other := ""
	if sign != region {
		other = sign
	}
	return site{partition, region, [3]catalogue.Endpoint{
		{Host: strings.ReplaceAll(short, region, "{region}"), Region: other},
		{Host: strings.ReplaceAll(host, region, "{region}"), Region: other},
		{Host: short, Region: sign},
	}}, name, nil
}

// summary says in the fewest lines where the sites are: what holds for most,
// what a partition has otherwise, what a region has.
func summary(sites []site, usual catalogue.Endpoint) []catalogue.Endpoint {
	best := lines(sites, usual)
	for _, s := range sites {
		for _, general := range s.forms[:2] {
			// A partition that isn't known yet will have regions too.
			if general == usual || general.Region != "" || !strings.Contains(general.Host, "{region}") {
				continue
			}
			if ls := append([]catalogue.Endpoint{general}, lines(sites, general)...); len(ls) < len(best) {
				best = ls
			}
		}
	}
	return best
}

// lines are the partitions and regions where something else than general holds.
func lines(sites []site, general catalogue.Endpoint) []catalogue.Endpoint {
	var all []catalogue.Endpoint
	for len(sites) > 0 {
		name := sites[0].partition
		n := slices.IndexFunc(sites, func(s site) bool { return s.partition != name })
		if n < 0 {
			n = len(sites)
		}
		own := general
		for _, s := range sites[:n] {
			for _, form := range s.forms {
				if misses(sites[:n], form) < misses(sites[:n], own) {
					own = form
				}
			}
		}
		if own != general {
			all = append(all, catalogue.Endpoint{For: name, Host: own.Host, Region: own.Region})
		}
		for _, s := range sites[:n] {
			if !s.is(own) {
				all = append(all, catalogue.Endpoint{For: s.region, Host: s.forms[0].Host, Region: s.forms[0].Region})
			}
		}
		sites = sites[n:]
	}
	return all
}

func misses(sites []site, e catalogue.Endpoint) int {
	n := 0
	for _, s := range sites {
		if !s.is(e) {
			n++
		}
	}
	return n
}
