package generate

import (
	"cmp"
	_ "embed"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

//go:embed tagging-api.txt
var taggingAPIFile string

//go:embed sources.txt
var sourcesFile string

//go:embed recorded.txt
var recordedFile string

// generator holds what the rows are made from.
type generator struct {
	aws        *models.AWS
	taggingAPI []string // IAM actions
	sources    map[string][]string
	arrives    map[string]string
	recorded   map[string]bool             // source and event
	skipped    map[string]string           // services that make nothing, and why
	cfnForms   map[string][]*models.Type   // by form of ARN
	cfnGroups  map[string][]string         // CloudFormation's groups of a service of botocore
	cfnIn      map[string][]*models.Type   // the types of a group, sorted
	calls      map[string]calls            // by service
	byHand     map[string]catalogue.Limits // by service
	faults     []error
	iamBy      map[string]*models.IAMService // by service of botocore
	unplaced   []string                      // calls that take tags and whose names don't say that they create
	rows       map[string]map[string][]*row  // by source and event
}

func newGenerator(aws *models.AWS) (*generator, error) {
	g := &generator{
		aws: aws, sources: map[string][]string{}, arrives: map[string]string{}, recorded: map[string]bool{}, skipped: map[string]string{},
		cfnForms: map[string][]*models.Type{}, cfnGroups: map[string][]string{}, cfnIn: map[string][]*models.Type{},
		calls: map[string]calls{}, iamBy: map[string]*models.IAMService{}, rows: map[string]map[string][]*row{},
	}
	for _, line := range facts(taggingAPIFile) {
		if line[0] != '-' {
			g.taggingAPI = append(g.taggingAPI, line)
		}
	}
	for n, line := range facts(sourcesFile) {
		f := strings.Split(line, "\t")
		switch {
		case f[0] == "global" && len(f) == 4:
			g.arrives[f[1]] = f[2]
		case f[0] == "none" && len(f) == 3:
			g.skipped[f[1]] = f[2]
		case len(f) == 3:
			g.sources[f[0]] = strings.Split(f[1], ",")
		default:
			return nil, fmt.Errorf("reading sources.txt:%d: %q has %d columns", n, line, len(f))
		}
	}
	for _, line := range facts(recordedFile) {
		g.recorded[line] = true
	}
	var err error
	if g.byHand, err = readLimits(); err != nil {
		return nil, err
	}
	g.indexTypes()
	return g, nil
}

// facts are the lines of a file of facts, numbered from 1, without blank ones and
// comments.
func facts(file string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i, line := range strings.Split(file, "\n") {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' && !yield(i+1, line) {
				return
			}
		}
	}
}

// indexTypes finds CloudFormation's types by their ARNs, and which groups of
// them belong to which service: those whose ARNs have the service's prefix in
// IAM, and those that are named like it.
func (g *generator) indexTypes() {
	groupOf := map[string]map[string]int{} // ARN service → group → types
	for _, n := range slices.Sorted(maps.Keys(g.aws.Types)) {
		t := g.aws.Types[n]
		parts := strings.Split(n, "::")
		if len(parts) != 3 || parts[0] != "AWS" {
			continue
		}
		g.cfnIn[parts[1]] = append(g.cfnIn[parts[1]], t)
		if t.ARN == "" {
			continue
		}
		g.cfnForms[form(t.ARN)] = append(g.cfnForms[form(t.ARN)], t)
		if a := strings.Split(t.ARN, ":"); len(a) > 2 {
			if groupOf[a[2]] == nil {
				groupOf[a[2]] = map[string]int{}
			}
			groupOf[a[2]][parts[1]]++
		}
	}
	for _, s := range g.aws.Services {
		var groups []string
		for group := range g.cfnIn {
			p := plain(group)
			if p == plain(s.Name) || p == plain(s.Metadata.ServiceID) || p == plain(s.Metadata.Signing()) || p == plain(s.Metadata.EndpointPrefix) ||
				p == strings.TrimPrefix(strings.TrimPrefix(plain(s.Metadata.ServiceFullName), "amazon"), "aws") {
				groups = append(groups, group)
			}
		}
		if i := g.iamOf(s); i != nil {
			for group := range groupOf[i.Prefix] {
				groups = append(groups, group)
			}
		}
		for group, services := range cfnGroupsByHand {
			if slices.Contains(services, s.Name) {
				groups = append(groups, group)
			}
		}
		slices.SortFunc(groups, func(a, b string) int {
			return cmp.Or(similarity(s.Name, b)-similarity(s.Name, a), strings.Compare(a, b))
		})
		g.cfnGroups[s.Name] = slices.Compact(groups)
	}
}

// cfnGroupsByHand are groups of CloudFormation whose names tell their service to
// people only.
var cfnGroupsByHand = map[string][]string{
	"APS":                    {"amp"},
	"AmazonMQ":               {"mq"},
	"BCM":                    {"bcm-dashboards"},
	"BedrockAgentCore":       {"bedrock-agentcore-control"},
	"CertificateManager":     {"acm"},
	"CustomerProfiles":       {"customer-profiles"},
	"DevOpsAgent":            {"devops-agent"},
	"InspectorV2":            {"inspector2"},
	"KinesisFirehose":        {"firehose"},
	"MSK":                    {"kafka"},
	"OpenSearchServerless":   {"opensearchserverless"},
	"PI":                     {"pi"},
	"Route53RecoveryControl": {"route53-recovery-control-config"},
	"SCN":                    {"supplychain"},
	"SSMQuickSetup":          {"ssm-quicksetup"},
	"SystemsManagerSAP":      {"ssm-sap"},
}

// eventSources returns the names under which CloudTrail logs a service's calls.
func (g *generator) eventSources(s *models.Service) []string {
	if all := g.sources[s.Name]; all != nil {
		return all
	}
	return []string{s.Metadata.Signing() + ".amazonaws.com"}
}

// callsOf returns a service's own tag calls.
func (g *generator) callsOf(s *models.Service, iam *models.IAMService) calls {
	if c, ok := g.calls[s.Name]; ok {
		return c
	}
	c := ownCalls(s, iam)
	if c.client != nil && !s.Ended {
		var err error
		if c.client.Limits, err = g.limits(s, c.client.Write.Op); err != nil {
			g.faults = append(g.faults, err)
		}
	}
	g.calls[s.Name] = c
	return c
}

// makeRows works out a row for every call that may create something.
func (g *generator) makeRows() {
	for _, s := range g.aws.Services {
		if g.skipped[s.Name] != "" {
			continue
		}
		iam := g.iamOf(s)
		for _, name := range s.Names() {
			v, noun := verb(name)
			if v == "" || strings.HasPrefix(noun, "Tags") || noun == "Tag" || strings.HasSuffix(noun, "Tagging") {
				m := &maker{g: g, svc: s, op: s.Operations[name], noun: noun}
				if !s.Ended && !handlesTags(name) && m.tagsPath() != "" {
					g.unplaced = append(g.unplaced, s.Name+":"+name)
				}
				continue
			}
			m := &maker{g: g, svc: s, op: s.Operations[name], iam: iam, verb: v, noun: noun, nouns: nouns(v, noun)}
			if iam != nil {
				m.action = iam.Actions[strings.ToLower(name)]
			}
			for _, source := range g.eventSources(s) {
				m := *m
				m.source = source
				r := g.rowOf(&m)
				if r == nil {
					continue
				}
				if g.rows[source] == nil {
					g.rows[source] = map[string][]*row{}
				}
				g.rows[source][name] = append(g.rows[source][name], r)
			}
		}
	}
}
