package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

// catalogRow is one event and one kind of resource that it creates.
type catalogRow struct {
	Source      string   `json:"source"`
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	ARN         string   `json:"arn"`
	API         string   `json:"api"`
	Permissions []string `json:"permissions"`
	Evidence    string   `json:"evidence"`
	Enabled     bool     `json:"enabled"`
}

// summary counts what is enabled.
type summary struct {
	Events    int `json:"events"`
	Types     int `json:"types"`
	Services  int `json:"services"`
	Recorded  int `json:"recorded"`  // events whose shape was seen in records
	Generated int `json:"generated"` // events whose shape is that of AWS's models
}

func newCatalog(a *app) *cobra.Command {
	var service string
	var sum bool
	c := &cobra.Command{
		Use:   "catalog",
		Short: "List the calls that are known and what they create",
		Long: `Catalog prints a row for each create call: the type of what it creates, how its
ARN is found, which API tags it, which permissions that takes and what the row
stands on. A call that creates several kinds of resources is named with its
first. Rows that are not enabled are calls whose results can't be tagged, or that
are off unless the configuration turns them on; the evidence says why.`,
		Example: "  autotagger catalog --service ec2\n  autotagger catalog --config autotagger.yaml --summary -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			table, err := a.table()
			if err != nil {
				return err
			}
			p, err := a.policy()
			if err != nil {
				return err
			}
			all, err := catalogue.Default().All()
			if err != nil {
				return failure{err}
			}
			if service != "" {
				if all = ofService(all, service); len(all) == 0 {
					return fmt.Errorf("--service %s: the catalogue has no such service", service)
				}
			}
			if sum {
				return a.printSummary(summarise(p.RowsOn(all)), table)
			}
			return a.printCatalog(all, p, table)
		},
	}
	a.configFlag(c)
	c.Flags().StringVar(&service, "service", "", "only this service, by its event source: s3, or s3.amazonaws.com")
	c.Flags().BoolVar(&sum, "summary", false, "only count")
	return c
}

func ofService(rows []*catalogue.Row, service string) []*catalogue.Row {
	service = strings.TrimSuffix(service, ".amazonaws.com")
	var of []*catalogue.Row
	for _, r := range rows {
		if r.Source == service+".amazonaws.com" {
			of = append(of, r)
		}
	}
	return of
}

func rowOf(r *catalogue.Row, p *policy.Policy) catalogRow {
	row := catalogRow{Source: r.Source, Name: r.Event, API: catalogue.APINone, Permissions: []string{}, Evidence: r.Evidence, Enabled: true}
	if why := p.RowOff(r); why != "" {
		row.Enabled, row.Evidence = false, why+"; "+r.Evidence
	}
	if r.Untaggable != "" {
		return row
	}
	first := r.Resources[0]
	row.Type, row.API, row.Permissions = first.Type, first.API, catalogue.Actions([]*catalogue.Row{r})
	if row.Permissions == nil {
		row.Permissions = []string{}
	}
	var from []string
	for _, l := range first.From {
		from = append(from, l.String())
	}
	row.ARN = string(first.ARN) + " from " + strings.Join(from, ", else ")
	return row
}

// summarise counts rows that are on, but for those of services that have ended.
func summarise(rows []*catalogue.Row) summary {
	var s summary
	types, services := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if r.Ended {
			continue
		}
		s.Events++
		services[r.Service] = true
		for _, res := range r.Resources {
			types[res.Type] = true
		}
		if r.Recorded() {
			s.Recorded++
		} else {
			s.Generated++
		}
	}
	s.Types, s.Services = len(types), len(services)
	return s
}

func (a *app) printSummary(s summary, table bool) error {
	if !table {
		return json.NewEncoder(a.stdout).Encode(s)
	}
	_, err := fmt.Fprintf(a.stdout, "%d events of %d services create %d types; the shape of %d was seen in records, of %d it is that of AWS's models\n",
		s.Events, s.Services, s.Types, s.Recorded, s.Generated)
	return err
}

func (a *app) printCatalog(all []*catalogue.Row, p *policy.Policy, table bool) error {
	if !table {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		for _, r := range all {
			if err := enc.Encode(rowOf(r, p)); err != nil {
				return failure{err}
			}
		}
		return nil
	}
	tab := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "SOURCE\tEVENT\tTYPE\tAPI\tARN")
	for _, r := range all {
		row := rowOf(r, p)
		switch {
		case r.Untaggable != "":
			row.Type, row.API, row.ARN = "(not taggable)", "-", row.Evidence
		case !row.Enabled:
			row.API, row.ARN = "(off)", row.Evidence
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\n", strings.TrimSuffix(row.Source, ".amazonaws.com"), row.Name, row.Type, row.API, row.ARN)
	}
	return tab.Flush()
}
