package policy_test

import (
	"slices"
	"strings"
	"testing"

	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

func TestRowOff(t *testing.T) {
	t.Parallel()
	rows := []*catalogue.Row{
		{Source: "ecs.amazonaws.com", Event: "CreateCluster"},
		{Source: "ecs.amazonaws.com", Event: "RunTask", Off: "job: it ends by itself"},
		{Source: "glue.amazonaws.com", Event: "StartJobRun", Off: "job: it ends by itself"},
		{Source: "models.lex.amazonaws.com", Event: "PutBot", Off: "upsert: it may be there"},
		{Source: "x.amazonaws.com", Event: "CreateToken", Untaggable: "it takes no tags"},
	}
	for config, want := range map[string]string{
		"":                                     "ecs:CreateCluster",
		"catalogue: {}":                        "ecs:CreateCluster",
		"catalogue: {enable: ['ecs:RunTask']}": "ecs:CreateCluster ecs:RunTask",
		"catalogue: {enable: ['*:Start*', 'models.lex:PutBot']}":               "ecs:CreateCluster glue:StartJobRun models.lex:PutBot",
		"catalogue: {enable: ['*:*']}":                                         "ecs:CreateCluster ecs:RunTask glue:StartJobRun models.lex:PutBot",
		"catalogue: {enable: ['*:*'], disable: ['ecs:*']}":                     "glue:StartJobRun models.lex:PutBot",
		"catalogue: {disable: ['ecs:create*']}":                                "ecs:CreateCluster",
		"catalogue: {disable: ['ecs:Create'], enable: ['lex:*', 'ecs:*Task']}": "ecs:CreateCluster ecs:RunTask",
	} {
		p := parse(t, config)
		var on []string
		for _, r := range p.RowsOn(rows) {
			on = append(on, strings.TrimSuffix(r.Source, ".amazonaws.com")+":"+r.Event)
		}
		if got := strings.Join(on, " "); got != want {
			t.Errorf("%s: on are %s, want %s", config, got, want)
		}
	}
	p := parse(t, "catalogue: {disable: ['ecs:RunTask']}")
	for i, want := range []string{"", "the configuration disables ecs:RunTask", "off by default: job: it ends by itself", "off by default: upsert: it may be there", "it takes no tags"} {
		if got := p.RowOff(rows[i]); got != want {
			t.Errorf("%s is off because %q, want %q", rows[i].Event, got, want)
		}
	}
}

func TestLastResort(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]bool{
		"":                               false,
		"catalogue: {last-resort: true}": true,
		"catalogue: {last-resort: true, disable: ['x:*']}":                             false,
		"catalogue: {last-resort: true, disable: ['x:CreateOther']}":                   true,
		"catalogue: {enable: ['x:*']}":                                                 false,
		"catalogue: {last-resort: false, enable: ['x:CreateThing'], disable: ['y:*']}": false,
	} {
		if got := parse(t, config).LastResort("x.amazonaws.com", "CreateThing"); got != want {
			t.Errorf("%s: %v, want %v", config, got, want)
		}
	}
}

func TestUnmatchedCalls(t *testing.T) {
	t.Parallel()
	rows := []*catalogue.Row{
		{Source: "ecs.amazonaws.com", Event: "RunTask", Off: "job"},
		{Source: "x.amazonaws.com", Event: "CreateToken", Untaggable: "it takes no tags"},
	}
	for config, want := range map[string][]string{
		"": nil,
		"catalogue: {enable: ['ecs:RunTask', 'ecs:RunTsk'], disable: ['x:*', '*:Run*']}": {`catalogue.enable[1]: "ecs:RunTsk"`, `catalogue.disable[0]: "x:*"`},
		"catalogue: {last-resort: true, enable: ['y:*'], disable: ['y:CreateNew']}":      {`catalogue.enable[0]: "y:*"`},
	} {
		got := parse(t, config).UnmatchedCalls(rows)
		if !slices.EqualFunc(got, want, func(g, w string) bool { return strings.HasPrefix(g, w+" matches no call") }) {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
	if got := policy.Default().UnmatchedCalls(nil); got != nil {
		t.Errorf("the default: %q", got)
	}
}
