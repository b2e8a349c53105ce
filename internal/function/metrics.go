package function

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"autotagger/internal/awsapi"
	"autotagger/internal/deployment"
	"autotagger/internal/lookup"
)

// Namespace is the CloudWatch namespace of the metrics.
const Namespace = deployment.Metrics

// maxValues is how many values one metric may have in a line.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const maxValues = 100

// Metrics gathers counts and values and writes them in CloudWatch's embedded
// metric format. It is safe for concurrent use.
type Metrics struct {
	out      io.Writer
	function string
	now      func() time.Time

	mu   sync.Mutex
	sets map[string]*set // by the dimensions' text
}

// set is what is gathered under one set of dimensions.
type set struct {
	dimensions []Dimension
	metrics    map[string]*metric
}

type metric struct {
	unit   string
	count  float64
	values []float64 // of an observed metric
}

// Dimension is one dimension of a metric.
type Dimension struct{ Name, Value string }

// NewMetrics returns metrics that are written to out, each with the dimension
// Function.
func NewMetrics(out io.Writer, function string, now func() time.Time) *Metrics {
	return &Metrics{out: out, function: function, now: now, sets: map[string]*set{}}
}

// Count adds n to a metric of the unit Count.
func (m *Metrics) Count(name string, n float64, dimensions ...Dimension) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.metric(name, "Count", dimensions).count += n
}

// Observe adds a value to a metric whose distribution matters.
func (m *Metrics) Observe(name, unit string, value float64, dimensions ...Dimension) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mt := m.metric(name, unit, dimensions)
	mt.values = append(mt.values, value)
}

// Call counts a request that was sent to AWS.
func (m *Metrics) Call(c awsapi.Attempt) {
	kind := Dimension{"Kind", "read"}
	if c.Write {
		kind.Value = "write"
	}
	for _, d := range []Dimension{kind, {"API", c.Service + ":" + c.Operation}} {
		m.Count("Calls", 1, d)
		if c.Throttled {
			m.Count("Throttles", 1, d)
		}
	}
}

// LookUp counts a look-up.
func (m *Metrics) LookUp(of lookup.Kind, came lookup.Outcome) {
	m.Count("LookUps", 1, Dimension{"Result", string(came)})
	m.Count("LookUps", 1, Dimension{"Of", string(of)}, Dimension{"Result", string(came)})
}

func (m *Metrics) metric(name, unit string, dimensions []Dimension) *metric {
	key := ""
	for _, d := range dimensions {
		key += d.Name + "=" + d.Value + ";"
	}
	s := m.sets[key]
	if s == nil {
		s = &set{slices.Clone(dimensions), map[string]*metric{}}
		m.sets[key] = s
	}
	if s.metrics[name] == nil {
		s.metrics[name] = &metric{unit: unit}
	}
	return s.metrics[name]
}

// Flush writes what was gathered, a line for each set of dimensions, and
// begins anew.
func (m *Metrics) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]string, 0, len(m.sets))
	for key := range m.sets {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		for line := m.sets[key].line(m.function, m.now()); line != nil; line = m.sets[key].line(m.function, m.now()) {
			b, _ := json.Marshal(line) // maps of strings and numbers
			m.out.Write(append(b, '\n'))
		}
	}
	clear(m.sets)
}

// line takes as much out of the set as one line can hold; nil when there is
// nothing left.
func (s *set) line(function string, now time.Time) map[string]any {
	type definition struct {
		Name, Unit string
	}
	line := map[string]any{"Function": function}
	names := []string{"Function"}
	for _, d := range s.dimensions {
		line[d.Name] = clipDimension(d.Value)
		names = append(names, d.Name)
	}
	var definitions []definition
	for name, mt := range s.metrics {
		if n := min(len(mt.values), maxValues); n > 0 {
			line[name] = mt.values[:n]
			mt.values = mt.values[n:]
		} else if mt.count > 0 {
			line[name] = mt.count
			mt.count = 0
		} else {
			continue
		}
		definitions = append(definitions, definition{name, mt.unit})
	}
	if definitions == nil {
		return nil
	}
	slices.SortFunc(definitions, func(a, b definition) int { return strings.Compare(a.Name, b.Name) })
	line["_aws"] = map[string]any{
		"Timestamp": now.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": Namespace, "Dimensions": [][]string{names}, "Metrics": definitions,
		}},
	}
	return line
}

// clipDimension keeps a value within CloudWatch's 1,024 characters: names of
// services come out of events.
func clipDimension(s string) string { return s[:min(len(s), 1024)] }
