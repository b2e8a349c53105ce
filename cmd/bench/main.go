// Bench runs the benchmarks and prints what they took as a multiple of a floor
// that was measured in the same run: json.Valid on the same bytes, gzip on the
// same file, a hello-world function on the same machine. Seconds differ
// between machines; the ratios hardly do. It fails where one misses its aim.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// comparison is a benchmark's measure over its floor's.
type comparison struct {
	what, bench, unit string
	floor, floorUnit  string
	aim               float64 // the ratio that it may have at most; 0: it is only shown
}

// maxBinary is how large a function's binary may be, and maxMemory how much it may hold
// under load, in MB.
const (
	maxBinary = 20
	maxMemory = 128
)

func run(w io.Writer) error {
	results := map[string]float64{}
	for _, args := range [][]string{
		{"./internal/pipeline", "-bench", "Plan", "-benchtime", "2s"},
		{"./internal/cloudtrail", "-bench", "Read|Gunzip", "-benchtime", "1s"},
		{"./internal/function", "-bench", "Start", "-benchtime", "40x"},
		{"./internal/soak", "-bench", "Throughput", "-benchtime", "3x"},
	} {
		if err := measure(args, results); err != nil {
			return err
		}
	}
	var missed []string
	for _, c := range []comparison{
		{"decode to plan, an event, over json.Valid", "BenchmarkPlan", "ns-plan/event", "BenchmarkPlan", "ns-valid/event", 4},
		{"reading a gzipped log file, over gzip and json.Valid", "BenchmarkRead", "ns/op", "BenchmarkGunzip", "ns/op", 0},
		{"tagger ready, over hello-world with SDK configuration", "BenchmarkStart", "ms-ready/tagger", "BenchmarkStart", "ms-ready/hello+config", 1.5},
		{"tagger's first answer (four calls to AWS), over it", "BenchmarkStart", "ms-first-answer/tagger", "BenchmarkStart", "ms-first-answer/hello+config", 0},
		{"cors ready, over the same", "BenchmarkStart", "ms-ready/cors", "BenchmarkStart", "ms-ready/hello+config", 1.5},
		{"cors's first answer (no call to AWS, without parameters), over it", "BenchmarkStart", "ms-first-answer/cors", "BenchmarkStart", "ms-first-answer/hello+config", 1.5},
		{"ledger ready, over the same", "BenchmarkStart", "ms-ready/ledger", "BenchmarkStart", "ms-ready/hello+config", 1.5},
		{"a thousand events at 40 ms a call, over call after call", "BenchmarkThroughput", "ms-batches/thousand", "BenchmarkThroughput", "ms-serial/thousand", 0.05},
		{"tagger's memory, over the same", "BenchmarkStart", "MB-peak/tagger", "BenchmarkStart", "MB-peak/hello+config", 0},
		{"tagger's binary, over the same", "BenchmarkStart", "MB-binary/tagger", "BenchmarkStart", "MB-binary/hello+config", 0},
	} {
		value, floor := results[c.bench+" "+c.unit], results[c.floor+" "+c.floorUnit]
		if value == 0 || floor == 0 {
			return fmt.Errorf("comparing %s with %s: no %s measured", c.bench, c.floor, c.unit)
		}
		ratio := value / floor
		unit, _, _ := strings.Cut(c.unit, "/")
		fmt.Fprintf(w, "%-57s %6.2f ×  (%.5g over %.5g %s)", c.what, ratio, value, floor, unit)
		if c.aim > 0 {
			fmt.Fprintf(w, ", aim: at most %g", c.aim)
			if ratio > c.aim {
				missed = append(missed, c.what)
			}
		}
		fmt.Fprintln(w)
	}
	if size := results["BenchmarkStart MB-binary/tagger"]; size >= maxBinary {
		missed = append(missed, fmt.Sprintf("a binary of less than %d MB", maxBinary))
	}
	if peak := results["BenchmarkThroughput MB-peak"]; peak == 0 || peak >= maxMemory {
		missed = append(missed, fmt.Sprintf("less than %d MB of memory", maxMemory))
	}
	if missed != nil {
		return fmt.Errorf("missing the aim: %s", strings.Join(missed, "; "))
	}
	return nil
}

// measure runs benchmarks and adds what they report, by name and unit.
func measure(args []string, results map[string]float64) error {
	cmd := exec.Command("go", append([]string{"test", "-run", "^$"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("running the benchmarks of %s: %w\n%s", args[0], err, out)
	}
	name := regexp.MustCompile(`^(Benchmark\S+?)(-\d+)?\s+\d+\s+(.*)$`)
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		m := name.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		fields := strings.Fields(m[3])
		for i := 0; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("reading %q: %w", s.Text(), err)
			}
			results[m[1]+" "+fields[i+1]] = v
		}
	}
	return nil
}
