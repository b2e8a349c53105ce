package apply

import (
	"maps"
	"net/http"
	"slices"
)

// Fate and APIError let the black-box tests at what has no other door.

func Fate(err error) (Outcome, string) { return fate(err) }

func APIError(h http.Header, body []byte) (code, message string) {
	e := apiError(h, body)
	return e.Code, e.Message
}

// Irregular are the keys of the irregular services' rows, and the fault of their
// texts.
func Irregular() ([]string, error) {
	var ir irregular
	ir.once.Do(ir.read)
	return slices.Sorted(maps.Keys(ir.rows)), ir.err
}
