package awsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// deserialize reads an answer whole and turns a refusal into an error.
func deserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, md, err := next.HandleDeserialize(ctx, in)
	if err != nil {
		return out, md, err
	}
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if !ok {
		return out, md, fmt.Errorf("unknown transport type %T", out.RawResponse)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return out, md, &smithyhttp.ResponseError{Response: resp, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		return out, md, &awshttp.ResponseError{
			RequestID: firstHeader(resp.Header, "X-Amzn-Requestid", "X-Amz-Request-Id"),
			ResponseError: &smithyhttp.ResponseError{
				Response: resp,
				Err:      apiError(resp.Header, body),
			},
		}
	}
	out.Result = body
	return out, md, nil
}

func firstHeader(h http.Header, names ...string) string {
	for _, n := range names {
		if v := h.Get(n); v != "" {
			return v
		}
	}
	return ""
}

// apiError reads the code and message of a refusal. JSON protocols have the
// code in a header or in the body's __type or code, with or without a
// namespace; XML ones in an element Code beside Message, nested differently by
// query, ec2Query and restXml.
func apiError(h http.Header, body []byte) *smithy.GenericAPIError {
	e := &smithy.GenericAPIError{Code: bareCode(h.Get("X-Amzn-Errortype"))}
	trimmed := bytes.TrimSpace(body)
	if bytes.HasPrefix(trimmed, []byte("<")) {
		var n Node
		if xml.Unmarshal(trimmed, &n) == nil {
			if holder := n.Holder("Code"); holder != nil {
				if e.Code == "" {
					e.Code = bareCode(holder.Content("Code"))
				}
				e.Message = holder.Content("Message")
			}
		}
	} else if strings.HasPrefix(h.Get("Content-Type"), "application/cbor") {
		if b, err := FromCBOR(body); err == nil && e.Code == "" {
			code, _ := b["__type"].(string)
			e.Code = bareCode(code)
			e.Message, _ = b["message"].(string)
		}
	} else {
		// Keys match whatever their case: "message" and "Message" are both used.
		var b struct {
			Type    string `json:"__type"`
			Code    any    `json:"code"` // a number in some
			Message string `json:"message"`
		}
		if json.Unmarshal(trimmed, &b) == nil {
			code, _ := b.Code.(string)
			for _, v := range []string{code, b.Type} {
				if e.Code == "" {
					e.Code = bareCode(v)
				}
			}
			e.Message = b.Message
		}
	}
	if e.Code == "" {
		e.Code = UnknownCode
	}
	return e
}

// Node is an XML element read without a schema.
type Node struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
	Nodes   []Node `xml:",any"`
}

// Holder is the first element, outermost first, that has a child of the name.
func (n *Node) Holder(name string) *Node {
	for level := []*Node{n}; len(level) > 0; {
		var deeper []*Node
		for _, m := range level {
			for i := range m.Nodes {
				if m.Nodes[i].XMLName.Local == name {
					return m
				}
				deeper = append(deeper, &m.Nodes[i])
			}
		}
		level = deeper
	}
	return nil
}

// Content is the text of the child of the name.
func (n *Node) Content(name string) string {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return strings.TrimSpace(n.Nodes[i].Text)
		}
	}
	return ""
}

// Child is the child of the name, or an empty element.
func (n *Node) Child(name string) *Node {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return &n.Nodes[i]
		}
	}
	return &Node{}
}
