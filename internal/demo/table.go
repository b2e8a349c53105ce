package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

// state is what a service says of a resource.
type state struct {
	tags map[string]string
	cors string // "GET,HEAD from *", empty without rules
}

func (s state) String() string {
	if s.cors == "" {
		return tagText(s.tags)
	}
	return tagText(s.tags) + ", CORS " + s.cors
}

func tagText(tags map[string]string) string {
	if len(tags) == 0 {
		return "-"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		parts = append(parts, k+"="+tags[k])
	}
	return strings.Join(parts, " ")
}

// compare shows every resource before and now, and whether it is as it should
// be.
func compare(ctx context.Context, w io.Writer, all []resource, before []state) (differ bool, err error) {
	var table strings.Builder
	tab := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "\tRESOURCE\tTAGS BEFORE\tTAGS AFTER\tCORS BEFORE\tCORS AFTER")
	var faults []string
	for i, r := range all {
		now, err := r.look(ctx)
		if err != nil {
			return false, err
		}
		mark := "ok"
		if !maps.Equal(now.tags, r.want.tags) || now.cors != r.want.cors {
			mark = "WRONG"
			faults = append(faults, fmt.Sprintf("%s is %s; it should be %s", r.name, now, r.want))
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\n", mark, r.name, tagText(before[i].tags), tagText(now.tags), before[i].cors, now.cors)
	}
	if err := tab.Flush(); err != nil {
		return false, fmt.Errorf("writing the table: %w", err)
	}
	for n, line := range strings.Split(strings.TrimRight(table.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		switch {
		case n == 0:
			line = faint(w, line)
		case strings.HasPrefix(line, "ok"):
			line = paint(w, "32", "ok") + line[len("ok"):]
		default:
			line = paint(w, "31", line)
		}
		fmt.Fprintf(w, "  %s\n", line)
	}
	for _, f := range faults {
		fmt.Fprintf(w, "\n  %s\n", f)
	}
	return len(faults) > 0, nil
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

func bold(w io.Writer, text string) string  { return paint(w, "1", text) }
func faint(w io.Writer, text string) string { return paint(w, "2", text) }

// paint colours text on a terminal, unless NO_COLOR is set.
func paint(w io.Writer, color, text string) string {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}
