package generate

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"autotagger/internal/models"
)

// kind is a kind of resource that a call may create.
type kind struct {
	iam      *models.IAMType // nil where IAM knows none
	cfn      []*models.Type  // CloudFormation's types of these ARNs, best first
	template string          // "" unknown; with {names}
	score    int
}

// name is CloudFormation's name, else that of the IAM reference.
func (k *kind) name(prefix string) string {
	if len(k.cfn) > 0 {
		return k.cfn[0].Name
	}
	if k.iam != nil {
		return prefix + ":" + k.iam.Name
	}
	return ""
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// form is an ARN template without its variables' names, for comparison.
func form(arn string) string { return variable.ReplaceAllString(strings.ToLower(arn), "{}") }

// similarity says how far two plain names mean the same: 0 to 100.
func similarity(noun, name string) int {
	a, b := singular(plain(noun)), singular(plain(name))
	switch {
	case a == "" || b == "":
		return 0
	case a == b:
		return 100
	case strings.HasSuffix(a, b) || strings.HasSuffix(b, a):
		return 40 + 50*min(len(a), len(b))/max(len(a), len(b))
	case strings.HasPrefix(a, b):
		return 10 // a cluster's snapshot is no cluster: the name begins with its parent's
	case strings.HasPrefix(b, a):
		return 20 + 50*min(len(a), len(b))/max(len(a), len(b))
	case strings.Contains(a, b) || strings.Contains(b, a):
		return 20 + 30*min(len(a), len(b))/max(len(a), len(b))
	}
	return 0
}

// lastVar is the name of a template's last variable: what the resource itself
// is called by.
func lastVar(arn string) string {
	all := variable.FindAllStringSubmatch(arn, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// kindOf decides what a call creates: the type of the IAM reference and of
// CloudFormation whose names and ARNs fit the call best. nil where nothing does.
func (m *maker) kindOf() *kind {
	var all []*kind
	for _, t := range m.iamTypes() {
		k := &kind{iam: t}
		k.score = m.likeness(t.Name)
		if s := m.likeness(varNoun(lastVar(t.ARN))) - 5; s > k.score && (k.score != parentLike || s >= 95) {
			k.score = s
		}
		if m.action != nil {
			for _, rt := range m.action.ResourceTypes {
				if rt.Name != t.Name {
					continue
				}
				k.score += 15
				if slices.ContainsFunc(rt.ConditionKeys, func(c string) bool { return strings.HasPrefix(c, "aws:RequestTag/") }) {
					k.score += 30
				}
				if len(m.action.ResourceTypes) == 1 && makes(m.verb) {
					k.score += 10
				}
			}
		}
		all = append(all, k)
	}
	slices.SortStableFunc(all, func(a, b *kind) int {
		return cmp.Or(b.score-a.score, strings.Compare(a.iam.Name, b.iam.Name))
	})
	var best *kind
	if len(all) > 0 && all[0].score >= 60 {
		best = all[0]
		best.template = usableTemplate(best.iam.ARN)
	}
	byName := m.cfnByNoun()
	if best == nil {
		if byName == nil {
			return nil
		}
		return m.cfnKind(byName)
	}
	best.cfn = m.cfnByForm(best.iam.ARN)
	best.template = m.betterNamed(best.template, best.cfn)
	switch {
	case byName != nil && (len(best.cfn) == 0 || byName.ARN == "" || form(byName.ARN) == form(best.iam.ARN)):
		best.cfn = append([]*models.Type{byName}, slices.DeleteFunc(best.cfn, func(t *models.Type) bool { return t == byName })...)
	case byName != nil && m.likeness(best.iam.Name) < 80:
		// CloudFormation knows the thing by the call's own name, with other ARNs
		// than the best guess among IAM's types.
		return m.cfnKind(byName)
	}
	return best
}

// cfnKind is a kind that only CloudFormation knows. Its ARNs aren't believed
// where they are those of what it belongs to.
func (m *maker) cfnKind(t *models.Type) *kind {
	k := &kind{score: 90, cfn: []*models.Type{t}, template: usableTemplate(t.ARN)}
	for _, i := range m.iamTypes() {
		if t.ARN != "" && form(i.ARN) == form(t.ARN) {
			if k.iam = i; m.likeness(i.Name) < 60 {
				k.iam, k.template = nil, ""
				break
			}
		}
	}
	return k
}

// betterNamed takes CloudFormation's name of a template's last variable where
// IAM's says nothing: neither ${ResourceId} nor a wildcard tells a name from an
// id, but a type that is found by its name does.
func (m *maker) betterNamed(template string, types []*models.Type) string {
	v := lastVar(template)
	switch plain(v) {
	case "resourceid", "id", "resource", "resourcename", "identifier", "resourcepath":
	default:
		return template
	}
	for _, t := range types {
		better := ""
		if other := lastVar(t.ARN); other != "" && plain(other) != plain(v) && plain(other) != "resourceid" {
			better = other
		} else if len(t.PrimaryIdentifier) == 1 && !strings.HasSuffix(plain(t.PrimaryIdentifier[0]), "arn") {
			better = t.PrimaryIdentifier[0]
		}
		if better != "" {
			i := strings.LastIndex(template, "${"+v+"}")
			return template[:i] + "${" + better + "}" + template[i+len(v)+3:]
		}
	}
	return template
}

// usableTemplate completes a template that has a wildcard for its last name, and
// drops one that is no ARN or names nothing.
func usableTemplate(arn string) string {
	arn = strings.ReplaceAll(arn, "*", "${ResourceId}")
	if !strings.HasPrefix(arn, "arn:") || strings.Count(variable.ReplaceAllString(arn, ""), ":") < 5 || len(variables(arn)) == 0 {
		return ""
	}
	return arn
}

// parentLike is the likeness of a name that the call's begins with.
const parentLike = 10

// likeness says how well a type's name fits what the call makes. A call whose
// name begins with the type's makes a part of one, if its request names one;
// else what follows is a kind of the type: CreateLocationS3 makes a location.
func (m *maker) likeness(name string) int {
	best := 0
	for i, n := range m.nouns {
		s := similarity(n, name)
		if i > 0 && s > parentLike {
			s-- // a later reading is less likely
		}
		best = max(best, s)
	}
	if best == parentLike && makes(m.verb) && !m.asksFor(name) && m.answersWith(name) {
		return 75
	}
	return best
}

// asksFor reports whether the request names a resource of the type.
func (m *maker) asksFor(name string) bool {
	n := singular(plain(name))
	for _, p := range m.members("request", m.op.Input) {
		if p.name == n || p.name == n+"id" || p.name == n+"arn" || p.name == n+"name" || p.name == n+"identifier" {
			return true
		}
	}
	return false
}

// answersWith reports whether the response names a resource of the type.
func (m *maker) answersWith(name string) bool {
	n := singular(plain(name))
	for _, p := range m.members("response", m.op.Output) {
		if p.name == n+"id" || p.name == n+"arn" {
			return true
		}
	}
	return false
}

// nouns are the ways to read what a call makes from its name:
// RestoreTableFromBackup makes a table, CreateDefaultVpc a VPC, AssociateProfile
// a profile association.
func nouns(verb, noun string) []string {
	all := []string{noun}
	w := words(noun)
	for i, word := range w {
		switch word {
		case "From", "To", "By", "With", "Via", "Using", "For", "In", "On", "As":
			if i > 0 {
				all = append(all, strings.Join(w[:i], ""))
			}
		}
	}
	if rest, ok := strings.CutPrefix(noun, "Default"); ok && rest != "" {
		all = append(all, rest)
	}
	if rest, ok := strings.CutSuffix(noun, "V2"); ok && rest != "" {
		all = append(all, rest)
	}
	switch verb {
	case "Associate":
		all = append([]string{noun + "Association", w[len(w)-1] + "Association"}, all...)
	case "Enable":
		all = append([]string{"Enabled" + noun}, all...)
	}
	return all
}

// varNoun cuts what names are made with from a template's variable.
func varNoun(v string) string {
	for _, end := range []string{"Identifier", "Name", "Id", "ID", "Arn"} {
		if s, ok := strings.CutSuffix(v, end); ok && s != "" {
			return s
		}
	}
	return v
}

func (m *maker) iamTypes() []*models.IAMType {
	if m.iam == nil {
		return nil
	}
	all := make([]*models.IAMType, 0, len(m.iam.Types))
	for _, t := range m.iam.Types {
		// Two generations of an API may share a type: Greengrass has two forms of
		// ARNs for a deployment.
		for arn := range strings.SplitSeq(t.ARN, ", ") {
			one := *t
			one.ARN = arn
			all = append(all, &one)
		}
	}
	slices.SortFunc(all, func(a, b *models.IAMType) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ARN, b.ARN))
	})
	return all
}

// cfnByForm returns CloudFormation's types whose ARNs have the form, those that
// are named like the call first.
func (m *maker) cfnByForm(arn string) []*models.Type {
	all := slices.Clone(m.g.cfnForms[form(arn)])
	slices.SortStableFunc(all, func(a, b *models.Type) int {
		return cmp.Or(m.likeness(cfnNoun(b))-m.likeness(cfnNoun(a)), strings.Compare(a.Name, b.Name))
	})
	return all
}

// cfnByNoun returns CloudFormation's type that is named exactly like what the
// call makes.
func (m *maker) cfnByNoun() *models.Type {
	for _, noun := range m.nouns {
		for _, group := range m.g.cfnGroups[m.svc.Name] {
			if t := m.g.aws.Types["AWS::"+group+"::"+noun]; t != nil {
				return t
			}
			for _, t := range m.g.cfnIn[group] {
				if singular(plain(cfnNoun(t))) == singular(plain(noun)) {
					return t
				}
			}
		}
	}
	return nil
}

func cfnNoun(t *models.Type) string { return t.Name[strings.LastIndexByte(t.Name, ':')+1:] }
