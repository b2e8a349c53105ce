package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// The made-up surroundings of sample events.
const (
	madeUpAccount = "111122223333"
	madeUpRegion  = "eu-west-1"
	otherRegion   = "eu-central-1" // of a resource that isn't where its event is
	madeUpTime    = "2026-01-15T10:00:00Z"
)

// sample is a made-up event of a row, and what it must yield.
type sample struct {
	record   any
	expected []string // type and ARN, tab-separated
}

// samples returns the sample events of one source's rows as JSON Lines, and what
// each line must yield: the event's name, and a type and an ARN for each
// resource, tab-separated. Their members are those of the models, as far as they
// could be taken for the new resource's name; their values are made up.
func (g *generator) samples(source string, rows []*catalogue.Row) (events, golden string, err error) {
	var e, w strings.Builder
	n := 0
	for _, r := range rows {
		for i := range r.Resources {
			if len(r.Resources[i].From) == 0 || r.Resources[i].ARN == "" || siblings(r, i) {
				continue
			}
			for k := range r.Resources[i].From {
				n++
				s := g.sampleOf(r, i, k, n)
				line := &bytes.Buffer{}
				enc := json.NewEncoder(line)
				enc.SetEscapeHTML(false)
				if err := enc.Encode(s.record); err != nil {
					return "", "", fmt.Errorf("making a sample of %s %s: %w", source, r.Event, err)
				}
				e.WriteString(line.String())
				fmt.Fprintf(&w, "%s\t%s\n", r.Event, strings.Join(s.expected, "\t"))
			}
		}
	}
	return e.String(), w.String(), nil
}

// siblings reports whether a row's resource is made together with the first one,
// whose sample then proves it too. Resources that depend on a condition, or
// whose names stand in the same place, are instead of each other.
func siblings(r *catalogue.Row, i int) bool {
	if i == 0 || len(r.Resources[i].When) > 0 || len(r.Resources[0].When) > 0 {
		return false
	}
	for _, a := range r.Resources[i].From[0] {
		for _, b := range r.Resources[0].From[0] {
			if strings.EqualFold(a.Path.String(), b.Path.String()) && a.Var == "id" && b.Var == "id" {
				return false
			}
		}
	}
	return true
}

// makerOf is the call that made a row's resource, nil if it is by hand.
func (g *generator) makerOf(r *catalogue.Row, i int) *maker {
	made := g.rows[r.Source][r.Event]
	for _, m := range made {
		if m.stanza.get("type") == r.Resources[i].Type {
			return m.m
		}
	}
	if len(made) > 0 {
		return made[0].m
	}
	return nil
}

// sampleOf makes the n-th sample: of a row's resource, named where its k-th locator
// looks and nowhere before.
func (g *generator) sampleOf(r *catalogue.Row, i, k, n int) sample {
	root := map[string]any{}
	region := madeUpRegion
	if r.Arrives != "" {
		region = r.Arrives
	}
	if m := g.makerOf(r, i); m != nil {
		root["request"] = m.sampleShape(m.op.Input, 0, true)
		root["response"] = m.sampleShape(m.op.Output, 0, false)
	}
	s := sample{}
	for j := range r.Resources {
		if j != i && !(siblings(r, j) && i == 0) {
			continue
		}
		at := 0
		if j == i {
			at = k
		}
		s.expected = append(s.expected, r.Resources[j].Type, identify(root, r, j, at, region))
	}
	name := r.Event
	switch {
	case r.Dated && r.Source == "cloudfront.amazonaws.com":
		name += "2020_05_31"
	case r.Dated:
		name += "20150331"
	}
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", n, len(r.Source)*1000+n)
	s.record = struct {
		Version   string         `json:"eventVersion"`
		Identity  map[string]any `json:"userIdentity"`
		Time      string         `json:"eventTime"`
		Source    string         `json:"eventSource"`
		Name      string         `json:"eventName"`
		Region    string         `json:"awsRegion"`
		Address   string         `json:"sourceIPAddress"`
		Agent     string         `json:"userAgent"`
		Request   any            `json:"requestParameters"`
		Response  any            `json:"responseElements"`
		RequestID string         `json:"requestID"`
		ID        string         `json:"eventID"`
		ReadOnly  bool           `json:"readOnly"`
		Type      string         `json:"eventType"`
		Managed   bool           `json:"managementEvent"`
		Account   string         `json:"recipientAccountId"`
		Category  string         `json:"eventCategory"`
	}{
		"1.11", map[string]any{
			"type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": "arn:aws:iam::" + madeUpAccount + ":user/sam", "accountId": madeUpAccount, "userName": "sam",
		}, madeUpTime, r.Source, name, region, "192.0.2.10", "aws-cli/2", root["request"], root["response"],
		"req-" + id[:8], id, false, "AwsApiCall", true, madeUpAccount, "Management",
	}
	return s
}

// identify puts a resource's identity where its k-th locator looks, takes it away
// where those before look, and returns its ARN.
func identify(root map[string]any, r *catalogue.Row, i, k int, region string) string {
	res := &r.Resources[i]
	for _, c := range res.When {
		if c.Not {
			if c.Equal == "" {
				take(root, c.Path)
			}
			continue
		}
		if c.Absent {
			take(root, c.Path)
			continue
		}
		value := c.Equal
		switch value {
		case "":
			value = "sample-given"
		case "{time}":
			value = madeUpTime
		case "{account}":
			value = madeUpAccount
		}
		put(root, r.Source, c.Path, value)
	}
	if !res.Region.IsZero() {
		put(root, r.Source, res.Region, otherRegion)
		region = otherRegion
	}
	l := res.From[k]
	if slices.ContainsFunc(l, func(a catalogue.Assignment) bool { return a.Var == "region" }) {
		region = otherRegion
	}
	values := map[string]string{}
	for _, v := range res.ARN.Vars() {
		switch v {
		case "partition":
			values[v] = "aws"
		case "region":
			values[v] = region
		case "account":
			values[v] = madeUpAccount
		case "id":
			values[v] = fmt.Sprintf("Sample-%d-0a1b2c3d", i+1)
		case "path":
			values[v] = "/"
		default:
			values[v] = "parent-" + strings.ToLower(v)
			if strings.Contains(strings.ToLower(v), "account") {
				values[v] = madeUpAccount
			}
		}
	}
	for _, a := range l {
		if a.Func == "lower" {
			values[a.Var] = strings.ToLower(values[a.Var])
		}
	}
	arn, _ := res.ARN.Expand(func(name string) string { return values[name] })
	for _, before := range res.From[:k] {
		for _, a := range before {
			if !slices.ContainsFunc(l, func(b catalogue.Assignment) bool { return b.Path.String() == a.Path.String() }) {
				take(root, a.Path)
			}
		}
	}
	assigned := 0
	for _, v := range res.ARN.Vars() {
		if slices.ContainsFunc(l, func(a catalogue.Assignment) bool { return a.Var == v }) {
			assigned++
		}
	}
	names := len(res.ARN.Vars()) - strings.Count(string(res.ARN), "{partition}") - strings.Count(string(res.ARN), "{region}") - strings.Count(string(res.ARN), "{account}")
	for _, a := range l {
		value := values[a.Var]
		if a.Func == "lower" {
			value = strings.ToUpper(value)
		}
		last := strings.ToLower(a.Path.Steps[len(a.Path.Steps)-1].Name)
		if a.Var == "id" && a.Func == "" && (strings.HasSuffix(last, "arn") || strings.HasSuffix(last, "arns") || assigned < names) {
			value = arn
		}
		put(root, r.Source, a.Path, value)
	}
	return arn
}

// put sets a value at a path, making what lacks on the way.
func put(root map[string]any, source string, p catalogue.Path, value any) {
	at, _ := root[p.Root].(map[string]any)
	if at == nil {
		at = map[string]any{}
		root[p.Root] = at
	}
	for i, step := range p.Steps {
		key := step.Name
		for k := range at {
			if strings.EqualFold(k, key) {
				key = k
			}
		}
		last := i == len(p.Steps)-1
		switch {
		case step.List && last:
			at[key] = listOf(source, value)
		case step.List:
			inner := element(at[key])
			if inner == nil {
				inner = map[string]any{}
				at[key] = listOf(source, inner)
			}
			at = inner
		case last:
			at[key] = value
		default:
			inner, _ := at[key].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
				at[key] = inner
			}
			at = inner
		}
	}
}

// take takes what stands at a path away.
func take(root map[string]any, p catalogue.Path) {
	at, _ := root[p.Root].(map[string]any)
	for i, step := range p.Steps {
		for k, v := range at {
			if !strings.EqualFold(k, step.Name) {
				continue
			}
			if i == len(p.Steps)-1 || step.List && element(v) == nil {
				delete(at, k)
				return
			}
			if inner := element(v); inner != nil {
				at = inner
			} else {
				at, _ = v.(map[string]any)
			}
			break
		}
	}
}

// listOf is a list of one in the form that the source logs: EC2's have items.
func listOf(source string, member any) any {
	if source == "ec2.amazonaws.com" {
		return map[string]any{"items": []any{member}}
	}
	return []any{member}
}

// element is the first member of such a list, nil if it is no structure.
func element(list any) map[string]any {
	if m, ok := list.(map[string]any); ok {
		list = m["items"]
	}
	if all, ok := list.([]any); ok && len(all) > 0 {
		m, _ := all[0].(map[string]any)
		return m
	}
	return nil
}

// sampleShape makes a structure's value: members that a call must have, and
// those whose names say that they hold a name, an id or an ARN.
func (m *maker) sampleShape(r *models.Ref, depth int, request bool) any {
	if r == nil {
		return nil
	}
	sh := m.svc.Shape(r)
	if !request && depth == 0 && flattens(m.source) && len(sh.Members) == 1 {
		sh = m.svc.Shape(sh.Members[sh.Names()[0]])
	}
	out := map[string]any{}
	for _, name := range sh.Names() {
		ref := sh.Members[name]
		if ref.Location == "header" || ref.Location == "statusCode" {
			continue
		}
		p := plain(name)
		telling := slices.ContainsFunc([]string{"arn", "id", "name", "identifier", "arns", "ids"}, func(end string) bool { return strings.HasSuffix(p, end) })
		inner := m.svc.Shape(ref)
		switch {
		case p == "tags" || request && m.holdsTags(p, inner) || slices.Contains(sh.Required, name) && request || telling || inner.Type == "structure" && depth < 2:
			if v := m.sampleValue(name, ref, depth, request); v != nil {
				out[logged(wire(name, ref))] = v
			}
		}
	}
	return out
}

func (m *maker) sampleValue(name string, ref *models.Ref, depth int, request bool) any {
	sh := m.svc.Shape(ref)
	p := plain(name)
	switch sh.Type {
	case "structure":
		if depth >= 3 {
			return nil
		}
		if v := m.sampleShape(ref, depth+1, request).(map[string]any); len(v) > 0 {
			return v
		}
		return nil
	case "list":
		if depth >= 3 {
			return nil
		}
		if m.holdsTags(p, sh) {
			return m.sampleTags(sh)
		}
		if v := m.sampleValue(strings.TrimSuffix(name, "s"), sh.Member, depth+1, request); v != nil {
			return listOf(m.source, v)
		}
		return nil
	case "map":
		return map[string]any{"team": "sample"}
	case "string", "character":
		switch {
		case len(sh.Enum) > 0:
			return sh.Enum[0]
		case strings.HasSuffix(p, "rolearn"):
			return "arn:aws:iam::" + madeUpAccount + ":role/other-role"
		case strings.Contains(p, "kms"):
			return "arn:aws:kms:" + madeUpRegion + ":" + madeUpAccount + ":key/00000000-0000-4000-8000-000000000000"
		case strings.HasSuffix(p, "arn"):
			return "arn:aws:sns:" + madeUpRegion + ":" + madeUpAccount + ":other-" + p
		case p == "clienttoken":
			return "token-1"
		}
		return "other-" + p
	case "integer", "long", "float", "double", "short", "byte", "biginteger", "bigdecimal":
		return 1
	case "boolean":
		return true
	case "timestamp":
		return madeUpTime
	}
	return nil // a blob
}

// holdsTags reports whether a member holds tags: pairs, or a map.
func (m *maker) holdsTags(plain string, sh *models.Shape) bool {
	if !strings.HasSuffix(plain, "tags") && plain != "taglist" && plain != "tagslist" {
		return false
	}
	if sh.Type != "list" {
		return sh.Type == "map"
	}
	pair, _ := m.sampleTags(sh).([]any)[0].(map[string]any)
	return len(pair) == 2
}

// sampleTags is the tags of a create request, as the shape of their list says.
func (m *maker) sampleTags(list *models.Shape) any {
	pair := map[string]any{}
	for _, name := range m.svc.Shape(list.Member).Names() {
		switch p := plain(name); {
		case strings.HasSuffix(p, "key"):
			pair[logged(name)] = "team"
		case strings.HasSuffix(p, "value"):
			pair[logged(name)] = "sample"
		}
	}
	return []any{pair}
}
