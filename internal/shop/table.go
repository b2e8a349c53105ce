package shop

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

// State is what a service says of a resource.
type State struct {
	Tags map[string]string
	CORS string // "GET,HEAD from *", empty without rules
}

// Equal reports whether two states have the same tags and rules.
func (s State) Equal(o State) bool { return maps.Equal(s.Tags, o.Tags) && s.CORS == o.CORS }

func (s State) String() string {
	if s.CORS == "" {
		return tagText(s.Tags)
	}
	return tagText(s.Tags) + ", CORS " + s.CORS
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

// Row is a resource before and now.
type Row struct {
	Name              string
	Before, Now, Want State
	// Note is shown behind the rest, under [Table]'s heading for it.
	Note string
}

// Table writes rows, and whether each is as it should be. It reports whether
// one differs. Without a heading there are no notes.
func Table(w io.Writer, rows []Row, note string) (differ bool, err error) {
	var table strings.Builder
	tab := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "\tRESOURCE\tTAGS BEFORE\tTAGS AFTER\tCORS BEFORE\tCORS AFTER\t"+note)
	var faults []string
	for _, r := range rows {
		mark := "ok"
		if !r.Now.Equal(r.Want) {
			mark = "WRONG"
			faults = append(faults, fmt.Sprintf("%s is %s; it should be %s", r.Name, r.Now, r.Want))
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", mark, r.Name, tagText(r.Before.Tags), tagText(r.Now.Tags), r.Before.CORS, r.Now.CORS, r.Note)
	}
	if err := tab.Flush(); err != nil {
		return false, fmt.Errorf("writing the table: %w", err)
	}
	for n, line := range strings.Split(strings.TrimRight(table.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		switch {
		case n == 0:
			line = Faint(w, line)
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

// Step heads what is shown next.
func Step(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "\n"+paint(w, "1", format)+"\n", args...)
}

// Faint marks text on a terminal, unless NO_COLOR is set.
func Faint(w io.Writer, text string) string { return paint(w, "2", text) }

func paint(w io.Writer, color, text string) string {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}
