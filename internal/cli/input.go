package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"autotagger/internal/cloudtrail"
)

// isInput reports whether a file of a folder holds events.
func isInput(name string) bool {
	switch filepath.Ext(strings.TrimSuffix(name, ".gz")) {
	case ".json", ".jsonl", ".log":
		return true
	}
	return false
}

// input is a file of events, or why there is none where the arguments name one.
type input struct {
	name string
	err  error
}

// inputs returns the files that the arguments name: files as they are, folders
// with what they hold, sorted. None, or "-", is standard input.
func inputs(paths []string) []input {
	if len(paths) == 0 {
		return []input{{name: "-"}}
	}
	var all []input
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case path == "-":
			all = append(all, input{name: path})
		case err != nil:
			all = append(all, input{path, err})
		case info.IsDir():
			all = append(all, folder(path)...)
		default:
			all = append(all, input{name: path})
		}
	}
	return all
}

// folder returns the files of events below a folder, by path.
func folder(path string) []input {
	var found []input
	// With the separator a link to a folder is one.
	filepath.WalkDir(path+string(filepath.Separator), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			found = append(found, input{name, err})
		} else if !d.IsDir() && isInput(name) {
			found = append(found, input{name: name})
		}
		return nil // the rest goes on
	})
	if len(found) == 0 {
		return []input{{path, fmt.Errorf("reading %s: the folder holds no *.json, *.jsonl or *.log (or these with .gz)", path)}}
	}
	slices.SortFunc(found, func(a, b input) int { return strings.Compare(a.name, b.name) })
	return found
}

// records yields the records of the files, and says on the error output what
// can't be read and, on a terminal, how far it has come.
func (a *app) records(files []input, failed *bool) iter.Seq[cloudtrail.Record] {
	return func(yield func(cloudtrail.Record) bool) {
		progress := newProgress(a.stderr)
		defer progress.clear()
		for i, in := range files {
			label, r, err := a.open(in)
			if err != nil {
				*failed = true
				progress.clear()
				fmt.Fprintf(a.stderr, "autotagger: %s\n", oneLine(err))
				continue
			}
			for rec := range cloudtrail.Read(r) {
				if unreadable(rec.Err) {
					*failed = true
					progress.clear()
					fmt.Fprintf(a.stderr, "autotagger: %s, record %d: %s\n", label, rec.N, oneLine(rec.Err))
				}
				progress.step(i+1, len(files))
				if !yield(rec) {
					r.Close()
					return
				}
			}
			r.Close()
		}
	}
}

// open opens an input, and says what to call it in messages.
func (a *app) open(in input) (label string, r io.ReadCloser, err error) {
	switch {
	case in.err != nil:
		return "", nil, in.err
	case in.name == "-":
		if isTerminal(a.stdin) {
			fmt.Fprintln(a.stderr, "autotagger: reading standard input; Ctrl-D ends it")
		}
		return "standard input", io.NopCloser(a.stdin), nil
	}
	r, err = os.Open(in.name)
	return in.name, r, err
}

// unreadable reports whether a record can't be read; one that is something
// else than a CloudTrail record is read and skipped.
func unreadable(err error) bool {
	var unusable *cloudtrail.Error
	return err != nil && (!errors.As(err, &unusable) || unusable.Reason == cloudtrail.Malformed)
}

// progress shows on a terminal how many records have been read.
type progress struct {
	w     io.Writer // nil where there is no terminal
	n     int
	last  time.Time
	shown bool
}

func newProgress(w io.Writer) *progress {
	if !isTerminal(w) {
		return &progress{}
	}
	return &progress{w: w, last: time.Now()}
}

func (p *progress) step(file, files int) {
	p.n++
	if p.w == nil || time.Since(p.last) < 500*time.Millisecond {
		return
	}
	p.last, p.shown = time.Now(), true
	fmt.Fprintf(p.w, "\r\x1b[Kfile %d of %d, %d records", file, files, p.n)
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
