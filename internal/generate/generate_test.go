package generate

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// world is a small AWS: one service with IAM's and CloudFormation's view of it.
func world(t *testing.T, ops, shapes, actions, types string, cfn ...*models.Type) *generator {
	t.Helper()
	s := service(t, "svc", awsJSON+`, "endpointPrefix": "svc", "uid": "svc-2020-01-01"`, twoOps+`,`+ops,
		`"W": {"type": "structure", "members": {"ResourceArn": {"shape": "Text"}, "Tags": {"shape": "Pairs"}}}, `+oneArn+`, `+mapOut+`, `+shapes)
	iam := &models.IAMService{Prefix: "svc", Actions: map[string]*models.IAMAction{}, Types: map[string]*models.IAMType{}}
	for text, into := range map[string]any{"{" + actions + "}": &iam.Actions, "{" + types + "}": &iam.Types} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range []string{"TagResource", "ListTagsForResource"} {
		iam.Actions[strings.ToLower(op)] = &models.IAMAction{Name: op}
	}
	aws := &models.AWS{Services: []*models.Service{s}, IAM: map[string]*models.IAMService{"svc": iam}, Types: map[string]*models.Type{}}
	for _, c := range cfn {
		aws.Types[c.Name] = c
	}
	g, err := newGenerator(aws)
	if err != nil {
		t.Fatal(err)
	}
	g.makeRows()
	return g
}

const clusterType = `"cluster": {"key": "cluster", "arn": "arn:${Partition}:svc:${Region}:${Account}:cluster/${ClusterName}", "conditionKeys": ["aws:ResourceTag/${TagKey}"]}`

// in and out are a call with an input and an output.
func operation(name string) string {
	return fmt.Sprintf(`%q: {"http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "%[2]sIn"}, "output": {"shape": "%[2]sOut"}}`, name, name)
}

// TestRows: what a call's model, IAM and CloudFormation say becomes a row.
func TestRows(t *testing.T) {
	t.Parallel()
	taggable := &models.Type{Name: "AWS::Svc::Cluster", ARN: "arn:${Partition}:svc:${Region}:${Account}:cluster/${ClusterName}"}
	if err := json.Unmarshal([]byte(`{"tagInformation": {"tagPropertyName": "Tags"}, "primaryIdentifier": ["ClusterName"]}`), taggable); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call, in, out string
		types         string
		want          []string // lines that the row has
		not           string   // and a text that it hasn't
	}{
		"ARN in the response, below the thing": {
			"CreateCluster", `"ClusterName": {"shape": "Text"}, "RoleArn": {"shape": "Text"}, "Tags": {"shape": "Pairs"}`,
			`"Cluster": {"shape": "Cluster"}`, "",
			[]string{"type: AWS::Svc::Cluster", "arn: arn:{partition}:svc:{region}:{account}:cluster/{id}", "from: response.cluster.clusterArn", "tags: request.tags"},
			"roleArn",
		},
		"a name in the request alone": {
			"CreateCluster", `"ClusterName": {"shape": "Text"}, "Tags": {"shape": "Pairs"}`, `"OperationId": {"shape": "Text"}`, "",
			[]string{"from: request.clusterName"}, "operationId",
		},
		"a part of a cluster is no cluster": {
			"CreateClusterSnapshot", `"ClusterName": {"shape": "Text"}`, `"SnapshotId": {"shape": "Text"}`, "",
			[]string{"untaggable: "}, "AWS::Svc::Cluster",
		},
		"a kind of cluster is one": {
			"CreateClusterServerless", `"Size": {"shape": "Number"}, "Tags": {"shape": "Pairs"}`, `"ClusterArn": {"shape": "Text"}`, "",
			[]string{"type: AWS::Svc::Cluster", "from: response.clusterArn"}, "untaggable",
		},
		"restored from something": {
			"RestoreClusterFromBackup", `"BackupId": {"shape": "Text"}, "ClusterName": {"shape": "Text"}`, `"ClusterArn": {"shape": "Text"}`, "",
			[]string{"type: AWS::Svc::Cluster", "from: response.clusterArn", "upsert: yes"}, "off:",
		},
		"nobody knows tags": {
			"CreateNote", `"NoteName": {"shape": "Text"}`, `"NoteArn": {"shape": "Text"}`, "",
			[]string{"untaggable: neither the call nor its type knows tags"}, "from:",
		},
		"no reference has its form": {
			"CreateGadget", `"GadgetName": {"shape": "Text"}, "Tags": {"shape": "Pairs"}`, `"GadgetArn": {"shape": "Text"}, "RoleArn": {"shape": "Text"}`, "",
			[]string{"type: svc:gadget", "arn: arn:{partition}:svc:{region}:{account}:{id}", "from: response.gadgetArn"}, "off:",
		},
		"nothing names it": {
			"CreateGadget", `"Tags": {"shape": "Pairs"}`, `"RequestId": {"shape": "Text"}`, "",
			[]string{"off: weak: "}, "from:",
		},
		"an upsert": {
			"PutCluster", `"ClusterName": {"shape": "Text"}, "Tags": {"shape": "Pairs"}`, `"ClusterArn": {"shape": "Text"}`, "",
			[]string{"off: upsert: ", "upsert: yes"}, "weak",
		},
		"a job": {
			"StartCluster", `"ClusterName": {"shape": "Text"}, "Tags": {"shape": "Pairs"}`, `"ClusterArn": {"shape": "Text"}`, "",
			[]string{"off: job: "}, "weak",
		},
		"a parent in the template": {
			"CreateNode", `"ClusterName": {"shape": "Text"}, "Tags": {"shape": "Pairs"}`, `"NodeId": {"shape": "Text"}`,
			`, "node": {"key": "node", "arn": "arn:${Partition}:svc:${Region}:${Account}:cluster/${ClusterName}/node/${NodeId}", "conditionKeys": ["aws:ResourceTag/${TagKey}"]}`,
			[]string{"type: svc:node", "from: clusterName=request.clusterName id=response.nodeId"}, "off:",
		},
	} {
		g := world(t, operation(c.call),
			`"Cluster": {"type": "structure", "members": {"ClusterArn": {"shape": "Text"}, "RoleArn": {"shape": "Text"}, "ParentClusterArn": {"shape": "Text"}}},
			"`+c.call+`In": {"type": "structure", "required": ["ClusterName"], "members": {`+c.in+`}},
			"`+c.call+`Out": {"type": "structure", "members": {`+c.out+`}}`,
			`"`+strings.ToLower(c.call)+`": {"name": "`+c.call+`", "accessLevel": "Write"}`, clusterType+c.types, taggable)
		made := g.rows["svc.amazonaws.com"][c.call]
		if len(made) != 1 {
			t.Errorf("%s: %d rows", name, len(made))
			continue
		}
		text := made[0].stanza.String()
		for _, line := range c.want {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", name, line, text)
			}
		}
		if strings.Contains(text, c.not) {
			t.Errorf("%s: %q is in\n%s", name, c.not, text)
		}
		if _, err := catalogue.Parse(name, "source: svc.amazonaws.com\n\nclient: svc\nid: S\nprotocol: json-1.1 T\nwrite: TagResource ResourceArn={arn} Tags={map}\nread: ListTags ResourceArn={arn} -> Tags={map}\n\n"+text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// TestSimilarity: a name that begins with another is a part of that, one that
// ends with it a kind of it.
func TestSimilarity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		noun, name  string
		least, most int
	}{
		{"DBInstance", "db-instance", 100, 100},
		{"Policies", "policy", 100, 100},
		{"FirewallRuleGroup", "RuleGroup", 60, 99},
		{"ClusterSnapshot", "cluster", parentLike, parentLike},
		{"Route", "route-table", 0, 59},
		{"Bucket", "queue", 0, 0},
		{"", "queue", 0, 0},
	} {
		if got := similarity(c.noun, c.name); got < c.least || got > c.most {
			t.Errorf("%s and %s: %d, want %d to %d", c.noun, c.name, got, c.least, c.most)
		}
	}
}

// TestNouns: what a call makes can be read from its name in several ways.
func TestNouns(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"CreateCluster":              "Cluster",
		"RestoreTableFromBackup":     "TableFromBackup Table",
		"CreateDefaultVpc":           "DefaultVpc Vpc",
		"AssociateFirewallRuleGroup": "FirewallRuleGroupAssociation GroupAssociation FirewallRuleGroup",
		"EnableControl":              "EnabledControl Control",
		"CreateTopicV2":              "TopicV2 Topic",
	} {
		v, noun := verb(call)
		if got := strings.Join(nouns(v, noun), " "); got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
	for _, call := range []string{"Createable", "DeleteCluster", "Create", "TagResource", "Putty"} {
		if v, _ := verb(call); v != "" {
			t.Errorf("%s has the verb %s", call, v)
		}
	}
}

// TestOverrides: each kind does what it says, and what isn't needed is refused.
func TestOverrides(t *testing.T) {
	t.Parallel()
	base := "event: CreateThing\noff: weak: unsure\ntype: x:thing\narn: arn:{partition}:x:{region}:{account}:thing/{id}\nfrom: response.id\nevidence: models\n"
	for name, c := range map[string]struct{ override, want, fault string }{
		"locate":              {"locate: CreateThing\nbecause: p\nfrom: request.name", "from: request.name", ""},
		"locate settles":      {"locate: CreateThing\nbecause: p\nfrom: request.name", "event: CreateThing\ntype", ""},
		"template":            {"template: CreateThing\nbecause: p\ntype: x:other", "type: x:other", ""},
		"switch":              {"switch: CreateThing\nbecause: p\noff: no", "event: CreateThing\ntype", ""},
		"replace":             {"replace: CreateThing\nbecause: p\nuntaggable: never\nevidence: p", "untaggable: never", ""},
		"ignore":              {"ignore: CreateThing\nbecause: p", "", ""},
		"add":                 {"add: CreateMore\nbecause: p\nuntaggable: never\nevidence: p", "off: weak", ""},
		"no reason":           {"ignore: CreateThing", "", "because"},
		"add what is there":   {"add: CreateThing\nbecause: p\nuntaggable: never\nevidence: p", "", "the models give a row for it now"},
		"change what is gone": {"switch: CreateGone\nbecause: p\noff: no", "", "no row for it any more"},
		"says the same":       {"switch: CreateThing\nbecause: p\noff: weak: unsure", "", "says the same"},
		"replace by the same": {"replace" + strings.TrimPrefix(base, "event") + "because: p", "", "says the same"},
		"a field of another":  {"locate: CreateThing\nbecause: p\ntype: x:other", "", "doesn't change type"},
		"no such kind":        {"mend: CreateThing\nbecause: p", "", "no such kind"},
	} {
		rows := map[string]*stanza{}
		for text, into := range map[string]func(*stanza){base: func(s *stanza) { rows["CreateThing"] = s }} {
			all, err := readStanzas("base", text)
			if err != nil {
				t.Fatal(err)
			}
			into(all[0])
		}
		all, err := readStanzas("x.txt", c.override)
		if err != nil {
			t.Fatal(err)
		}
		o := &override{file: "x.txt", head: &stanza{}, all: all}
		err = o.apply(rows)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), "x.txt:1") {
				t.Errorf("%s: %v, want %q", name, err, c.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := ""
		if s := rows["CreateThing"]; s != nil {
			got = s.String()
		}
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q isn't in\n%s", name, c.want, got)
		}
	}
}

// TestChanges: rows that come, go or differ are named; the order of files and
// blank lines doesn't matter.
func TestChanges(t *testing.T) {
	t.Parallel()
	old := map[string]string{"a.txt": "source: a\n\nevent: CreateX\ntype: x\n\n\nevent: CreateY\ntype: y\n", "gone.txt": "source: gone\n\nevent: CreateZ\ntype: z\n"}
	made := map[string]string{"a.txt": "source: a\n\nevent: CreateX\ntype: x\n\nevent: CreateY\ntype: other\n\nevent: CreateNew\ntype: n\n"}
	var got []string
	for _, c := range Changes(old, made) {
		got = append(got, fmt.Sprintf("%s %t %t", c.Row, c.Old != "", c.New != ""))
	}
	if want := "a.txt CreateNew false true; a.txt CreateY true true; gone.txt true false; gone.txt CreateZ true false"; strings.Join(got, "; ") != want {
		t.Errorf("%s", strings.Join(got, "; "))
	}
}

// TestFacts: facts by hand that are about nothing are named.
func TestFacts(t *testing.T) {
	t.Parallel()
	g := world(t, operation("CreateCluster"), `"CreateClusterIn": {"type": "structure"}, "CreateClusterOut": {"type": "structure"}`, ``, clusterType)
	g.sources = map[string][]string{"svc": {"svc.amazonaws.com"}, "vanished": {"v.amazonaws.com"}}
	g.recorded = map[string]bool{"svc.amazonaws.com CreateGone": true}
	err := g.checkFacts(nil)
	for _, want := range []string{"sources.txt names vanished", "recorded.txt names svc.amazonaws.com CreateGone"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
