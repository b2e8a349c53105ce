package models

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Service is a service's model in botocore (service-2.json).
type Service struct {
	Name       string `json:"-"` // of its folder: memorydb
	Version    string `json:"-"` // of the API, as the folder has it
	Metadata   Metadata
	Operations map[string]*Operation
	Shapes     map[string]*Shape
	Rules      json.RawMessage `json:"-"` // endpoint-rule-set-1.json
	// Examples are calls with what they answer, by operation: examples-1.json.
	Examples map[string][]Example `json:"-"`
	// Ended says that AWS has ended the service: only an older model has it.
	Ended      bool        `json:"-"`
	Partitions []Partition `json:"-"` // partitions.json, which the rules refer to
}

// Partition is a part of AWS with accounts and names of its own.
type Partition struct {
	ID          string
	RegionRegex string
	Regions     map[string]json.RawMessage // by name; aws-global and its like are no regions
	// Outputs are what the endpoint rules see of it: dnsSuffix, dualStackDnsSuffix, …
	Outputs map[string]any
}

// Example is a call of AWS's documentation, with parameters as the SDKs name them.
type Example struct{ Input, Output map[string]any }

// Metadata is what a model says of the service as a whole.
type Metadata struct {
	APIVersion, EndpointPrefix, SigningName, Protocol, ServiceID, TargetPrefix, JSONVersion, GlobalEndpoint, ServiceFullName, UID string
	// Protocols are all that the service speaks; Protocol is the one that
	// botocore prefers.
	Protocols []string
}

// Signing returns the name that requests are signed for.
func (m Metadata) Signing() string {
	if m.SigningName != "" {
		return m.SigningName
	}
	return m.EndpointPrefix
}

// Operation is one call.
type Operation struct {
	Name string
	HTTP struct{ Method, RequestURI string }
	// Input and Output are nil where the call has none.
	Input, Output *Ref
	Errors        []Ref
	// Endpoint.HostPrefix stands before the service's host: "api.".
	Endpoint struct{ HostPrefix string }
	// StaticContextParams are parameters that the call gives to the endpoint's rules.
	StaticContextParams map[string]struct{ Value any }
}

// Ref is the use of a shape, with what holds at this place only.
type Ref struct {
	Shape         string
	LocationName  string
	Location      string // header, uri, querystring; "" in the body
	Documentation string
	// ContextParam.Name is the parameter of the endpoint's rules that gets the
	// member's value.
	ContextParam struct{ Name string }
}

// Shape is a type.
type Shape struct {
	Type          string // structure, list, map, string, integer, …
	Members       map[string]*Ref
	Required      []string
	Member        *Ref // of a list
	Key, Value    *Ref // of a map
	Payload       string
	Enum          []string
	Pattern       string
	Max           float64 // of a string's length, a list's or a number; 0: none
	LocationName  string
	Flattened     bool
	Documentation string
}

// Names returns the names of a structure's members, sorted.
func (s *Shape) Names() []string {
	return slices.Sorted(maps.Keys(s.Members))
}

// Shape returns what a use refers to, an empty structure for nil.
func (s *Service) Shape(r *Ref) *Shape {
	if r != nil && s.Shapes[r.Shape] != nil {
		return s.Shapes[r.Shape]
	}
	return &Shape{Type: "structure"}
}

// Names returns the names of the operations, sorted.
func (s *Service) Names() []string {
	return slices.Sorted(maps.Keys(s.Operations))
}

// protocols are those that models are known to have.
var protocols = []string{"json", "query", "ec2", "rest-json", "rest-xml", "smithy-rpc-v2-cbor"}

// shapeTypes are the types of shapes that are known.
var shapeTypes = []string{
	"structure", "list", "map", "string", "integer", "long", "float", "double", "boolean", "timestamp", "blob",
	"character", "short", "byte", "bigdecimal", "biginteger",
}

// check finds what a model doesn't say, or says in a way that isn't known.
func (s *Service) check() error {
	if s.Metadata.ServiceID == "" || s.Metadata.EndpointPrefix == "" || len(s.Operations) == 0 {
		return fmt.Errorf("the model lacks its serviceId, endpointPrefix or operations")
	}
	if !slices.Contains(protocols, s.Metadata.Protocol) {
		return fmt.Errorf("the protocol %q is not known; the known ones are %s", s.Metadata.Protocol, strings.Join(protocols, ", "))
	}
	for name, op := range s.Operations {
		op.Name = name
		for _, r := range []*Ref{op.Input, op.Output} {
			if r != nil && s.Shapes[r.Shape] == nil {
				return fmt.Errorf("%s refers to %s, which isn't there", name, r.Shape)
			}
		}
	}
	for name, sh := range s.Shapes {
		if !slices.Contains(shapeTypes, sh.Type) {
			return fmt.Errorf("%s is of the unknown type %q", name, sh.Type)
		}
	}
	return nil
}
