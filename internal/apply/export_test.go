package apply

import (
	"maps"
	"slices"
)

// Irregular are the keys of the irregular services' rows, and the fault of their
// texts.
func Irregular() ([]string, error) {
	var ir irregular
	ir.once.Do(ir.read)
	return slices.Sorted(maps.Keys(ir.rows)), ir.err
}
