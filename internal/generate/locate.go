package generate

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"autotagger/internal/models"
)

// member is a place in a call's request or response that may hold an ARN or a
// part of one.
type member struct {
	path     string // response.cluster.clusterArn
	name     string // the member's plain name: clusterarn
	parents  []string
	required bool
	list     bool // of many
	shape    *models.Shape
	folded   bool // the service keeps it in lower case, whatever the request has
	sole     bool // every structure on the way is the only one at its place
}

// members lists the members of a request or response that are texts: at the top,
// in structures down to the third level, and in lists of structures or texts.
func (m *maker) members(root string, r *models.Ref) []member {
	var all []member
	var walk func(sh *models.Shape, at member, depth int)
	walk = func(sh *models.Shape, at member, depth int) {
		structures := 0
		for _, ref := range sh.Members {
			if m.svc.Shape(ref).Type == "structure" {
				structures++
			}
		}
		for _, name := range sh.Names() {
			ref := sh.Members[name]
			inner := m.svc.Shape(ref)
			next := member{
				path: at.path + "." + logged(wire(name, ref)), name: plain(name), parents: at.parents,
				required: slices.Contains(sh.Required, name), list: at.list, shape: inner, sole: at.sole,
				folded: lowered.MatchString(ref.Documentation + inner.Documentation),
			}
			if ref.Location == "header" || ref.Location == "statusCode" {
				continue
			}
			switch inner.Type {
			case "string", "integer", "long":
				all = append(all, next)
			case "structure":
				if depth < 3 {
					next.parents = append(slices.Clone(at.parents), next.name)
					next.sole = at.sole && structures == 1
					walk(inner, next, depth+1)
				}
			case "list":
				if depth >= 3 || at.list {
					continue
				}
				next.list = true
				next.path += "[]"
				member := m.svc.Shape(inner.Member)
				if member.Type == "structure" {
					next.parents = append(slices.Clone(at.parents), next.name)
					next.sole = at.sole
					walk(member, next, depth+1)
				} else if member.Type == "string" {
					next.shape = member
					all = append(all, next)
				}
			}
		}
	}
	top := m.svc.Shape(r)
	if root == "response" && flattens(m.source) && len(top.Members) == 1 {
		if inner := m.svc.Shape(top.Members[top.Names()[0]]); inner.Type == "structure" {
			top = inner
		}
	}
	walk(top, member{path: root, sole: true}, 0)
	slices.SortStableFunc(all, func(a, b member) int {
		return cmp.Or(strings.Count(a.path, "[]")-strings.Count(b.path, "[]"), len(a.parents)-len(b.parents))
	})
	return all
}

// flattens reports whether a source's records leave out the structure that holds
// all of an answer: CreateDBInstance's response begins with its dBInstanceArn.
// IAM's and Elastic Load Balancing's keep it.
func flattens(source string) bool {
	return source == "rds.amazonaws.com" || source == "redshift.amazonaws.com" || source == "elasticache.amazonaws.com"
}

// foldsNames reports whether the ARNs of a service have names in lower case, for
// some kinds and not for others: the request's name isn't the ARN's then.
func foldsNames(service string) bool { return service == "sagemaker" }

// foreign are words in the names of members that hold something other than what
// the call makes.
var foreign = regexp.MustCompile(`^(source|src|parent|original|origin|previous|target|destination|base|master|role|kms|owner|creat(or|edby)|associated|linked|global|external)`)

// lowered is how documentation says that a name is kept in lower case.
var lowered = regexp.MustCompile(`(?i)lower-?case string|in lower-?case|folded to lower|converted to lower|to lowercase`)

// about are the names of structures around what is said of a thing.
var about = regexp.MustCompile(`(metadata|properties|details?|summary|description|info|data|status|result)$`)

// many reports whether the call makes several at once.
func (m *maker) many() bool {
	return m.verb == "BatchCreate" || m.verb == "Run" && strings.HasSuffix(m.noun, "s") || m.svc.Metadata.Protocol == "ec2" ||
		strings.HasSuffix(m.noun, "s") && !strings.HasSuffix(m.noun, "ss")
}

// arnPlaces returns the places in the response that may hold the new resource's
// ARN, the likeliest first.
func (m *maker) arnPlaces(k *kind) []member {
	type scored struct {
		member
		score int
	}
	var found []scored
	names := m.ownNames(k)
	for _, p := range m.members("response", m.op.Output) {
		own, ok := strings.CutSuffix(p.name, "arn")
		if !ok && p.list {
			own, ok = strings.CutSuffix(p.name, "arns")
		}
		if !ok {
			continue
		}
		s := 0
		if p.list && !m.many() {
			s = -30
		}
		switch {
		case own == "":
			s += 80
		case slices.Contains(names, own) || slices.Contains(names, singular(own)):
			s += 100
		case own == "resource":
			s += 70
		case foreign.MatchString(own):
			continue
		default:
			// Its form decides at the time: it must fit the template.
			best := nearest(own, names) / 2
			if best < 30 {
				continue
			}
			s += best
		}
		for _, parent := range p.parents {
			switch {
			case nearest(parent, names) >= 50 || p.sole && !p.list || about.MatchString(parent):
			case foreign.MatchString(parent):
				s -= 100
			default:
				s -= 60
			}
		}
		s -= 5 * len(p.parents)
		if s >= 25 {
			found = append(found, scored{p, s})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int { return cmp.Or(b.score-a.score, strings.Compare(a.path, b.path)) })
	var all []member
	for _, f := range found[:min(2, len(found))] {
		all = append(all, f.member)
	}
	return all
}

// nearest is how far a name means the same as the nearest of others: 0 to 100.
func nearest(name string, others []string) int {
	best := 0
	for _, n := range others {
		best = max(best, similarity(name, n))
	}
	return best
}

// ownNames are the plain names that the new resource goes by.
func (m *maker) ownNames(k *kind) []string {
	var names []string
	for _, n := range m.nouns {
		names = append(names, plain(n), singular(plain(n)))
	}
	if k.iam != nil {
		names = append(names, plain(k.iam.Name))
	}
	for _, t := range k.cfn {
		names = append(names, plain(cfnNoun(t)))
	}
	names = append(names, plain(varNoun(lastVar(k.template))))
	// CreateMultiRegionCluster makes a cluster.
	if w := words(m.noun); len(w) > 1 {
		names = append(names, plain(w[len(w)-1]))
	}
	slices.Sort(names)
	// A short name, such as IAM's db, is the beginning of other things' names.
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return len(s) < 3 })
}

// variables are those of a template, without partition, region and account.
func variables(template string) []string {
	var all []string
	for _, v := range variable.FindAllStringSubmatch(template, -1) {
		if !fixed(v[1]) {
			all = append(all, v[1])
		}
	}
	return all
}

func fixed(v string) bool {
	switch strings.ToLower(v) {
	case "partition", "region", "account", "accountid":
		return true
	}
	return false
}

// part finds what fills one variable of the template.
func (m *maker) part(k *kind, v string, last bool, places []member) string {
	base := plain(varNoun(v))
	var wanted []string
	add := func(names ...string) {
		for _, n := range names {
			if n != "" && !slices.Contains(wanted, n) {
				wanted = append(wanted, n)
			}
		}
	}
	add(plain(v))
	nouns := []string{base}
	if last {
		nouns = append(nouns, m.ownNames(k)...)
	}
	// Beside an ARN, what is called an identifier may be a name that isn't in it, as
	// those of DMS are.
	alone := len(m.arnPlaces(k)) == 0
	switch end := strings.ToLower(v); {
	case strings.HasSuffix(end, "name"):
		for _, n := range nouns {
			add(n + "name")
		}
		if last {
			add("name")
			for _, n := range nouns {
				if alone && chosen(places, n+"identifier") { // as Redshift's names are called
					add(n + "identifier")
				}
			}
		}
	case strings.HasSuffix(end, "id"), strings.HasSuffix(end, "identifier"):
		for _, n := range nouns {
			add(n + "id")
			if alone {
				add(n + "identifier")
			}
		}
		if last {
			add("id")
			if alone {
				add("identifier")
			}
		}
	default:
		// ${Cluster} says neither name nor id: only a member of one of both will do.
		has := func(n string) bool { return slices.ContainsFunc(places, func(p member) bool { return p.name == n }) }
		if has(base+"name") != has(base+"id") {
			add(base+"name", base+"id")
		}
	}
	if !last {
		add(base)
	}
	for _, n := range nouns {
		if last && len(n) > 4 && chosen(places, n) {
			add(n)
		}
	}
	for _, w := range wanted {
		for _, p := range places {
			if p.name != w || p.list && !m.many() || !last && p.list {
				continue
			}
			if len(p.parents) > 0 && !p.sole && !m.ownParent(k, p) {
				continue
			}
			if slices.ContainsFunc(p.parents, func(s string) bool { return foreign.MatchString(s) }) {
				continue
			}
			switch {
			case !last && p.name == base && base != plain(v):
				return "last(" + p.path + ")"
			case p.folded && strings.HasPrefix(p.path, "request."):
				return "lower(" + p.path + ")"
			}
			return p.path
		}
	}
	return ""
}

// chosen reports whether a request must have a member: what it names is then
// named by the caller.
func chosen(places []member, name string) bool {
	return slices.ContainsFunc(places, func(p member) bool {
		return p.name == name && p.required && strings.HasPrefix(p.path, "request.")
	})
}

// ownParent reports whether a member stands right below the new thing itself.
func (m *maker) ownParent(k *kind, p member) bool {
	return nearest(p.parents[len(p.parents)-1], m.ownNames(k)) >= 60
}

// locators returns the locators of what the call makes, in the catalogue's
// words, and whether the response has its ARN.
func (m *maker) locators(k *kind) (from []string, arn bool) {
	if k.template == "" {
		// No reference tells the form of its ARNs. One that the response has by the
		// call's own name, beside tags in the request, can only be the new thing's.
		for _, p := range m.arnPlaces(k) {
			own := strings.TrimSuffix(p.name, "arn")
			if ns := m.arnService(); ns != "" && m.tags != "" && (own == "" || slices.Contains(m.ownNames(k), own)) {
				k.template = "arn:${Partition}:" + ns + ":${Region}:${Account}:${Id}"
				return []string{p.path}, true
			}
		}
	}
	var arns []member
	if m.svc.Metadata.Protocol != "ec2" {
		arns = m.arnPlaces(k)
	}
	for _, p := range arns {
		from = append(from, p.path)
	}
	vars := variables(k.template)
	if k.template == "" || len(vars) == 0 {
		return from, len(arns) > 0
	}
	response, request := m.members("response", m.op.Output), m.members("request", m.op.Input)
	own := vars[len(vars)-1]
	build := func(last string) {
		if last == "" {
			return
		}
		parts := []string{}
		for _, v := range vars[:len(vars)-1] {
			p := m.part(k, v, false, request)
			if p == "" {
				p = m.part(k, v, false, response)
			}
			if p == "" {
				return
			}
			parts = append(parts, logged(v)+"="+p)
		}
		if len(parts) > 0 {
			last = "id=" + last
		}
		if line := strings.Join(append(parts, last), " "); !slices.Contains(from, line) {
			from = append(from, line)
		}
	}
	inResponse, inRequest := m.part(k, own, true, response), m.part(k, own, true, request)
	if name, ok := strings.CutSuffix(own, "Name"); ok && inResponse == "" && inRequest == "" {
		// CloudHSM's template has a name where the service has ids only.
		inResponse = m.part(k, name+"Id", true, response)
	}
	build(inResponse)
	switch {
	case inRequest == "", foldsNames(m.svc.Name) && len(arns) > 0:
	case len(arns) == 0, m.named(own, arns[0].shape.Pattern, k.template), m.keyed(k, own):
		build(inRequest)
	}
	return from, len(arns) > 0
}

// arnService is the service in the ARNs of the types that IAM knows of the
// service; "" where they differ, or have no region and account.
func (m *maker) arnService() string {
	found := ""
	for _, t := range m.iamTypes() {
		p := strings.SplitN(t.ARN, ":", 6)
		if len(p) < 6 || found != "" && found != p[2] {
			return ""
		}
		found = p[2]
	}
	return found
}

// keyed reports whether CloudFormation, too, calls the type by the name that its
// ARNs end with.
func (m *maker) keyed(k *kind, own string) bool {
	return strings.HasSuffix(strings.ToLower(own), "name") && slices.ContainsFunc(k.cfn, func(t *models.Type) bool {
		if len(t.PrimaryIdentifier) != 1 {
			return false
		}
		id := plain(t.PrimaryIdentifier[0])
		return id == plain(own) || id == "name"
	})
}

// named reports whether a template's last part is a name that the request
// gives, as the pattern of the ARN in the response allows to tell: a sample ARN
// with a name in that place must match it.
func (m *maker) named(own, pattern, template string) bool {
	if !strings.HasSuffix(strings.ToLower(own), "name") || pattern == "" || pattern == ".*" {
		return false
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return false // a look-ahead, or a bound that Go doesn't take
	}
	sample := variable.ReplaceAllStringFunc(template, func(v string) string {
		switch strings.ToLower(strings.Trim(v, "${}")) {
		case "partition":
			return "aws"
		case "region":
			return "us-east-1"
		case "account", "accountid":
			return "111122223333"
		}
		return "sample-zname"
	})
	return re.MatchString(sample) && !re.MatchString("arn:aws:other:us-east-1:111122223333:thing/sample-zname")
}
