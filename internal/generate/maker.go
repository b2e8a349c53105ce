package generate

import (
	"maps"
	"slices"
	"strings"

	"autotagger/internal/models"
)

// maker is a call that may create something, with what the models know of it.
type maker struct {
	g      *generator
	svc    *models.Service
	op     *models.Operation
	source string // eventSource
	iam    *models.IAMService
	action *models.IAMAction // nil where IAM has none of the name
	verb   string
	noun   string
	nouns  []string // the ways to read the noun, the likeliest first
	tags   string   // the path of the tags in the request, "" where it takes none
}

// tagsMember returns the name of the member of a create request that holds the
// new resource's tags, "" if there is none.
func tagsMember(s *models.Service, in *models.Shape, noun string) string {
	best := ""
	for _, name := range in.Names() {
		p := plain(name)
		if sh := s.Shape(in.Members[name]); sh.Type != "list" && sh.Type != "map" && sh.Type != "structure" {
			continue
		}
		switch p {
		case "tags", "tag":
			return name
		case "taglist", "tagslist", "resourcetags", "tagset", "tagspecifications", plain(noun) + "tags", plain(noun) + "tag":
			best = name
		default:
			if strings.HasSuffix(plain(noun), strings.TrimSuffix(p, "tags")) && strings.HasSuffix(p, "tags") && p != "copytags" {
				best = name
			}
		}
	}
	return best
}

// tagsPath is where the request has tags, "" where it takes none.
func (m *maker) tagsPath() string {
	in := m.svc.Shape(m.op.Input)
	if name := tagsMember(m.svc, in, m.noun); name != "" {
		return "request." + logged(wire(name, in.Members[name]))
	}
	// Some calls have all parameters in one structure.
	for _, name := range in.Names() {
		inner := m.svc.Shape(in.Members[name])
		if inner.Type != "structure" || len(in.Members) > 3 {
			continue
		}
		if tag := tagsMember(m.svc, inner, m.noun); tag != "" {
			return "request." + logged(wire(name, in.Members[name])) + "." + logged(wire(tag, inner.Members[tag]))
		}
	}
	return ""
}

// requestTags is where the request has the tags of what it makes. EC2 logs one
// parameter in three spellings, with the tags of several kinds of resources.
func (m *maker) requestTags(k *kind) string {
	if m.svc.Metadata.Protocol != "ec2" || m.tags == "" {
		return m.tags
	}
	if k.iam == nil {
		return ""
	}
	return "request.tagSpecificationSet for " + k.iam.Name
}

// wire is a member's name on the wire.
func wire(name string, r *models.Ref) string {
	if r.LocationName != "" && r.Location == "" {
		return r.LocationName
	}
	return name
}

// requestTag reports whether IAM knows the condition key for tags in the request.
func (m *maker) requestTag() bool { return m.action != nil && m.action.HasKey("aws:RequestTag/") }

// iamOf finds the service of the IAM reference whose actions are the model's
// operations: the one with the most of them, its signing name first of equals.
func (g *generator) iamOf(s *models.Service) *models.IAMService {
	found, known := g.iamBy[s.Name]
	if !known {
		found = g.findIAM(s)
		g.iamBy[s.Name] = found
	}
	return found
}

func (g *generator) findIAM(s *models.Service) *models.IAMService {
	var best *models.IAMService
	score := 0
	for _, p := range slices.Sorted(maps.Keys(g.aws.IAM)) {
		n := 0
		for name := range s.Operations {
			if g.aws.IAM[p].Actions[strings.ToLower(name)] != nil {
				n += 10
			}
		}
		if n > 0 && (p == s.Metadata.Signing() || p == s.Metadata.EndpointPrefix) {
			n += 10*len(s.Operations)/2 + 5
		}
		if n > score {
			best, score = g.aws.IAM[p], n
		}
	}
	if best == nil || score < 10*len(s.Operations)/4 {
		// API Gateway's actions are those of HTTP.
		return g.aws.IAM[s.Metadata.Signing()]
	}
	return best
}
