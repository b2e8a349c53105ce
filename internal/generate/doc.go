// Package generate writes the catalogue's data files from AWS's own models.
//
// The way of a row:
//
//	operation → does it create? (verbs.go) → what? (kind.go) → where does the
//	record name it? (locate.go) → which API tags it? (calls.go)
//	→ how sure is that? (rows.go) → overrides (overrides.go) → text (write.go)
//
// What no model says is written by hand, each fact with its source: the event
// source of a service where it isn't the signing name (sources.txt), what the
// Resource Groups Tagging API takes (tagging-api.txt), which calls were seen in
// records (recorded.txt), what a service's tags take less than its model says
// (limits.txt), why types of CloudFormation aren't covered (uncovered.txt), and
// corrections of rows (overrides/). A fact that is about
// nothing any more is a fault.
//
// Beside the data come a made-up event for each row (samples.go), and the report
// on what is covered (coverage.go, report.go). The rows are held against the
// examples of AWS's documentation (examples.go).
package generate
