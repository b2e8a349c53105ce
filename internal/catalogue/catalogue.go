package catalogue

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed data
var files embed.FS

// Row says what one call creates.
type Row struct {
	Source    string // eventSource
	Event     string // eventName, without the version of a dated one
	Service   string // the service that has the call, as AWS's SDKs count and botocore names them
	Dated     bool   // the name may carry the API's version
	Resources []Resource
	// Untaggable is why what the call creates can't be tagged; Resources is
	// then empty.
	Untaggable string
	// Off is why the row isn't used unless the configuration turns it on; it
	// begins with its class: job, upsert, grant or weak.
	Off string
	// Arrives is the only region in which events of a global service arrive; ""
	// where each region has its own.
	Arrives string
	// Ended says that AWS has ended the service: the row is for old records, and
	// nothing is written.
	Ended    bool
	Evidence string
}

// Resource is one kind of resource that a call creates.
type Resource struct {
	Type        string   // CloudFormation type name, else service:resource
	Also        []string // types of the same ARNs that the record doesn't tell apart from Type
	ARN         Template
	From        []Locator
	When        []Condition
	Region      Path // empty: the event's
	API         string
	Permissions []string // IAM actions, those of the tag API included
	Tags        Path     // the create request's tags; empty: it takes none
	TagsFor     string   // EC2's resource type whose tag specification counts
	Upsert      bool
	// LookUp names the look-up in AWS that tells whether the call created the
	// resource or changed one; "" where the record tells.
	LookUp string
	// Calls are the service's own tag calls; nil where there are none.
	Calls *Calls
	// Limits are what the service takes of tags, through whichever API.
	Limits Limits
}

// APINone is the API of a resource that is reported but never written to.
const APINone = "none"

// APITagging is the Resource Groups Tagging API.
const APITagging = "tagging"

// Catalogue is a set of rows by source and event name. It is safe for
// concurrent use.
type Catalogue struct {
	files fs.FS

	mu      sync.RWMutex
	sources map[string]*source
}

// source is the parsed file of one event source; nil rows if it has none.
type source struct {
	rows map[string]*Row
	err  error
}

// Default returns the catalogue that is compiled in.
func Default() *Catalogue {
	data, _ := fs.Sub(files, "data") // fails for an invalid path only
	return New(data)
}

// New returns the catalogue of a folder of data files, each named for the
// event source it holds: rds.amazonaws.com is in rds.txt.
func New(files fs.FS) *Catalogue {
	return &Catalogue{files: files, sources: map[string]*source{}}
}

// Lookup returns the row of a call, nil if there is none. The version at the
// end of a dated name doesn't count. The error is a fault of the data.
func (c *Catalogue) Lookup(eventSource, eventName string) (*Row, error) {
	s := c.source(eventSource)
	if s.err != nil {
		return nil, s.err
	}
	if r := s.rows[eventName]; r != nil {
		return r, nil
	}
	if r := s.rows[Undated(eventName)]; r != nil && r.Dated {
		return r, nil
	}
	return nil, nil
}

// Resource returns a resource of a type as one of its source's rows has it, the first by
// the calls' names: how it is tagged is the same in all. It is nil if there is none.
func (c *Catalogue) Resource(eventSource, resourceType string) (*Resource, error) {
	s := c.source(eventSource)
	for _, event := range slices.Sorted(maps.Keys(s.rows)) {
		for i, r := range s.rows[event].Resources {
			if r.Type == resourceType {
				return &s.rows[event].Resources[i], s.err
			}
		}
	}
	return nil, s.err
}

func (c *Catalogue) source(name string) *source {
	c.mu.RLock()
	s := c.sources[name]
	c.mu.RUnlock()
	if s != nil {
		return s
	}
	s = c.load(name)
	if s.rows == nil && s.err == nil {
		return s // what isn't in the catalogue isn't remembered: names come from outside
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources[name] = s
	return s
}

func (c *Catalogue) load(eventSource string) *source {
	file, ok := strings.CutSuffix(eventSource, ".amazonaws.com")
	if !ok || !fs.ValidPath(file) {
		return &source{}
	}
	data, err := fs.ReadFile(c.files, file+".txt")
	if err != nil {
		return &source{}
	}
	rows, err := Parse(file+".txt", string(data))
	s := &source{rows: map[string]*Row{}, err: err}
	for _, r := range rows {
		if r.Source != eventSource {
			s.err = fmt.Errorf("reading the catalogue: %s.txt holds %s", file, r.Source)
		}
		s.rows[r.Event] = r
	}
	return s
}

// All returns every row, sorted by source and event.
func (c *Catalogue) All() ([]*Row, error) {
	names, err := fs.Glob(c.files, "*.txt")
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	var all []*Row
	for _, name := range names {
		s := c.source(strings.TrimSuffix(name, ".txt") + ".amazonaws.com")
		if s.err != nil {
			return nil, s.err
		}
		for _, r := range s.rows {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *Row) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Event, b.Event))
	})
	return all, nil
}

// Undated cuts the version of an API from the end of an event's name:
// CreateFunction20150331v2 and CreateDistribution2020_05_31 lose their dates.
// https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
func Undated(name string) string {
	s := name
	if i := strings.LastIndexByte(s, 'v'); i > 0 && digits(s[i+1:]) && len(s)-i <= 3 {
		s = s[:i]
	}
	if n := len(s) - 8; n > 0 && digits(s[n:]) {
		return s[:n]
	}
	if n := len(s) - 10; n > 0 && s[n+4] == '_' && s[n+7] == '_' && digits(s[n:n+4]) && digits(s[n+5:n+7]) && digits(s[n+8:]) {
		return s[:n]
	}
	return name
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Recorded reports whether the shape of the call's events was seen in records,
// rather than taken from AWS's models only.
func (r *Row) Recorded() bool { return strings.HasSuffix(r.Evidence, "recorded shape") }
