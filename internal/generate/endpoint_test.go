package generate

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// partitions are two of AWS's, as partitions.json has them.
func partitions() []models.Partition {
	region := func(names ...string) map[string]json.RawMessage {
		all := map[string]json.RawMessage{}
		for _, n := range names {
			all[n] = nil
		}
		return all
	}
	return []models.Partition{
		{
			ID: "aws", RegionRegex: `^(us|eu)-\w+-\d+$`, Regions: region("us-east-1", "eu-west-1", "aws-global"),
			Outputs: map[string]any{"name": "aws", "dnsSuffix": "amazonaws.com", "dualStackDnsSuffix": "api.aws", "supportsFIPS": true, "implicitGlobalRegion": "us-east-1"},
		},
		{
			ID: "aws-cn", RegionRegex: `^cn-\w+-\d+$`, Regions: region("cn-north-1", "cn-northwest-1"),
			Outputs: map[string]any{"name": "aws-cn", "dnsSuffix": "amazonaws.com.cn", "dualStackDnsSuffix": "api.amazonwebservices.com.cn", "supportsFIPS": false},
		},
	}
}

// rulesOf are rules whose parameters are the usual ones and an ARN.
func rulesOf(rules string) string {
	return `{"parameters": {"Region": {}, "UseFIPS": {"default": false}, "UseDualStack": {"default": false}, "Endpoint": {}, "ResourceARN": {}, "Kind": {"default": "plain"}}, "rules": [` + rules + `]}`
}

func endpointRule(url string, conditions ...string) string {
	return `{"conditions": [` + strings.Join(conditions, ",") + `], "endpoint": {"url": "` + url + `"}, "type": "endpoint"}`
}

const withPartition = `{"fn": "aws.partition", "argv": [{"ref": "Region"}], "assign": "P"}`

// TestRules: each function and form of value that the models use.
func TestRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rules, want, fault string }{
		"a template":       {endpointRule("https://x.{Region}.{P#dnsSuffix}", withPartition), "https://x.eu-west-1.amazonaws.com", ""},
		"braces":           {endpointRule("https://{{x}}"), "https://{x}", ""},
		"a default":        {endpointRule("https://{Kind}"), "https://plain", ""},
		"the first holds":  {endpointRule("https://a", `{"fn": "isSet", "argv": [{"ref": "Endpoint"}]}`) + "," + endpointRule("https://b"), "https://b", ""},
		"not":              {endpointRule("https://a", `{"fn": "not", "argv": [{"fn": "isSet", "argv": [{"ref": "Endpoint"}]}]}`), "https://a", ""},
		"booleanEquals":    {endpointRule("https://a", `{"fn": "booleanEquals", "argv": [{"ref": "UseFIPS"}, false]}`), "https://a", ""},
		"stringEquals":     {endpointRule("https://a", withPartition, `{"fn": "stringEquals", "argv": [{"fn": "getAttr", "argv": [{"ref": "P"}, "name"]}, "aws"]}`), "https://a", ""},
		"parseArn":         {endpointRule("https://{A#accountId}.{A#resourceId[1]}", `{"fn": "aws.parseArn", "argv": [{"ref": "ResourceARN"}], "assign": "A"}`), "https://111122223333.name", ""},
		"substring":        {endpointRule("https://{S}", `{"fn": "substring", "argv": [{"ref": "Kind"}, 1, 3, false], "assign": "S"}`), "https://la", ""},
		"from the end":     {endpointRule("https://{S}", `{"fn": "substring", "argv": [{"ref": "Kind"}, 0, 2, true], "assign": "S"}`), "https://in", ""},
		"too short":        {endpointRule("https://{S}", `{"fn": "substring", "argv": [{"ref": "Kind"}, 0, 9, true], "assign": "S"}`) + "," + endpointRule("https://b"), "https://b", ""},
		"isValidHostLabel": {endpointRule("https://a", `{"fn": "isValidHostLabel", "argv": [{"ref": "Region"}, false]}`), "https://a", ""},
		"no label":         {endpointRule("https://a", `{"fn": "isValidHostLabel", "argv": ["a.b", false]}`) + "," + endpointRule("https://b", `{"fn": "isValidHostLabel", "argv": ["a.b", true]}`), "https://b", ""},
		"parseURL":         {endpointRule("{U#scheme}://{U#authority}{U#path}", `{"fn": "parseURL", "argv": ["https://h:1/p"], "assign": "U"}`), "https://h:1/p", ""},
		"a tree is final": {
			`{"conditions": [], "rules": [` + endpointRule("https://a", `{"fn": "isSet", "argv": [{"ref": "Endpoint"}]}`) + `], "type": "tree"},` + endpointRule("https://b"),
			"", "no rule of a tree",
		},
		"an error":            {`{"conditions": [], "error": "{Region} has none", "type": "error"}`, "", "eu-west-1 has none"},
		"none holds":          {endpointRule("https://a", `{"fn": "isSet", "argv": [{"ref": "Endpoint"}]}`), "", "no rule"},
		"an unknown function": {endpointRule("https://a", `{"fn": "aws.newThing", "argv": [{"ref": "Region"}]}`), "", `the unknown function "aws.newThing"`},
		"another arity":       {endpointRule("https://a", `{"fn": "isSet", "argv": []}`), "", "isSet with 0 arguments"},
		"an unknown type":     {`{"conditions": [], "type": "switch"}`, "", `the unknown type "switch"`},
		"an unknown value":    {endpointRule("https://a", `{"fn": "isSet", "argv": [["x"]]}`), "", "the unknown value"},
		"an unset name":       {endpointRule("https://{Endpoint}"), "", "names Endpoint, which has no value"},
	} {
		var rs ruleSet
		if err := json.Unmarshal([]byte(rulesOf(c.rules)), &rs); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := rs.resolve(map[string]any{
			"Region": "eu-west-1", "UseFIPS": false, "ResourceARN": "arn:aws:x:eu-west-1:111122223333:stream/name", "Stray": 1,
		}, partitions())
		if got.url != c.want || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %q, %v", name, got.url, err)
		}
		var no refused
		if isError := name == "an error"; errors.As(err, &no) != isError {
			t.Errorf("%s: %T", name, err)
		}
	}
}

// TestPartitionOf: a region that isn't listed yet belongs where its name fits.
func TestPartitionOf(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"eu-west-1": "aws", "eu-new-9": "aws", "cn-east-1": "aws-cn", "moon-1": "aws"} {
		got, err := partitionOf(partitions(), region)
		if err != nil || got.(map[string]any)["name"] != want {
			t.Errorf("%s: %v, %v", region, got, err)
		}
	}
}

// TestEndpoints: what deviates from the usual is written, and nothing else; read
// back, it gives what the rules gave.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	in := func(partition string) string {
		return `{"fn": "stringEquals", "argv": [{"fn": "getAttr", "argv": [{"ref": "P"}, "name"]}, "` + partition + `"]}`
	}
	signed := func(url, scheme string, conditions ...string) string {
		return `{"conditions": [` + strings.Join(conditions, ",") + `], "endpoint": {"url": "` + url + `", "properties": {"authSchemes": [` + scheme + `]}}, "type": "endpoint"}`
	}
	for name, c := range map[string]struct {
		rules  string
		prefix string
		want   []string
		fault  string
	}{
		"the usual":      {rules: endpointRule("https://svc.{Region}.{P#dnsSuffix}", withPartition)},
		"another host":   {rules: endpointRule("https://other-svc.{Region}.{P#dnsSuffix}", withPartition), want: []string{"other-svc.{region}.{suffix}"}},
		"dual":           {rules: endpointRule("https://svc.{Region}.{P#dualStackDnsSuffix}", withPartition), want: []string{"svc.{region}.{dual-suffix}"}},
		"a fixed domain": {rules: endpointRule("https://svc.{Region}.api.aws"), want: []string{"svc.{region}.api.aws"}},
		"a host prefix":  {rules: endpointRule("https://svc.{Region}.{P#dnsSuffix}", withPartition), prefix: "api.", want: []string{"api.svc.{region}.{suffix}"}},
		"an account's":   {rules: endpointRule("https://{A#accountId}.svc.{Region}.{P#dnsSuffix}", withPartition, `{"fn": "aws.parseArn", "argv": [{"ref": "ResourceARN"}], "assign": "A"}`), want: []string{"{account}.svc.{region}.{suffix}"}},
		"global in one": {
			rules: signed("https://svc.amazonaws.com", `{"name": "sigv4", "signingRegion": "us-east-1"}`, withPartition, in("aws")) + "," + endpointRule("https://svc.{Region}.{P#dnsSuffix}", withPartition),
			want:  []string{"aws svc.{suffix} us-east-1"},
		},
		"one region's own": {
			rules: endpointRule("https://odd.cn-northwest-1.amazonaws.com.cn", `{"fn": "stringEquals", "argv": [{"ref": "Region"}, "cn-northwest-1"]}`) + "," + endpointRule("https://svc.{Region}.{P#dnsSuffix}", withPartition),
			want:  []string{"cn-northwest-1 odd.{region}.{suffix}"},
		},
		"not in China": {
			rules: `{"conditions": [` + withPartition + "," + in("aws-cn") + `], "error": "none", "type": "error"},` + endpointRule("https://svc.{Region}.{P#dnsSuffix}", withPartition),
		},
		"nowhere":        {rules: `{"conditions": [], "error": "none", "type": "error"}`, fault: "give no endpoint"},
		"a path":         {rules: endpointRule("https://svc.{Region}.amazonaws.com/v1"), fault: "only a host over https"},
		"another scheme": {rules: signed("https://svc.{Region}.amazonaws.com", `{"name": "sigv4a"}`), fault: "isn't signed with sigv4"},
		"two names": {
			rules: signed("https://a.{Region}.amazonaws.com", `{"name": "sigv4", "signingName": "other"}`, withPartition, in("aws")) + "," + endpointRule("https://svc.{Region}.{P#dnsSuffix}", withPartition),
			fault: "is signed for other and",
		},
	} {
		s := &models.Service{Name: "svc", Rules: json.RawMessage(rulesOf(c.rules)), Partitions: partitions(), Shapes: map[string]*models.Shape{
			"In": {Type: "structure", Members: map[string]*models.Ref{"R": {Shape: "Text", ContextParam: struct{ Name string }{"ResourceARN"}}}},
		}}
		s.Metadata.SigningName = "svc"
		op := &models.Operation{Name: "TagResource", Input: &models.Ref{Shape: "In"}}
		op.Endpoint.HostPrefix = c.prefix
		signing, all, err := endpoints(s, op)
		var got []string
		for _, e := range all {
			got = append(got, e.String())
		}
		if !slices.Equal(got, c.want) || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil {
			continue
		}
		// Read back: the same host and region in every region.
		var rs ruleSet
		if err := json.Unmarshal(s.Rules, &rs); err != nil {
			t.Fatal(err)
		}
		svc := catalogue.Service{Signing: signing, Endpoints: all}
		for _, p := range s.Partitions {
			for region := range p.Regions {
				e, err := rs.resolve(map[string]any{"Region": region, "ResourceARN": "arn:" + p.ID + ":svc:" + region + ":" + sampleAccount + ":x/y"}, s.Partitions)
				if err != nil || strings.HasSuffix(region, "-global") {
					continue
				}
				host, sign := svc.Endpoint(p.ID, region, sampleAccount)
				want := region
				if len(e.schemes) > 0 && e.schemes[0].SigningRegion != "" {
					want = e.schemes[0].SigningRegion
				}
				if "https://"+host != strings.Replace(e.url, "https://", "https://"+c.prefix, 1) || sign != want {
					t.Errorf("%s in %s: %s signed for %s, want %s for %s", name, region, host, sign, e.url, want)
				}
			}
		}
	}
}
