// Package generate writes the catalogue's data files from AWS's own models.
//
// The way of a row:
//
//	operation → does it create? (verbs.go) → what? (kind.go) → where does the
//	record name it? (locate.go) → which API tags it? (calls.go, tagging.go)
//	→ how sure is that? (rows.go) → overrides (overrides.go) → text
//
// What no model says is written by hand, each fact with its source: the event
// source of a service where it isn't the signing name (sources.txt), what the
// Resource Groups Tagging API takes (tagging-api.txt), services that no longer
// create anything (retired.txt), and corrections of rows (overrides/).
package generate
