package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is handed to the YAML parser. Its time grows with the square
// of the nesting and of a mapping's length, and its stack with the nesting:
// these bounds keep the worst file under a second, and are far above any
// configuration a person would write.
const (
	maxBytes = 128 << 10
	maxDepth = 24
	maxKeys  = 8192
)

// kind is what a node is; the names are JSON Schema's.
type kind string

const (
	kindNull    kind = "null"
	kindBoolean kind = "boolean"
	kindInteger kind = "integer"
	kindNumber  kind = "number"
	kindString  kind = "string"
	kindArray   kind = "array"
	kindObject  kind = "object"
)

// node is one value of the document: JSON's model, with the place it stands.
// Its methods may be called on nil, which is a value that isn't there.
type node struct {
	kind kind
	line int
	path string
	// text is a scalar as it is read: a string's contents, or the digits as
	// written, so that a message can repeat them.
	text   string
	items  []*node
	fields []field
}

// field is one entry of a mapping. A key given twice stands here once.
type field struct {
	key   string
	line  int
	value *node
}

// get is the value of a key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// str is the node's string, or fallback if it isn't one.
func (n *node) str(fallback string) string {
	if n == nil || n.kind != kindString {
		return fallback
	}
	return n.text
}

// strs is a list's strings; a lone string is a list of one.
func (n *node) strs() []string {
	if n == nil {
		return nil
	}
	if n.kind == kindString {
		return []string{n.text}
	}
	var out []string
	for _, item := range n.items {
		if item.kind == kindString {
			out = append(out, item.text)
		}
	}
	return out
}

// list is a list's items; none for anything else.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

func (n *node) is(b bool) bool {
	return n != nil && n.kind == kindBoolean && strings.EqualFold(n.text, fmt.Sprint(b))
}

// load reads a document. A nil node without faults is an empty document; with
// faults, one that can't be read on.
func load(data []byte) (*node, []Fault) {
	if len(data) > maxBytes {
		return nil, []Fault{{Line: 1, Message: fmt.Sprintf("the file has %d bytes; at most %d are read", len(data), maxBytes)}}
	}
	// Some editors open a file with a byte order mark; the lexer would take it
	// for a part of the first key.
	tokens := lexer.Tokenize(strings.TrimPrefix(string(data), "\ufeff"))
	if faults := screen(tokens); len(faults) > 0 {
		return nil, faults
	}
	file, fault := parse(tokens)
	if fault != nil {
		return nil, []Fault{*fault}
	}

	var body ast.Node
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.CommentNode, *ast.CommentGroupNode:
			continue
		}
		if body != nil {
			return nil, []Fault{{Line: lineOf(doc.Body), Message: "a second document starts here; a configuration is one document"}}
		}
		body = doc.Body
	}
	if body == nil {
		return nil, nil
	}
	var l loader
	root := l.node(body, "")
	// "null" and "~" as the whole document say as little as an empty one.
	if root.kind == kindNull {
		return nil, l.faults
	}
	return root, l.faults
}

// screen refuses, before the parser sees them, tokens that make YAML costly or
// let one line stand for another: anchors and aliases (with which a small file
// unfolds into a huge one), tags, merge keys and deep nesting.
func screen(tokens token.Tokens) []Fault {
	var faults []Fault
	refuse := func(t *token.Token, message string) {
		faults = append(faults, Fault{Line: t.Position.Line, Message: message})
	}
	depth, keys := 0, 0
	line, dashes := 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType:
			refuse(t, "anchors and aliases (& and *) are not read here; write the value out, or quote it if it starts with * or &")
		case token.TagType:
			refuse(t, "YAML tags (!) are not read here; quote the value if it starts with !")
		case token.MergeKeyType:
			refuse(t, "merge keys (<<) are not read here; write the keys out")
		case token.MappingKeyType:
			refuse(t, "complex keys (?) are not read here; quote the value if it starts with ?")
		case token.DirectiveType:
			refuse(t, "YAML directives (%) are not read here; quote the value if it starts with %")
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType:
			dashes++
		case token.MappingValueType:
			keys++
		}
		// Nesting by indentation needs no bound of its own: it costs the
		// square of its depth in bytes.
		if depth > maxDepth || dashes > maxDepth {
			refuse(t, fmt.Sprintf("nested more than %d deep; nothing here needs that", maxDepth))
			return faults
		}
		if keys > maxKeys {
			refuse(t, fmt.Sprintf("more than %d keys", maxKeys))
			return faults
		}
	}
	return faults
}

// parse runs the YAML parser. It is other people's code over bytes that may be
// anything, and a panic in it is a file we can't read, not a reason to die.
func parse(tokens token.Tokens) (file *ast.File, fault *Fault) {
	defer func() {
		if recover() != nil {
			file, fault = nil, &Fault{Line: 1, Message: "this is not YAML"}
		}
	}()
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file, nil
	}
	// The parser's error type is internal to it; this is its public face.
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &at) {
		return nil, &Fault{Line: 1, Message: "reading YAML: " + err.Error()}
	}
	line := 1
	if t := at.GetToken(); t != nil && t.Position != nil {
		line = max(t.Position.Line, 1)
	}
	return nil, &Fault{Line: line, Message: "reading YAML: " + at.GetMessage()}
}

// loader turns the parser's tree into nodes and notes keys given twice.
type loader struct{ faults []Fault }

func (l *loader) node(n ast.Node, path string) *node {
	out := &node{line: lineOf(n), path: path}
	switch n := n.(type) {
	case nil, *ast.NullNode:
		out.kind = kindNull
	case *ast.BoolNode:
		out.kind, out.text = kindBoolean, n.GetToken().Value
	case *ast.IntegerNode:
		out.kind, out.text = kindInteger, n.GetToken().Value
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = kindNumber, n.GetToken().Value
	case *ast.StringNode:
		out.kind, out.text = kindString, n.Value
	case *ast.LiteralNode:
		out.kind = kindString
		if n.Value != nil {
			out.text = n.Value.Value
		}
	case *ast.MappingValueNode:
		l.mapping(out, []*ast.MappingValueNode{n})
	case *ast.MappingNode:
		l.mapping(out, n.Values)
	case *ast.SequenceNode:
		out.kind = kindArray
		for i, v := range n.Values {
			item := l.node(v, fmt.Sprintf("%s[%d]", path, i))
			if item.line == 0 {
				item.line = out.line
			}
			out.items = append(out.items, item)
		}
	default:
		// Whatever else the parser knows was screened out; if one comes, it
		// has no place in any schema.
		out.kind = kindNull
		l.faults = append(l.faults, Fault{Line: out.line, Path: path, Message: "this kind of YAML value is not read here"})
	}
	return out
}

func (l *loader) mapping(out *node, values []*ast.MappingValueNode) {
	out.kind = kindObject
	seen := make(map[string]int, len(values))
	for i, v := range values {
		key, line := v.Key.String(), lineOf(v.Key)
		if s, ok := v.Key.(*ast.StringNode); ok {
			key = s.Value
		}
		if i == 0 && line > 0 {
			out.line = line // the parser's own answer is that of the colon
		}
		path := join(out.path, key)
		if first, twice := seen[key]; twice {
			l.faults = append(l.faults, Fault{Line: line, Path: path, Message: fmt.Sprintf("given twice; first on line %d", first)})
			continue
		}
		seen[key] = line
		value := l.node(v.Value, path)
		if value.line == 0 || value.kind == kindNull {
			value.line = line
		}
		out.fields = append(out.fields, field{key: key, line: line, value: value})
	}
}

// join appends a key to a path, quoting it where it would be misread.
func join(path, key string) string {
	plain := key != "" && len(key) <= 60 && !strings.ContainsFunc(key, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
	if !plain {
		key = quoted(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func lineOf(n ast.Node) int {
	if n == nil {
		return 0
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return 0
	}
	return t.Position.Line
}
