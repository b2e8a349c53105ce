package catalogue

import (
	"slices"
	"testing"
)

func TestCompanions(t *testing.T) {
	t.Parallel()
	queue := &Row{Source: "sqs.amazonaws.com", Event: "CreateQueue"}
	user := &Row{Source: "iam.amazonaws.com", Event: "CreateUser", Arrives: "us-east-1"}
	role := &Row{Source: "iam.amazonaws.com", Event: "CreateRole", Arrives: "us-east-1"}
	network := &Row{Source: "networkmanager.amazonaws.com", Event: "CreateGlobalNetwork", Arrives: "us-west-2"}
	for name, c := range map[string]struct {
		rows      []*Row
		partition string
		want      []string
		unknown   bool
	}{
		"commercial":          {[]*Row{network, queue, user, role}, "aws", []string{"us-east-1", "us-west-2"}, false},
		"one service":         {[]*Row{queue, user}, "aws", []string{"us-east-1"}, false},
		"no global service":   {[]*Row{queue}, "aws", nil, false},
		"GovCloud":            {[]*Row{network, user}, "aws-us-gov", []string{"us-gov-west-1"}, false},
		"China":               {[]*Row{user}, "aws-cn", []string{"cn-north-1", "cn-northwest-1"}, false},
		"isolated":            {[]*Row{user}, "aws-iso", nil, true},
		"isolated, no global": {[]*Row{queue}, "aws-iso", nil, false},
	} {
		got, known := Companions(c.rows, c.partition)
		if !slices.Equal(got, c.want) || known == c.unknown {
			t.Errorf("%s: %v, known %v; want %v", name, got, known, c.want)
		}
	}
}

// The shipped catalogue has services of both regions that AWS names, and the rows
// that are left out when only global ones are taken are the rest.
func TestGlobal(t *testing.T) {
	t.Parallel()
	all, err := Default().All()
	if err != nil {
		t.Fatal(err)
	}
	got, known := Companions(all, "aws")
	if want := []string{"us-east-1", "us-west-2"}; !slices.Equal(got, want) || !known {
		t.Errorf("%v, want %v", got, want)
	}
	global := Global(all)
	if len(global) == 0 || len(global) == len(all) {
		t.Errorf("%d of %d rows are global", len(global), len(all))
	}
	for _, r := range all {
		if slices.Contains(global, r) != (r.Arrives != "") {
			t.Errorf("%s:%s arrives in %q", r.Source, r.Event, r.Arrives)
		}
	}
}
