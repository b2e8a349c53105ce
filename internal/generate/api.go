package generate

import (
	"testing/fstest"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
)

// Result is what is generated.
type Result struct {
	// Data are the catalogue's data files by name.
	Data     map[string]string
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
	if r.Coverage, err = g.coverage(r.Rows); err != nil {
		return nil, err
	}
	return r, nil
}
