package apply

import (
	"maps"
	"slices"
)

// Fate lets the black-box tests at what has no other door.
func Fate(err error) (Outcome, string) { return fate(err) }

// Irregular are the keys of the irregular services' rows, and the fault of their
// texts.
func Irregular() ([]string, error) {
	var ir irregular
	ir.once.Do(ir.read)
	return slices.Sorted(maps.Keys(ir.rows)), ir.err
}
