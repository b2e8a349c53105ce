package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
)

// own is how one service's own tag calls are made: as a data file says, and for
// some with a little code beside it.
type own struct {
	*catalogue.Calls
	fold bool // tag keys differ in more than case
	// place says what the calls name a resource by; nil: by its ARN's form. Its
	// error is a skip or a bad.
	place func(*awsapi.Caller, target) (place, error)
	// root is the element around a body of XML, with its namespace.
	root xml.Name
}

// place is what the placeholders of a call stand for.
type place struct {
	arn  string // {arn}
	id   string // {id}: what follows the last slash or colon
	kind string // {type}: the first word of the sixth part
}

// placeOf takes an ARN apart. The ":*" that CloudTrail and CloudFormation put
// behind a log group's ARN is left away, since TagResource refuses it:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html
func placeOf(_ *awsapi.Caller, t target) (place, error) {
	arn := strings.TrimSuffix(t.arn, ":*")
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[5] == "" {
		return place{}, bad(WhyBadARN)
	}
	p := place{arn: arn, id: arn[strings.LastIndexAny(arn, "/:")+1:], kind: parts[5]}
	if i := strings.IndexAny(parts[5], "/:"); i >= 0 {
		p.kind = parts[5][:i]
	}
	if p.id == "" {
		return place{}, bad(WhyBadARN)
	}
	return p, nil
}

// check is what names the resource, or the skip or bad that stands against it.
func (o *own) check(c *awsapi.Caller, t target) (place, error) {
	if o.place != nil {
		return o.place(c, t)
	}
	return placeOf(c, t)
}

// ownStore reads and writes tags through a service's own calls.
type ownStore struct {
	c   *awsapi.Caller
	row *own
}

func (s ownStore) read(ctx context.Context, ts []target) []found {
	out := make([]found, len(ts))
	for i, t := range ts {
		out[i].tags, out[i].err = s.readOne(ctx, t)
	}
	return out
}

func (s ownStore) readOne(ctx context.Context, t target) (map[string]string, error) {
	p, err := s.row.check(s.c, t)
	if err != nil {
		return nil, err
	}
	tags, token := map[string]string{}, ""
	// A resource has 50 tags at most, so that a handful of pages is plenty; the
	// bound holds against an endpoint that hands out tokens for ever.
	for range 20 {
		cl, err := s.call(s.row.Read, t, p, token, nil)
		if err != nil {
			return nil, err
		}
		body, err := s.c.Do(ctx, cl)
		if err != nil {
			return nil, err
		}
		page, next, err := s.row.parse(body)
		if err != nil {
			return nil, fmt.Errorf("reading the tags of %s: %w", t.arn, err)
		}
		for k, v := range page {
			tags[k] = v
		}
		if next == "" {
			return tags, nil
		}
		token = next
	}
	return nil, fmt.Errorf("reading the tags of %s: pages without end", t.arn)
}

func (s ownStore) write(ctx context.Context, ts []target, tags map[string]string) []error {
	errs := make([]error, len(ts))
	for i, t := range ts {
		p, err := s.row.check(s.c, t)
		if err == nil {
			var cl awsapi.Call
			if cl, err = s.call(s.row.Write, t, p, "", tags); err == nil {
				_, err = s.c.Do(ctx, cl)
			}
		}
		errs[i] = err
	}
	return errs
}

// call is one call about a target: a read without tags, a write with them.
func (s ownStore) call(c catalogue.Call, t target, p place, token string, tags map[string]string) (awsapi.Call, error) {
	cl := awsapi.Call{Service: &s.row.Service, Op: c.Op, Account: t.account, Region: t.region, ARN: t.arn, Method: c.Method}
	values := map[string]string{"{arn}": p.arn, "{id}": p.id, "{type}": p.kind, "{account}": t.account, "{next}": token}
	fill := func(template string, escape func(string) string) string {
		for name, v := range values {
			template = strings.ReplaceAll(template, name, escape(v))
		}
		return template
	}
	path, query, asks := strings.Cut(c.Path, "?")
	cl.Path = strings.ReplaceAll(fill(path, escapeLabel), "{arn+}", strings.ReplaceAll(escapeLabel(p.arn), "%2F", "/"))
	if asks {
		form := url.Values{}
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if value != "{next}" || token != "" {
				form.Set(name, fill(value, verbatim))
			}
		}
		cl.Query = form.Encode()
	}
	fields := map[string]any{}
	cl.Form = url.Values{}
	for _, f := range c.Fields {
		if f.Value == "{next}" && token == "" {
			continue
		}
		value := fill(f.Value, verbatim)
		cl.Form.Set(f.Name, value)
		fields[f.Name] = value
		if inside, ok := strings.CutPrefix(f.Value, "["); ok {
			fields[f.Name] = []string{fill(strings.TrimSuffix(inside, "]"), verbatim)}
		}
	}
	if tags != nil {
		switch s.row.Protocol {
		case catalogue.Query:
			addTags(cl.Form, c.Tags, tags)
		case catalogue.RESTXML:
			var err error
			cl.ContentType = "application/xml"
			if cl.Body, err = s.row.xmlBody(tags); err != nil {
				return awsapi.Call{}, err
			}
		default:
			fields[c.Tags.Field] = tagsField(c.Tags, tags)
		}
	}
	// A REST call without a body has no content type either.
	if len(fields) > 0 || c.Method == "" {
		cl.Fields = fields
	}
	return cl, nil
}

func verbatim(s string) string { return s }

// escapeLabel escapes a value for one segment of a REST path, slashes and
// colons included, as the SDK's REST protocols do.
func escapeLabel(v string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(v), "+", "%20"), "%7E", "~")
}

// addTags writes tags into a query form, in the order of their keys so that
// equal requests are equal on the wire.
func addTags(form url.Values, as catalogue.Tags, tags map[string]string) {
	for n, key := range sortedKeys(tags) {
		prefix := as.Field + "." + strconv.Itoa(n+1) + "."
		form.Set(prefix+as.Key, key)
		form.Set(prefix+as.Value, tags[key])
	}
}

// tagsField is the tags as a request has them: a map, or a list of pairs.
func tagsField(as catalogue.Tags, tags map[string]string) any {
	if !as.Pairs() {
		return tags
	}
	list := make([]map[string]string, 0, len(tags))
	for _, key := range sortedKeys(tags) {
		list = append(list, map[string]string{as.Key: key, as.Value: tags[key]})
	}
	return list
}

// xmlBody is the tags inside the row's root, each in the elements that the field
// names.
func (o *own) xmlBody(tags map[string]string) ([]byte, error) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	way := strings.Split(o.Write.Tags.Field, ".")
	tokens := []xml.Token{xml.StartElement{Name: o.root}}
	element := func(name string) xml.StartElement { return xml.StartElement{Name: xml.Name{Local: name}} }
	for _, name := range way[:len(way)-1] {
		tokens = append(tokens, element(name))
	}
	for _, key := range sortedKeys(tags) {
		pair := element(way[len(way)-1])
		tokens = append(tokens, pair)
		for _, f := range [][2]string{{o.Write.Tags.Key, key}, {o.Write.Tags.Value, tags[key]}} {
			start := element(f[0])
			tokens = append(tokens, start, xml.CharData(f[1]), start.End())
		}
		tokens = append(tokens, pair.End())
	}
	for _, name := range slices.Backward(way[:len(way)-1]) {
		tokens = append(tokens, element(name).End())
	}
	tokens = append(tokens, xml.EndElement{Name: o.root})
	for _, t := range tokens {
		if err := e.EncodeToken(t); err != nil {
			return nil, err
		}
	}
	if err := e.Flush(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// parse reads the answer of the row's list operation: tags, and the token of
// the next page if there is one.
func (o *own) parse(body []byte) (tags map[string]string, next string, err error) {
	fields := map[string]any{}
	switch o.Protocol {
	case catalogue.Query, catalogue.RESTXML:
		return o.parseXML(body)
	case catalogue.CBOR:
		if fields, err = awsapi.FromCBOR(body); err != nil {
			return nil, "", err
		}
	default:
		if len(body) > 0 {
			if err := json.Unmarshal(body, &fields); err != nil {
				return nil, "", err
			}
		}
	}
	next, _ = fields[o.Read.Next].(string)
	tags = map[string]string{}
	err = o.collect(fields, strings.Split(o.Read.Tags.Field, "."), tags)
	return tags, next, err
}

// collect follows the way to the tags, through the members of every list.
func (o *own) collect(v any, way []string, tags map[string]string) error {
	switch v := v.(type) {
	case nil: // the field is missing or null
	case []any:
		for _, e := range v {
			if err := o.collect(e, way, tags); err != nil {
				return err
			}
		}
	case map[string]any:
		if len(way) > 0 {
			return o.collect(v[way[0]], way[1:], tags)
		}
		if !o.Read.Tags.Pairs() {
			for k, e := range v {
				value, ok := e.(string)
				if !ok && e != nil {
					return fmt.Errorf("the tag %s is a %T", k, e)
				}
				tags[k] = value
			}
			return nil
		}
		key, ok := v[o.Read.Tags.Key].(string)
		value, isText := v[o.Read.Tags.Value].(string)
		if !ok || !isText && v[o.Read.Tags.Value] != nil {
			return fmt.Errorf("a tag has no %s and %s that are text", o.Read.Tags.Key, o.Read.Tags.Value)
		}
		tags[key] = value
	default:
		return fmt.Errorf("%s is a %T", o.Read.Tags.Field, v)
	}
	return nil
}

func (o *own) parseXML(body []byte) (tags map[string]string, next string, err error) {
	var root awsapi.Node
	if err := xml.Unmarshal(body, &root); err != nil {
		return nil, "", err
	}
	if h := root.Holder(o.Read.Next); h != nil && o.Read.Next != "" {
		next = h.Content(o.Read.Next)
	}
	first, _, _ := strings.Cut(o.Read.Tags.Field, ".")
	if h := root.Holder(first); h != nil {
		return pairs(h.Child(first), o.Read.Tags), next, nil
	}
	return map[string]string{}, next, nil
}

// pairs are the tags in an XML element: every element in it with a key and a
// value.
func pairs(n *awsapi.Node, as catalogue.Tags) map[string]string {
	tags := map[string]string{}
	var walk func(*awsapi.Node)
	walk = func(n *awsapi.Node) {
		key, value, isTag := "", "", false
		for i := range n.Nodes {
			switch c := &n.Nodes[i]; c.XMLName.Local {
			case as.Key:
				key, isTag = c.Text, true
			case as.Value:
				value = c.Text
			case "Roles": // of an instance profile, whose tags are not its own
			default:
				walk(c)
			}
		}
		if isTag {
			tags[key] = value
		}
	}
	walk(n)
	return tags
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
