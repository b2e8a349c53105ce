package generate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/models"
)

// service is a small model; ops are operations with their paths, and shapes as
// botocore writes them.
func service(t *testing.T, name, metadata, ops, shapes string) *models.Service {
	t.Helper()
	s := &models.Service{Name: name, Partitions: partitions(), Rules: json.RawMessage(rulesOf(endpointRule("https://svc.{Region}.{P#dnsSuffix}", withPartition)))}
	if err := json.Unmarshal([]byte(`{"metadata": {"serviceId": "A Service", "signingName": "svc", `+metadata+`}, "operations": {`+ops+`}, "shapes": {
		"Text": {"type": "string"}, "Number": {"type": "integer"}, "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
		"Texts": {"type": "list", "member": {"shape": "Text"}},
		"Pair": {"type": "structure", "members": {"Key": {"shape": "Text"}, "Value": {"shape": "Text"}}},
		"Pairs": {"type": "list", "member": {"shape": "Pair"}},
		"Named": {"type": "list", "member": {"shape": "Pair", "locationName": "Tag"}},
		"Flat": {"type": "list", "flattened": true, "member": {"shape": "Pair", "locationName": "Tag"}},
		`+shapes+`}}`), s); err != nil {
		t.Fatal(err)
	}
	for name, op := range s.Operations {
		op.Name = name
	}
	return s
}

const (
	twoOps  = `"TagResource": {"http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "W"}}, "ListTagsForResource": {"http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "R"}, "output": {"shape": "O"}}`
	restOps = `"TagResource": {"http": {"method": "POST", "requestUri": "/tags/{resourceArn}"}, "input": {"shape": "W"}}, "ListTagsForResource": {"http": {"method": "GET", "requestUri": "/tags/{resourceArn}/"}, "input": {"shape": "R"}, "output": {"shape": "O"}}`
	awsJSON = `"protocol": "json", "jsonVersion": "1.1", "targetPrefix": "Target"`
	oneArn  = `"R": {"type": "structure", "required": ["ResourceArn"], "members": {"ResourceArn": {"shape": "Text"}}}`
	mapOut  = `"O": {"type": "structure", "members": {"Tags": {"shape": "Map"}}}`
)

func TestTagCalls(t *testing.T) {
	t.Parallel()
	iam := &models.IAMService{Prefix: "svc", Actions: map[string]*models.IAMAction{
		"tagresource": {Name: "TagResource"}, "listtagsforresource": {Name: "ListTagsForResource"},
	}}
	const actions = "svc:TagResource svc:ListTagsForResource"
	for name, c := range map[string]struct {
		client, metadata, ops, shapes string
		lines                         []string // of the block
		why                           string   // where it isn't regular
	}{
		"json": {
			metadata: awsJSON, ops: twoOps,
			shapes: `"W": {"type": "structure", "required": ["ResourceArn", "Tags"], "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Pairs"}, "Note": {"shape": "Text"}}},
				"R": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "NextToken": {"shape": "Text"}, "MaxResults": {"shape": "Number"}}},
				"O": {"type": "structure", "members": {"TagList": {"shape": "Pairs"}, "NextToken": {"shape": "Text"}}}`,
			lines: []string{
				"protocol: json-1.1 Target", "write: TagResource ResourceArn={arn} Tags=[Key,Value]",
				"read: ListTagsForResource ResourceArn={arn} NextToken={next} -> TagList=[Key,Value] NextToken={next}",
			},
		},
		"the namespace of a target": {
			metadata: `"protocol": "json", "jsonVersion": "1.0", "targetPrefix": "com.amazonaws.svc.v1.Target"`,
			ops:      twoOps, shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Map"}}},` + oneArn + "," + mapOut,
			lines: []string{"protocol: json-1.0 Target"},
		},
		"rest": {
			metadata: `"protocol": "rest-json"`, ops: restOps,
			shapes: `"W": {"type": "structure", "required": ["resourceArn", "tags"], "members": {"resourceArn": {"shape": "Text", "location": "uri", "locationName": "resourceArn"}, "tags": {"shape": "Map", "locationName": "theTags"}}},
				"R": {"type": "structure", "members": {"resourceArn": {"shape": "Text", "location": "uri", "locationName": "resourceArn"}, "nextToken": {"shape": "Text", "location": "querystring", "locationName": "token"}}},
				"O": {"type": "structure", "members": {"tags": {"shape": "Map"}, "nextToken": {"shape": "Text"}}}`,
			lines: []string{
				"protocol: rest-json", "write: TagResource POST /tags/{arn} theTags={map}",
				"read: ListTagsForResource GET /tags/{arn}?token={next} -> tags={map} nextToken={next}",
			},
		},
		"a greedy path, and a payload": {
			metadata: `"protocol": "rest-json"`, ops: strings.ReplaceAll(restOps, "{resourceArn}", "{resourceArn+}"),
			shapes: `"W": {"type": "structure", "payload": "TagsModel", "required": ["resourceArn", "TagsModel"], "members": {"resourceArn": {"shape": "Text", "location": "uri", "locationName": "resourceArn"}, "TagsModel": {"shape": "Model"}}},
				"Model": {"type": "structure", "members": {"tags": {"shape": "Map"}}},
				"R": {"type": "structure", "members": {"resourceArn": {"shape": "Text", "location": "uri", "locationName": "resourceArn"}}},
				"O": {"type": "structure", "payload": "TagsModel", "members": {"TagsModel": {"shape": "Model"}}}`,
			lines: []string{"write: TagResource POST /tags/{arn+} tags={map}", "read: ListTagsForResource GET /tags/{arn+} -> tags={map}"},
		},
		"query with a named list": {
			metadata: `"protocol": "query", "apiVersion": "2020-01-01"`, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Named"}}},` + oneArn + `,"O": {"type": "structure", "members": {"Tags": {"shape": "Named"}}}`,
			lines:  []string{"protocol: query 2020-01-01", "write: TagResource ResourceArn={arn} Tags.Tag=[Key,Value]", "read: ListTagsForResource ResourceArn={arn} -> Tags=[Key,Value]"},
		},
		"query with members": {
			metadata: `"protocol": "query", "apiVersion": "2020-01-01"`, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Pairs"}}},` + oneArn + `,"O": {"type": "structure", "members": {"Tags": {"shape": "Pairs"}}}`,
			lines:  []string{"write: TagResource ResourceArn={arn} Tags.member=[Key,Value]"},
		},
		"query with a flat list": {
			metadata: `"protocol": "query", "apiVersion": "2020-01-01"`, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Flat"}}},` + oneArn + `,"O": {"type": "structure", "members": {"Tags": {"shape": "Flat"}}}`,
			lines:  []string{"write: TagResource ResourceArn={arn} Tag=[Key,Value]"},
		},
		"CBOR and JSON": {
			metadata: `"protocol": "smithy-rpc-v2-cbor", "protocols": ["smithy-rpc-v2-cbor", "json"], "jsonVersion": "1.1", "targetPrefix": "T"`, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Map"}}},` + oneArn + "," + mapOut,
			lines:  []string{"protocol: json-1.1 T"},
		},
		"CBOR alone": {
			metadata: `"protocol": "smithy-rpc-v2-cbor", "targetPrefix": "T"`, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Map"}}},` + oneArn + "," + mapOut,
			lines:  []string{"protocol: cbor T"},
		},
		"a list of one, tags further down": {
			metadata: awsJSON, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Map"}}},
				"R": {"type": "structure", "required": ["ResourceArns"], "members": {"ResourceArns": {"shape": "Texts"}}},
				"O": {"type": "structure", "members": {"Resources": {"shape": "Resources"}}}, "Resources": {"type": "list", "member": {"shape": "Resource"}},
				"Resource": {"type": "structure", "members": {"Arn": {"shape": "Text"}, "TagList": {"shape": "Pairs"}}}`,
			lines: []string{"read: ListTagsForResource ResourceArns=[{arn}] -> Resources.TagList=[Key,Value]"},
		},
		"an id that the documentation tells": {
			client: "organizations", metadata: awsJSON, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceId": {"shape": "Text"}, "Tags": {"shape": "Map"}}}, "R": {"type": "structure", "members": {"ResourceId": {"shape": "Text"}}},` + mapOut,
			lines:  []string{"write: TagResource ResourceId={id} Tags={map}"},
		},
		"an id that nothing tells": {
			metadata: awsJSON, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceId": {"shape": "Text"}, "Tags": {"shape": "Map"}}},` + oneArn + "," + mapOut,
			why:    "TagResource has no field with the resource's ARN, but ResourceId, Tags",
		},
		"a field more": {
			metadata: awsJSON, ops: twoOps,
			shapes: `"W": {"type": "structure", "required": ["Kind"], "members": {"ResourceArn": {"shape": "Text"}, "Kind": {"shape": "Text"}, "Tags": {"shape": "Map"}}},` + oneArn + "," + mapOut,
			why:    "TagResource needs Kind too",
		},
		"tags with more than two fields": {
			metadata: awsJSON, ops: twoOps,
			shapes: `"Odd": {"type": "list", "member": {"shape": "Three"}}, "Three": {"type": "structure", "members": {"Key": {"shape": "Text"}, "Value": {"shape": "Text"}, "Group": {"shape": "Text"}}},
				"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Odd"}}},` + oneArn + "," + mapOut,
			why: "TagResource has no tags",
		},
		"no read": {
			metadata: awsJSON, ops: `"TagResource": {"http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "W"}}`,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Map"}}}`,
			why:    "TagResource has no read beside it",
		},
		"a header": {
			metadata: `"protocol": "rest-json"`, ops: twoOps,
			shapes: `"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text", "location": "header", "locationName": "x-arn"}, "Tags": {"shape": "Map"}}},` + oneArn + "," + mapOut,
			why:    "has ResourceArn in the header",
		},
		"XML":                 {metadata: `"protocol": "rest-xml"`, ops: twoOps, shapes: oneArn, why: "the protocol rest-xml isn't provided for"},
		"in code":             {client: "sqs", metadata: awsJSON, ops: twoOps, shapes: oneArn, why: "irregular: a queue is named by its URL"},
		"replaces everything": {client: "inspector", metadata: awsJSON, ops: twoOps, shapes: oneArn, why: "irregular: SetTagsForResource replaces all tags"},
		"nothing":             {metadata: awsJSON, ops: "", shapes: oneArn, why: "no call is named like one"},
	} {
		client := c.client
		if client == "" {
			client = "svc"
		}
		got, permissions, ok, why := tagCalls(service(t, client, c.metadata, c.ops, c.shapes), iam)
		if !ok {
			if c.why == "" || !strings.Contains(why, c.why) {
				t.Errorf("%s: %s, want %s", name, why, c.why)
			}
			continue
		}
		var b strings.Builder
		got.Append(&b)
		lines := strings.Split(b.String(), "\n")
		for _, l := range c.lines {
			if !slices.Contains(lines, l) {
				t.Errorf("%s: no line %q in\n%s", name, l, &b)
			}
		}
		if c.why != "" || strings.Join(permissions, " ") != actions || why != "" {
			t.Errorf("%s: permissions %v, %q", name, permissions, why)
		}
	}
}

// TestTagActions: what IAM's reference lacks is said, and what it calls otherwise
// is known.
func TestTagActions(t *testing.T) {
	t.Parallel()
	s := &models.Service{Name: "svc"}
	s.Metadata.SigningName = "svc"
	iam := &models.IAMService{Prefix: "other", Actions: map[string]*models.IAMAction{"tagresource": {Name: "TagResource"}}}
	actions, why := tagActions(s, iam, "TagResource", "ListTags")
	if strings.Join(actions, " ") != "other:TagResource other:ListTags" || why != "IAM's reference doesn't know ListTags of other" {
		t.Errorf("%v, %q", actions, why)
	}
	s.Name = "apigatewayv2"
	if actions, why := tagActions(s, iam, "TagResource", "GetTags"); strings.Join(actions, " ") != "apigateway:POST apigateway:GET" || why != "" {
		t.Errorf("%v, %q", actions, why)
	}
}
