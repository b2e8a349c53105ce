package generate

import (
	"slices"
	"strings"
	"testing/fstest"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// Result is what is generated.
type Result struct {
	// Data are the catalogue's data files by name.
	Data map[string]string
	// Samples are made-up events of the rows: JSON Lines and what each must
	// yield, by names such as rds.jsonl and rds.golden.
	Samples  map[string]string
	Rows     []*catalogue.Row
	Coverage *Coverage
	// Examples is how many examples of AWS's documentation agree with their rows.
	Examples int
	// Report is docs/coverage.md.
	Report string
}

// Generate makes the catalogue. Its error names every override that is no longer
// needed or matches nothing, and every row that can't be read back.
func Generate(aws *models.AWS) (*Result, error) {
	g, err := newGenerator(aws)
	if err != nil {
		return nil, err
	}
	g.makeRows()
	r := &Result{}
	if r.Data, err = g.files(); err != nil {
		return nil, err
	}
	fsys := fstest.MapFS{}
	for name, text := range r.Data {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if r.Rows, err = catalogue.New(fsys).All(); err != nil {
		return nil, err
	}
	if err := g.checkFacts(r.Rows); err != nil {
		return nil, err
	}
	r.Samples = map[string]string{}
	for source, rows := range bySource(r.Rows) {
		events, golden, err := g.samples(source, rows)
		if err != nil {
			return nil, err
		}
		if events != "" {
			name := strings.TrimSuffix(source, ".amazonaws.com")
			r.Samples[name+".jsonl"], r.Samples[name+".golden"] = events, golden
		}
	}
	if r.Coverage, err = g.coverage(r.Rows); err != nil {
		return nil, err
	}
	if r.Examples, err = g.proveExamples(catalogue.New(fsys), r.Rows); err != nil {
		return nil, err
	}
	if r.Report, err = report(catalogue.New(fsys), r.Rows, r.Coverage, g.unplaced); err != nil {
		return nil, err
	}
	return r, nil
}

// Changes compares data files: what each event's row was and is, by file and
// event, in order. Rows that are the same are left out.
func Changes(old, made map[string]string) []Change {
	before, after := rowTexts(old), rowTexts(made)
	var all []Change
	for key := range before {
		if before[key] != after[key] {
			all = append(all, Change{key, before[key], after[key]})
		}
	}
	for key := range after {
		if _, was := before[key]; !was {
			all = append(all, Change{key, "", after[key]})
		}
	}
	slices.SortFunc(all, func(a, b Change) int { return strings.Compare(a.Row, b.Row) })
	return all
}

// Change is a row before and after; one of both is "" where it was added or
// removed. Row is its file and event; a file's head has no event.
type Change struct{ Row, Old, New string }

func rowTexts(files map[string]string) map[string]string {
	rows := map[string]string{}
	for name, text := range files {
		all, _ := readStanzas(name, text) // what was generated reads well; what wasn't shows as changed
		for _, s := range all {
			key := name
			if event := s.get("event"); event != "" {
				key += " " + event
			}
			rows[key] += s.String()
		}
	}
	return rows
}

func bySource(rows []*catalogue.Row) map[string][]*catalogue.Row {
	by := map[string][]*catalogue.Row{}
	for _, r := range rows {
		by[r.Source] = append(by[r.Source], r)
	}
	return by
}
