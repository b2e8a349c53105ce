package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Calls are one service's own tag calls: how its client writes and reads tags.
// They are a block in the head of a data file:
//
//	client: memorydb
//	id: MemoryDB
//	protocol: json-1.1 AmazonMemoryDB
//	endpoint: memory-db.{region}.{suffix}
//	write: TagResource ResourceArn={arn} Tags=[Key,Value]
//	read: ListTags ResourceArn={arn} -> TagList=[Key,Value]
//
// and for a service whose calls have methods and paths:
//
//	client: batch
//	id: Batch
//	protocol: rest-json
//	write: TagResource POST /v1/tags/{arn} tags={map}
//	read: ListTagsForResource GET /v1/tags/{arn} -> tags={map}
//
// The fields:
//
//   - client: botocore's name of the service. Rows say "calls: memorydb".
//   - id: the serviceId of its model, after which AWS_ENDPOINT_URL_<ID> is named.
//   - protocol: json-1.0 and json-1.1 with the prefix of X-Amz-Target, query
//     with the API's version, rest-json, or cbor with the name of the service.
//   - signing: the name that requests are signed for, where that isn't the
//     client's.
//   - iam: the prefix of its actions in IAM, where that isn't the signing name.
//   - endpoint: the host, where that isn't "<signing>.{region}.{suffix}". One
//     for a partition or a region alone stands behind its name. What stands
//     behind the host is the region to sign for, where that isn't the
//     request's: "endpoint: aws iam.amazonaws.com us-east-1". {suffix} and
//     {dual-suffix} are the partition's domains, {account} is the resource's.
//   - write and read: the operation; method and path where the protocol has
//     them; and the request's fields. One of them has the tags: {map} is an
//     object of them, [Key,Value] a list of pairs with these names. Behind ->
//     stands what the answer has, lists on the way to it passed through. A
//     token of the next page is {next} in the request and in the answer.
//   - keys and values: what the write takes less of a tag than others do (see
//     [Limits]).
//
// What names the resource is {arn}; {id}, what follows the last slash or colon
// of its ARN; {type}, the first word of its ARN's sixth part; or {account}.
// [{arn}] is a list of one.
type Calls struct {
	Name string // botocore's name of the service, the key of the block
	Service
	IAM         string // prefix of its actions
	Write, Read Call
	Limits      Limits // what of tags the write takes

	filled bool // the block was read, not only referred to
}

// Call is one operation.
type Call struct {
	Op           string
	Method, Path string  // of REST protocols; the path with {arn} and its like
	Fields       []Field // of the request's body, the tags aside
	// Tags are those of a write's request, or of a read's answer.
	Tags Tags
	// Next is the field of the answer that has the next page's token.
	Next string
}

// Field is a field of a request: its name on the wire and what it is given.
type Field struct{ Name, Value string }

// Tags say where tags stand and in which form.
type Tags struct {
	Field      string // names on the way, with dots between
	Key, Value string // of a pair; "" where the tags are a map
}

// Pairs reports whether the tags are a list of pairs, rather than a map.
func (t Tags) Pairs() bool { return t.Key != "" }

func (t Tags) String() string {
	if t.Pairs() {
		return t.Field + "=[" + t.Key + "," + t.Value + "]"
	}
	return t.Field + "={map}"
}

// next is what a page's token is called in a block.
const next = "{next}"

// String returns the call as a data file has it.
func (c Call) String() string {
	words := []string{c.Op}
	if c.Method != "" {
		words = append(words, c.Method, c.Path)
	}
	for _, f := range c.Fields {
		words = append(words, f.Name+"="+f.Value)
	}
	if readsOnly(c.Op) {
		words = append(words, "->")
	}
	words = append(words, c.Tags.String())
	if c.Next != "" {
		words = append(words, c.Next+"="+next)
	}
	return strings.Join(words, " ")
}

// Append writes the block as parse reads it.
func (c *Calls) Append(b *strings.Builder) {
	line := func(key, value string) {
		if value != "" {
			b.WriteString(key + ": " + value + "\n")
		}
	}
	line("client", c.Name)
	line("id", c.ID)
	line("protocol", strings.TrimSpace(string(c.Protocol)+" "+c.Version))
	if c.Signing != c.Name {
		line("signing", c.Signing)
	}
	if c.IAM != c.Signing {
		line("iam", c.IAM)
	}
	for _, e := range c.Endpoints {
		line("endpoint", e.String())
	}
	line("write", c.Write.String())
	line("read", c.Read.String())
	line("keys", c.Limits.Keys.String())
	line("values", c.Limits.Values.String())
}

// callsOf returns the block of a name, which may be read later.
func (p *parser) callsOf(name string) *Calls {
	c := p.calls[name]
	if c == nil {
		if p.calls == nil {
			p.calls = map[string]*Calls{}
		}
		c = &Calls{Name: name}
		c.Signing = name
		p.calls[name] = c
	}
	return c
}

// checkCalls finds blocks that are wanting, once the file is read.
func (p *parser) checkCalls() {
	for name, c := range p.calls {
		if c.IAM == "" {
			c.IAM = c.Signing
		}
		switch {
		case !c.filled:
			p.fault("there is no client %q", name)
		case c.ID == "" || c.Protocol == "" || c.Write.Op == "" || c.Read.Op == "":
			p.fault("the client %s needs id, protocol, write and read", name)
		case rest(c.Protocol) != (c.Write.Method != "") || rest(c.Protocol) != (c.Read.Method != ""):
			p.fault("the client %s: calls have a method and a path where the protocol is REST, and only there", name)
		}
	}
}

func rest(p Protocol) bool { return p == RESTJSON || p == RESTXML }

// ParseCalls reads one block, for the services whose calls stand in code.
func ParseCalls(text string) (*Calls, error) {
	p := parser{name: "calls"}
	for line := range strings.SplitSeq(text, "\n") {
		p.line++
		if line = strings.TrimSpace(line); line != "" {
			p.field(line)
		}
	}
	p.checkCalls()
	if p.client == nil {
		p.fault("there is no client")
	}
	return p.client, errors.Join(p.faults...)
}

// clientField reads a field of a client's block in the head of a data file.
func (p *parser) clientField(key, value string) error {
	c, err := p.client, error(nil)
	switch key {
	case "client":
		p.client = p.callsOf(value)
		if p.client.filled {
			return fmt.Errorf("the client %s has a block already", value)
		}
		p.client.filled = true
	case "id":
		c.ID = value
	case "protocol":
		name, version, _ := strings.Cut(value, " ")
		c.Protocol, c.Version = Protocol(name), version
		switch c.Protocol {
		case JSON10, JSON11, Query, CBOR:
			if version == "" {
				return fmt.Errorf("the protocol %s needs a target, a version or a name", name)
			}
		case RESTJSON, RESTXML:
		default:
			return fmt.Errorf("there is no protocol %q", name)
		}
	case "signing":
		c.Signing = value
	case "iam":
		c.IAM = value
	case "endpoint":
		var e Endpoint
		e, err = parseEndpoint(value)
		c.Endpoints = append(c.Endpoints, e)
	case "write":
		if c.Write, err = parseCall(value); err == nil && readsOnly(c.Write.Op) {
			return fmt.Errorf("%s doesn't write", c.Write.Op)
		}
	case "keys", "values":
		return c.Limits.field(key, value)
	case "read":
		if c.Read, err = parseCall(value); err == nil && !readsOnly(c.Read.Op) {
			return fmt.Errorf("%s isn't known to change nothing", c.Read.Op)
		}
	default:
		return fmt.Errorf("a client has no field %q", key)
	}
	return err
}

// readsOnly says whether an operation changes nothing, by its verb.
func readsOnly(op string) bool {
	return slices.ContainsFunc([]string{"Get", "List", "Describe"}, func(verb string) bool { return strings.HasPrefix(op, verb) })
}

func parseCall(text string) (Call, error) {
	request, answer, reads := strings.Cut(text, " -> ")
	words := strings.Fields(request)
	c := Call{Op: words[0]}
	words = words[1:]
	if len(words) > 1 && slices.Contains([]string{"GET", "POST", "PUT", "PATCH"}, words[0]) {
		c.Method, c.Path, words = words[0], words[1], words[2:]
		if c.Path[0] != '/' {
			return c, fmt.Errorf("the path %q begins with no slash", c.Path)
		}
		if err := checkPlaceholders(c.Path); err != nil {
			return c, err
		}
	}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		tags, isTags := parseTags(name, value)
		switch {
		case !ok || name == "" || value == "":
			return c, fmt.Errorf("%q is no name=value", w)
		case isTags && !reads && c.Tags.Field == "":
			c.Tags = tags
		case isTags:
			return c, fmt.Errorf("%q: a read's tags stand behind ->, and a write's once", w)
		default:
			if err := checkPlaceholders(value); err != nil {
				return c, err
			}
			c.Fields = append(c.Fields, Field{name, value})
		}
	}
	for _, w := range strings.Fields(answer) {
		name, value, _ := strings.Cut(w, "=")
		tags, isTags := parseTags(name, value)
		switch {
		case isTags && c.Tags.Field == "":
			c.Tags = tags
		case value == next && c.Next == "":
			c.Next = name
		default:
			return c, fmt.Errorf("%q: an answer has tags, and may have a %s", w, next)
		}
	}
	if c.Tags.Field == "" {
		return c, errors.New("the call has no tags")
	}
	if c.Next != "" != (strings.Contains(c.Path, next) || slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Value == next })) {
		return c, fmt.Errorf("%s stands in the request and in the answer, or in neither", next)
	}
	return c, nil
}

func parseTags(name, value string) (Tags, bool) {
	if value == "{map}" {
		return Tags{Field: name}, true
	}
	inside, ok := strings.CutPrefix(value, "[")
	inside, closed := strings.CutSuffix(inside, "]")
	k, v, two := strings.Cut(inside, ",")
	return Tags{name, k, v}, ok && closed && two && k != "" && v != ""
}

// checkPlaceholders finds words in braces that mean nothing. {arn+} keeps the
// slashes of an ARN in a path.
func checkPlaceholders(text string) error {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			return nil
		}
		name, behind, closed := strings.Cut(after, "}")
		if known := []string{"arn", "arn+", "id", "type", "account", "next"}; !closed || !slices.Contains(known, name) {
			return fmt.Errorf("%q has a {%s}; there are %s", text, name, strings.Join(known, ", "))
		}
		rest = behind
	}
}
