package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Parse reads a data file; name is what faults call it. The error joins every
// fault, each with its line.
func Parse(name, text string) ([]*Row, error) {
	p := parser{name: name}
	for line := range strings.SplitSeq(text, "\n") {
		p.line++
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			p.field(line)
		}
	}
	p.endRow()
	p.checkCalls()
	for _, row := range p.rows {
		for i, r := range row.Resources {
			if r.Calls != nil {
				row.Resources[i].Limits = r.Calls.Limits // which stand behind the head
			}
		}
	}
	return p.rows, errors.Join(p.faults...)
}

// parser holds what has been read of a file.
type parser struct {
	name    string
	line    int
	head    Resource // what the rows share
	source  string
	dated   bool
	arrives string
	ended   bool
	service string
	calls   map[string]*Calls
	client  *Calls // whose block is being read
	rows    []*Row
	row     *Row
	faults  []error
}

func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf("reading the catalogue: %s:%d: %s", p.name, p.line, fmt.Sprintf(format, args...)))
}

func (p *parser) check(err error) {
	if err != nil {
		p.fault("%v", err)
	}
}

// resource returns what a field belongs to: the row's newest resource, or in
// the head what all rows share.
func (p *parser) resource() *Resource {
	if p.row == nil {
		return &p.head
	}
	if n := len(p.row.Resources); n > 0 {
		return &p.row.Resources[n-1]
	}
	p.fault("the field stands before the row's type")
	return &Resource{}
}

func (p *parser) field(line string) {
	key, value, ok := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	if !ok || value == "" {
		p.fault("%q is no field: value", line)
		return
	}
	if p.row == nil && (key == "untaggable" || key == "type" || key == "off") {
		p.fault("%s stands before the first event", key)
		return
	}
	var err error
	if key == "client" || p.client != nil && key != "event" {
		p.check(p.clientField(key, value))
		return
	}
	switch key {
	case "source":
		p.source = value
	case "service":
		if p.row == nil {
			p.service = value
		} else {
			p.row.Service = value
		}
	case "dated":
		p.dated = value == "yes"
	case "event":
		p.endRow()
		p.client = nil
		p.row = &Row{Source: p.source, Event: value, Dated: p.dated, Arrives: p.arrives, Ended: p.ended, Service: p.service}
	case "untaggable":
		p.row.Untaggable = value
	case "off":
		p.row.Off = value
	case "ended":
		p.ended = value == "yes"
	case "arrives":
		p.arrives = value
	case "evidence":
		if p.row != nil {
			p.row.Evidence = value
		}
	case "type":
		r := p.head
		r.Type = value
		p.row.Resources = append(p.row.Resources, r)
	case "also":
		p.resource().Also = strings.Fields(value)
	case "arn":
		p.resource().ARN = Template(value)
	case "from":
		var l Locator
		l, err = parseLocator(value)
		p.resource().From = append(p.resource().From, l)
	case "when":
		var c Condition
		c, err = parseCondition(value)
		p.resource().When = append(p.resource().When, c)
	case "region":
		p.resource().Region, err = parsePath(value)
	case "api":
		p.resource().API = value
	case "permissions":
		p.resource().Permissions = strings.Fields(value)
	case "tags":
		r := p.resource()
		path, kind, _ := strings.Cut(value, " for ")
		r.Tags, err = parsePath(path)
		r.TagsFor = strings.TrimSpace(kind)
	case "upsert":
		p.resource().Upsert = value == "yes"
	case "look-up":
		p.resource().LookUp = value
	case "calls":
		r := p.resource()
		if r.Calls = nil; value != "none" { // other rows' calls, in the head, don't serve it
			r.Calls = p.callsOf(value)
		}
	case "keys", "values":
		err = p.resource().Limits.field(key, value)
	default:
		p.fault("there is no field %q", key)
	}
	p.check(err)
}

// endRow checks the row that ends here and keeps it.
func (p *parser) endRow() {
	r := p.row
	if r == nil {
		if p.source == "" {
			p.fault("the file has no source")
		}
		return
	}
	p.row = nil
	if n := len(p.rows); n > 0 && p.rows[n-1].Event >= r.Event {
		p.fault("%s stands behind %s: rows are sorted and each event has one", r.Event, p.rows[n-1].Event)
	}
	if (r.Untaggable == "") != (len(r.Resources) > 0) {
		p.fault("%s needs either a type or an untaggable", r.Event)
	}
	if r.Evidence == "" {
		p.fault("%s has no evidence", r.Event)
	}
	for i := range r.Resources {
		if r.Off != "" && (r.Resources[i].ARN == "" || len(r.Resources[i].From) == 0) {
			continue // weak: what it lacks is why it's off
		}
		p.checkResource(r.Event, &r.Resources[i])
	}
	p.rows = append(p.rows, r)
}

func (p *parser) checkResource(event string, r *Resource) {
	if r.ARN == "" || len(r.From) == 0 || r.API == "" {
		p.fault("%s: %s needs arn, from and api", event, r.Type)
		return
	}
	if strings.Count(string(r.ARN), ":") < 5 {
		p.fault("%s: the template %s is no ARN", event, r.ARN)
	}
	if r.API == APINone {
		r.Permissions = nil
	} else if len(r.Permissions) == 0 {
		p.fault("%s: %s needs permissions", event, r.Type)
	}
	if r.API == APITagging {
		// https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_TagResources.html
		r.Permissions = append([]string{"tag:TagResources", "tag:GetResources"}, r.Permissions...)
	}
	vars := r.ARN.Vars()
	for _, l := range r.From {
		for _, a := range l {
			if !slices.Contains(vars, a.Var) {
				p.fault("%s: the template %s has no {%s}", event, r.ARN, a.Var)
			}
		}
	}
}
