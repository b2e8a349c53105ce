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

// inputs returns the files that the arguments name: files as they are, folders
// with what they hold, sorted. None, or "-", is standard input.
func inputs(paths []string) ([]string, error) {
	if len(paths) == 0 {
		return []string{"-"}, nil
	}
	var files []string
	for _, path := range paths {
		if path == "-" {
			files = append(files, path)
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		var found []string
		err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && isInput(name) {
				found = append(found, name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("reading %s: the folder holds no *.json, *.jsonl or *.log (or these with .gz)", path)
		}
		slices.Sort(found)
		files = append(files, found...)
	}
	return files, nil
}

// records yields the records of the files, and says on the error output what
// can't be read and, on a terminal, how far it has come.
func (a *app) records(files []string, failed *bool) iter.Seq[cloudtrail.Record] {
	return func(yield func(cloudtrail.Record) bool) {
		progress := newProgress(a.stderr)
		defer progress.clear()
		for i, name := range files {
			label := name
			var r io.ReadCloser = io.NopCloser(a.stdin)
			if name == "-" {
				label = "standard input"
			} else if f, err := os.Open(name); err != nil {
				*failed = true
				progress.clear()
				fmt.Fprintf(a.stderr, "autotagger: %v\n", err)
				continue
			} else {
				r = f
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
