package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"autotagger/internal/pipeline"
)

// rows prints results, as a table or as JSON Lines.
type rows struct {
	json  *json.Encoder
	tab   *tabwriter.Writer
	color bool
}

func newRows(w io.Writer, table bool) *rows {
	if !table {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return &rows{json: enc}
	}
	r := &rows{tab: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), color: isTerminal(w) && os.Getenv("NO_COLOR") == ""}
	fmt.Fprintln(r.tab, r.paint("", "RESULT")+"\tEVENT\tCREATOR\tRESOURCE OR REASON\tTAGS")
	return r
}

func (r *rows) flush() error {
	if r.tab != nil {
		return r.tab.Flush()
	}
	return nil
}

// print prints a result: one JSON object, or a line for each resource.
func (r *rows) print(row pipeline.Row) error {
	if r.json != nil {
		return r.json.Encode(row)
	}
	service, _, _ := strings.Cut(row.Event.Source, ".")
	event := strings.Trim(service+":"+row.Event.Name, ":")
	creator := row.Creator.Name
	if row.Creator.Via != "" {
		creator += " via " + row.Creator.Via
	}
	if row.Decision == "skip" {
		why := row.Reason
		if row.Detail != "" {
			why += ": " + row.Detail
		}
		return r.line("2", "skip", event, creator, why, "")
	}
	for _, res := range row.Resources {
		result, color := "tag", "32"
		if res.Outcome != "" {
			result = res.Outcome
		}
		switch res.Outcome {
		case "retry", "denied", "failed":
			color = "31"
		case "unchanged", "skipped":
			color = "2"
		}
		what := res.ARN
		switch {
		case res.Why != "":
			what += " (" + res.Why + ")" // of an error the code; JSON has it all
		case res.Error != "":
			what += " (" + brief(res.Error) + ")"
		}
		if res.LastResort {
			what += " (last resort: the call isn't in the catalogue)"
		}
		for _, why := range res.Unfit {
			what += " (" + why + ")"
		}
		if res.API == "none" {
			what += " (never written to)"
		}
		var tags []string
		for _, key := range slices.Sorted(maps.Keys(res.Tags)) {
			tags = append(tags, key+"="+res.Tags[key])
		}
		if res.CORS != "" {
			tags = append(tags, "cors: "+res.CORS)
		}
		if err := r.line(color, result, event, creator, what, strings.Join(tags, ", ")); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(res.Sources)) {
			if err := r.line("2", "  source", "", "", key, res.Sources[key]); err != nil {
				return err
			}
		}
	}
	if row.Missing != "" {
		if err := r.line("31", "  missing", "", "", row.Missing, "a function would wait for it, then go without"); err != nil {
			return err
		}
	}
	for _, step := range row.LookUps {
		if err := r.line("2", "  look-up", "", step.Of, step.Asked, step.Answer); err != nil {
			return err
		}
	}
	return nil
}

// brief is an error that fits a table. The SDK's words end with what AWS said.
func brief(text string) string {
	const most = 100
	if _, said, ok := strings.Cut(text, "api error "); ok {
		text = said
	}
	if all := []rune(text); len(all) > most {
		text = string(all[:most-1]) + "…"
	}
	return text
}

// line prints one line of the table. What comes from records can't steer the
// terminal: control characters become spaces.
func (r *rows) line(color, result string, cells ...string) error {
	line := r.paint(color, result)
	for _, cell := range cells {
		line += "\t" + strings.Map(func(c rune) rune {
			if unicode.IsControl(c) {
				return ' '
			}
			return c
		}, cell)
	}
	_, err := fmt.Fprintln(r.tab, line)
	return err
}

// paint colours a cell. Every cell of the column gets an escape of the same
// length, so that the columns stay aligned.
func (r *rows) paint(color, text string) string {
	if !r.color {
		return text
	}
	return fmt.Sprintf("\x1b[%02sm%s\x1b[0m", color, text)
}
