package pipeline

import (
	"fmt"
	"maps"

	"autotagger/internal/apply"
	"autotagger/internal/plan"
)

// Row is a result as the command line prints it, one JSON object a line.
type Row struct {
	Event     EventRow      `json:"event"`
	Decision  string        `json:"decision"` // tag or skip
	Reason    string        `json:"reason"`   // of a skip
	Creator   CreatorRow    `json:"creator"`
	Resources []ResourceRow `json:"resources"`
	LookUps   []plan.Step   `json:"lookUps,omitempty"` // in the order in which they were made
	Missing   string        `json:"missing,omitempty"` // the link that isn't there

	Detail string `json:"detail,omitempty"` // more about the reason
}

// EventRow names the event; all is empty for a record that can't be read.
type EventRow struct {
	ID      string `json:"id"`
	Source  string `json:"source"`
	Name    string `json:"name"`
	Time    string `json:"time"` // as the record has it
	Region  string `json:"region"`
	Account string `json:"account"`
}

// CreatorRow is who caused the event.
type CreatorRow struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	ARN  string `json:"arn"`
	Via  string `json:"via,omitempty"`
	By   string `json:"by,omitempty"` // what the name rests on, where look-ups were made
}

// ResourceRow is one resource that the event created.
type ResourceRow struct {
	ARN         string            `json:"arn"`
	Type        string            `json:"type"`
	API         string            `json:"api"`
	Tags        map[string]string `json:"tags"`
	Permissions []string          `json:"permissions"`
	LastResort  bool              `json:"lastResort,omitempty"` // the call isn't in the catalogue
	Unfit       []string          `json:"unfit,omitempty"`      // our keys that the service doesn't take, and why
	CORS        string            `json:"cors,omitempty"`
	Outcome     string            `json:"outcome,omitempty"` // of a replay
	Why         string            `json:"why,omitempty"`
	Error       string            `json:"error,omitempty"`
	Sources     map[string]string `json:"sources,omitempty"` // From, where look-ups were made
	From        map[string]string `json:"-"`                 // where the values of tags come from, by key
	Forgot      string            `json:"forgot,omitempty"`  // why what was written isn't remembered
}

// Row returns the result as a row. Before anything was applied it is the plan.
func (r *Result) Row() Row {
	row := Row{Decision: "tag", Reason: string(r.Plan.Reason), Detail: r.Plan.Detail, Resources: []ResourceRow{}}
	if r.Err != nil {
		row.Reason, row.Detail = string(malformed), r.Err.Error()
	}
	if row.Reason != "" {
		row.Decision = "skip"
	}
	if e := r.Record.Event; e != nil && r.Plan.Reason != malformed {
		row.Event = EventRow{e.ID, e.Source, e.Name, e.TimeText, e.Region, e.Account}
	}
	creator := r.Plan.Creator
	row.Creator = CreatorRow{Name: creator.Name, Kind: creator.Kind, ARN: creator.ARN, Via: creator.Via}
	for i, res := range r.Plan.Resources {
		row.Resources = append(row.Resources, resourceRow(res, &r.Resources[i]))
		if r.Plan.Facts != nil {
			row.Resources[i].Sources = row.Resources[i].From
		}
	}
	if f := r.Plan.Facts; f != nil {
		row.LookUps, row.Missing, row.Creator.By = f.Steps, f.Missing, string(creator.By)
	}
	return row
}

// sources say where the values of tags come from. Of one that stands it isn't known: then
// they say what would have been written, and why.
func sources(res plan.Resource, out *apply.Result) map[string]string {
	said := res.Sources()
	if out == nil {
		return said
	}
	for key, stands := range out.Standing {
		if source, ours := said[key]; ours && stands != res.Tags[key] {
			said[key] = fmt.Sprintf("it stands; would be %q, from %s", res.Tags[key], source)
		}
	}
	return said
}

func resourceRow(res plan.Resource, out *ResourceResult) ResourceRow {
	row := ResourceRow{
		ARN: res.ARN, Type: res.Type, API: res.API, Tags: res.Tags, Permissions: res.Permissions,
		LastResort: res.LastResort, Unfit: res.Unfit, From: sources(res, out.Tag),
	}
	if row.Permissions == nil {
		row.Permissions = []string{}
	}
	if len(res.CORS) > 0 {
		row.CORS = string(WouldPut)
	}
	if t := out.Tag; t != nil {
		row.Outcome, row.Why = string(t.Outcome), t.Why
		if len(t.Standing) > 0 {
			row.Tags = maps.Clone(res.Tags) // what the resource carries, where that isn't what was wanted
			maps.Copy(row.Tags, t.Standing)
		}
		if t.Err != nil {
			row.Error = t.Err.Error()
		}
	}
	if row.Error == "" {
		row.Error = out.Refused
	}
	if out.Forgot != nil {
		row.Forgot = out.Forgot.Error()
	}
	if c := out.CORS; c != nil {
		switch c.Outcome {
		case apply.CORSSkipped:
			row.CORS = ""
		case apply.Put, apply.Kept, WouldPut:
			row.CORS = string(c.Outcome)
		default:
			row.CORS = string(apply.CORSFailed)
		}
		if c.Err != nil && row.Error == "" {
			row.Error = c.Err.Error()
		}
	}
	return row
}
