package generate

import (
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
	return r, nil
}

func bySource(rows []*catalogue.Row) map[string][]*catalogue.Row {
	by := map[string][]*catalogue.Row{}
	for _, r := range rows {
		by[r.Source] = append(by[r.Source], r)
	}
	return by
}
