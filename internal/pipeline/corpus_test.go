package pipeline_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"autotagger/internal/attribute"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/pipeline"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

var corpusDir = flag.String("corpus", "", "a folder of recorded events (events.jsonl, identities.jsonl) and what is expected of them (expect.tsv)")

var catalogueDir = flag.String("catalogue", "", "the catalogue's data files to score, where not those compiled in")

// expectation is one row of expect.tsv.
type expectation struct{ class, resources, creator, event, note string }

// TestCorpus scores the pure pipeline against recorded events: `make corpus`.
// A wrong ARN, a resource named where nothing was created, a wrong creator, or
// less than 98 % of the resources found, fails.
func TestCorpus(t *testing.T) {
	if *corpusDir == "" {
		t.Skip("no corpus: go test ./internal/pipeline -run Corpus -v -corpus DIR")
	}
	expected := readExpectations(t, filepath.Join(*corpusDir, "expect.tsv"))
	p := &pipeline.Pipeline{Planner: &plan.Planner{Catalogue: theCatalogue(), Policy: policy.Default()}}
	var tag, tagRight, negatives, skipped, wrong, creators, creatorsRight int
	for _, line := range readLines(t, filepath.Join(*corpusDir, "events.jsonl")) {
		var in struct {
			ID     string
			Record json.RawMessage
		}
		if err := json.Unmarshal(line, &in); err != nil {
			t.Fatal(err)
		}
		want := expected[in.ID]
		e, err := cloudtrail.Decode(string(in.Record))
		row := resultRow(p, e, err)
		switch want.class {
		case "tag", "maybe", "undetermined":
			right, bad := score(row, want)
			if bad != "" {
				wrong++
				t.Errorf("%s %s: wrong ARN %s, expected %s", in.ID, want.event, bad, want.resources)
			}
			if want.class != "tag" {
				break
			}
			tag++
			if right {
				tagRight++
			}
			if !right {
				t.Logf("%s %s: missed %s: %s %s", in.ID, want.event, want.resources, row.Reason, row.Detail)
			}
		default:
			negatives++
			if row.Decision == "skip" {
				skipped++
			} else {
				t.Errorf("%s %s (%s): tagged %v", in.ID, want.event, want.class, row.Resources)
			}
		}
		if want.class == "malformed" {
			continue
		}
		creators++
		if creatorRight(e, want.creator) {
			creatorsRight++
		} else {
			t.Errorf("%s: creator %q (%s), expected %q", in.ID, row.Creator.Name, row.Creator.Kind, want.creator)
		}
	}
	identities, identitiesRight := 0, 0
	for _, line := range readLines(t, filepath.Join(*corpusDir, "identities.jsonl")) {
		var in struct {
			ID, Creator  string
			UserIdentity json.RawMessage
		}
		if err := json.Unmarshal(line, &in); err != nil {
			t.Fatal(err)
		}
		e, err := cloudtrail.Decode(`{"eventSource":"s3.amazonaws.com","eventName":"CreateBucket","userIdentity":` + string(in.UserIdentity) + `}`)
		if err != nil {
			t.Fatal(err)
		}
		identities++
		if creatorRight(e, in.Creator) {
			identitiesRight++
		} else {
			t.Errorf("%s: creator %q, expected %q", in.ID, attribute.Of(e.Identity).Name, in.Creator)
		}
	}
	t.Logf("tag rows: %d of %d right; wrong ARNs: %d", tagRight, tag, wrong)
	if tagRight*100 < tag*98 {
		t.Errorf("%d of %d resources found: less than 98 %%", tagRight, tag)
	}
	t.Logf("rows that must not be tagged: %d of %d skipped", skipped, negatives)
	t.Logf("creators: %d of %d right; identities: %d of %d", creatorsRight, creators, identitiesRight, identities)
}

func resultRow(p *pipeline.Pipeline, e *cloudtrail.Event, err error) pipeline.Row {
	r := p.Plan([]cloudtrail.Record{{N: 1, Event: e, Err: err}})[0]
	return r.Row()
}

// score says whether all expected resources are there, and names one that is
// there without being expected.
func score(row pipeline.Row, want expectation) (right bool, wrong string) {
	_, also, _ := strings.Cut(want.note, "also:")
	allowed := also
	right = true
	for forms := range strings.SplitSeq(want.resources, ",") {
		allowed += "|" + forms
		right = right && slices.ContainsFunc(row.Resources, func(r pipeline.ResourceRow) bool { return matches(forms, r.ARN) })
	}
	if want.class == "maybe" && (want.resources == "?" || want.resources == "-") {
		return false, ""
	}
	for _, r := range row.Resources {
		if !matches(strings.NewReplacer(",", "|", " ", "|").Replace(allowed), r.ARN) {
			return false, r.ARN
		}
	}
	return right, ""
}

func matches(forms, arn string) bool {
	for form := range strings.SplitSeq(forms, "|") {
		if form == arn || form != "" && !strings.HasPrefix(form, "arn:") && strings.HasSuffix(arn, "/"+form) {
			return true
		}
	}
	return false
}

// creatorRight compares names. For a session that isn't a person's the role's
// name is right, or the service's that acted, whatever the corpus says.
func creatorRight(e *cloudtrail.Event, want string) bool {
	var id cloudtrail.Identity
	if e != nil {
		id = e.Identity
	}
	c := attribute.Of(id)
	for form := range strings.SplitSeq(want, "|") {
		if c.Name == form || form == "?" && c.Name == attribute.Unknown {
			return true
		}
	}
	session := id.ARN[strings.LastIndexByte(id.ARN, '/')+1:]
	machine := strings.ContainsAny(session, "0123456789") || session == "AWSCloudFormation" || id.InScopeOf || id.EC2RoleDelivery != ""
	linked := strings.HasPrefix(c.Role, "AWSServiceRoleFor")
	return machine && c.Role != "" && c.Name == c.Role || linked && strings.HasSuffix(c.Name, ".amazonaws.com")
}

func readExpectations(t *testing.T, name string) map[string]expectation {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]expectation{}
	for _, row := range rows[1:] {
		row = append(row, "")
		all[row[0]] = expectation{row[1], row[2], row[3], row[4], row[5]}
	}
	return all
}

func readLines(t *testing.T, name string) [][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines [][]byte
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		lines = append(lines, []byte(s.Text()))
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return lines
}
