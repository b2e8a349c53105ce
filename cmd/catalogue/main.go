// Command catalogue generates the catalogue from AWS's models: `make catalogue`
// writes it, `make catalogue-diff` lists what would change, `make coverage`
// prints what it covers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"autotagger/internal/generate"
	"autotagger/internal/models"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "catalogue:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("catalogue", flag.ContinueOnError)
	removals := flags.Bool("removals", false, "write even if rows are removed or turned off")
	cache := flags.String("cache", "build/inputs", "the folder that the inputs are fetched into")
	root := flags.String("root", ".", "the folder that holds internal/catalogue/data")
	if err := flags.Parse(args); err != nil {
		return err
	}
	aws, err := models.Read(ctx, *cache)
	if err != nil {
		return err
	}
	made, err := generate.Generate(aws)
	if err != nil {
		return err
	}
	data := filepath.Join(*root, "internal/catalogue/data")
	switch verb := flags.Arg(0); verb {
	case "write":
		if err := refuseRemovals(data, made.Data); err != nil && !*removals {
			return err
		}
		return errors.Join(write(data, made.Data), write(filepath.Join(*root, "events/generated"), made.Samples),
			os.WriteFile(filepath.Join(*root, "docs/coverage.md"), []byte(made.Report), 0o644))
	case "check":
		return check(*root, made)
	case "diff":
		return diff(stdout, data, made.Data)
	case "coverage":
		fmt.Fprintf(stdout, "examples of AWS's documentation that tell an ARN twice: %d, and their rows agree\n", made.Examples)
		return coverage(stdout, made.Coverage)
	default:
		return fmt.Errorf("%q is not one of write, check, diff, coverage", verb)
	}
}

// on reports whether a row's text is of one that is used.
func on(row string) bool {
	return !strings.Contains(row, "\noff: ") && !strings.Contains(row, "\nuntaggable: ")
}

// refuseRemovals names the rows that writing would remove or turn off: a service that the
// models have lost, say, or a call that isn't recognised any more.
func refuseRemovals(folder string, made map[string]string) error {
	changes, err := changes(folder, made)
	if err != nil {
		return err
	}
	var removed []string
	for _, c := range changes {
		if c.New == "" || on(c.Old) && !on(c.New) {
			removed = append(removed, c.Row)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	return fmt.Errorf("%d rows would be removed or turned off: %s\nlook at them with: catalogue diff. If they are to go: catalogue -removals write", len(removed), strings.Join(removed, ", "))
}

// changes compares the data files in a folder with those made.
func changes(folder string, made map[string]string) ([]generate.Change, error) {
	old := map[string]string{}
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		old[filepath.Base(name)] = string(text)
	}
	return generate.Changes(old, made), nil
}

// write makes a folder hold the files and no other.
func write(folder string, files map[string]string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range old {
		if _, stays := files[f.Name()]; !stays {
			if err := os.Remove(filepath.Join(folder, f.Name())); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// check compares what is generated with what is there.
func check(root string, made *generate.Result) error {
	var faults []error
	for folder, files := range map[string]map[string]string{
		"internal/catalogue/data": made.Data, "events/generated": made.Samples, "docs": {"coverage.md": made.Report},
	} {
		there, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil {
			return err
		}
		for _, f := range there {
			if _, wanted := files[f.Name()]; !wanted && folder != "docs" {
				faults = append(faults, fmt.Errorf("%s/%s isn't generated", folder, f.Name()))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			text, err := os.ReadFile(filepath.Join(root, folder, name))
			if err != nil || string(text) != files[name] {
				faults = append(faults, fmt.Errorf("%s/%s isn't what generating gives: run make catalogue and read the diff", folder, name))
			}
		}
	}
	return errors.Join(append(faults, made.Coverage.Fault())...)
}

// diff lists the rows that writing would add, remove or change.
func diff(w io.Writer, folder string, made map[string]string) error {
	changes, err := changes(folder, made)
	if err != nil {
		return err
	}
	for _, c := range changes {
		switch {
		case c.Old == "":
			fmt.Fprintf(w, "added   %s\n%s\n", c.Row, c.New)
		case c.New == "":
			fmt.Fprintf(w, "removed %s\n%s\n", c.Row, c.Old)
		default:
			fmt.Fprintf(w, "changed %s, from\n%sto\n%s\n", c.Row, c.Old, c.New)
		}
	}
	fmt.Fprintf(w, "%d rows differ\n", len(changes))
	return nil
}

// coverage prints the recall and what is missed.
func coverage(w io.Writer, c *generate.Coverage) error {
	fmt.Fprintf(w, "CloudFormation types that take tags: %d, of which %d are retired; covered: %d, %.1f %%; with %d known, marked and off: %.1f %%\n",
		c.Taggable, c.Retired, c.Covered, c.Recall(), len(c.Upserts), c.Known())
	for _, name := range slices.Sorted(maps.Keys(c.Upserts)) {
		fmt.Fprintf(w, "off      %s: %s\n", name, c.Upserts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Missed)) {
		fmt.Fprintf(w, "missed   %s: %s\n", name, c.Missed[name])
	}
	return c.Fault()
}
