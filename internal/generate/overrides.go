package generate

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed overrides
var overrideFiles embed.FS

// The kinds of overrides. Each stanza begins with one, and names the call:
//
//   - add: a row for a call that the models give none for.
//   - replace: a whole row in place of the generated one.
//   - ignore: no row; the call creates nothing that is kept.
//   - locate: other from, when, region, tags, upsert or look-up; "upsert:
//     no" takes it away.
//   - template: another type, also, arn, api or calls.
//   - switch: "off: no" for a weak row that was reviewed, or a reason to turn a
//     strong one off.
//
// Every stanza says why in "because:", and on which page or record that stands;
// one at the head of the file stands for all in it. The head of a file may also
// give fields that all its rows share.
var overrideFields = map[string][]string{
	"locate":   {"from", "when", "region", "tags", "upsert", "look-up"},
	"template": {"type", "also", "arn", "api", "calls", "permissions"},
	"switch":   {"off"},
}

// behind are the fields that come right behind another where the row has none of
// them; the others come last, before the evidence.
var behind = map[string]string{"off": "event", "also": "type", "arn": "type", "from": "arn", "when": "from"}

// override changes what was generated for one event source. Its faults name each
// stanza that is no longer needed or that matches nothing.
type override struct {
	file string
	head *stanza
	all  []*stanza
}

func readOverrides() (map[string]*override, error) {
	found := map[string]*override{}
	names, err := fs.Glob(overrideFiles, "overrides/*.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := overrideFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all, err := readStanzas(name, string(text))
		if err != nil {
			return nil, err
		}
		o := &override{file: name, head: &stanza{}}
		if len(all) > 0 && all[0].get("source") != "" {
			o.head, all = all[0], all[1:]
		}
		o.all = all
		source := strings.TrimSuffix(strings.TrimPrefix(name, "overrides/"), ".txt") + ".amazonaws.com"
		found[source] = o
	}
	return found, nil
}

// apply changes the rows of the override's source, by event.
func (o *override) apply(rows map[string]*stanza) error {
	var faults []error
	for _, s := range o.all {
		if err := o.one(s, rows); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %s %s: %w", o.file, s.line, s.fields[0].key, s.fields[0].value, err))
		}
	}
	return errors.Join(faults...)
}

func (o *override) one(s *stanza, rows map[string]*stanza) error {
	kind, event := s.fields[0].key, s.fields[0].value
	if s.get("because") == "" && o.head.get("because") == "" {
		return errors.New("it doesn't say because of what")
	}
	given := slices.DeleteFunc(slices.Clone(s.fields[1:]), func(f field) bool { return f.key == "because" })
	generated := rows[event]
	if (generated != nil) == (kind == "add") {
		if kind == "add" {
			return errors.New("the models give a row for it now: replace it, or take the override out")
		}
		return errors.New("the models give no row for it any more")
	}
	switch kind {
	case "add", "replace":
		r := &stanza{comments: s.comments, fields: append([]field{{"event", event}}, given...)}
		if generated != nil && generated.same(r) {
			return errors.New("the generated row says the same: take the override out")
		}
		rows[event] = r
	case "ignore":
		delete(rows, event)
	case "locate", "template", "switch":
		before := generated.String()
		changed := &stanza{comments: append(slices.Clone(s.comments), generated.comments...), fields: slices.Clone(generated.fields), class: generated.class}
		keys := map[string]bool{}
		for _, f := range given {
			if !slices.Contains(overrideFields[kind], f.key) {
				return fmt.Errorf("%s doesn't change %s", kind, f.key)
			}
			if keys[f.key] {
				continue
			}
			keys[f.key] = true
			values := s.all(f.key)
			if f.value == "no" && (f.key == "off" || f.key == "upsert") {
				values = nil
			}
			changed.replace(f.key, values, behind[f.key])
		}
		if (keys["from"] || keys["arn"] || keys["type"]) && strings.HasPrefix(changed.get("off"), "weak:") {
			// What was weak for want of it is settled; what it is else remains.
			changed.replace("off", nil, "event")
			if changed.class != "" {
				changed.replace("off", []string{changed.class}, "event")
			}
		}
		after := &stanza{fields: changed.fields}
		if after.String() == before {
			return errors.New("the generated row says the same: take the override out")
		}
		rows[event] = changed
	default:
		return errors.New("there is no such kind of override")
	}
	return nil
}
