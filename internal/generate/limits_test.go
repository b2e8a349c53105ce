package generate

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"autotagger/internal/catalogue"
	"autotagger/internal/models"
	"autotagger/internal/plan"
)

func TestLimitOf(t *testing.T) {
	t.Parallel()
	for pattern, c := range map[string]struct {
		max         float64
		want, fault string
	}{
		``:                                {256, "", ""},
		`^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`: {256, "", ""},
		`[\s\S]*`:                         {10_000_000, "", ""},
		`.{0,255}`:                        {256, "max=255", ""},
		`.*`:                              {100, "max=100", ""},
		`[a-zA-Z0-9\s._:/=+@-]*`:          {0, "ascii", ""},
		`[\s\w+-=\.:/@]*`:                 {0, "ascii", ""}, // "+-=" has . / and :
		`^\S+$`:                           {0, "no-space", ""},
		`(?!aws:)[a-zA-Z+-=._:/]+`:        {0, "ascii no-space no=@", ""},
		`[\w\s:+=@/-]*`:                   {0, "ascii no=.", ""},
		`[\p{all}]*`:                      {0, "", ""},
		`(?=.{0,256}$)([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`: {0, "", ""},
		`(?<=x)y`:        {0, "", "reading the pattern (?<=x)y"},
		`[a-z]*`:         {0, "", "takes no A"},
		`x*`:             {0, "", "takes no a"},
		`.{3}`:           {2, "", "takes nothing"},
		`[\p{L}\p{N} ]*`: {0, "", "spaces of ASCII alone"},
	} {
		l, err := limitOf(&models.Shape{Type: "string", Pattern: pattern, Max: c.max}, 256)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", pattern, err, c.fault)
			}
			continue
		}
		if err != nil || l.String() != c.want {
			t.Errorf("%s takes less: %q, want %q: %v", pattern, l, c.want, err)
		}
	}
}

// TestPairsOf: tags are found as a map, as a list, and as CloudFront has them; what
// isn't named so is no tag.
func TestPairsOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want int
	}{
		"map":        {`"Tags": {"shape": "Map"}`, 1},
		"list":       {`"TagList": {"shape": "Pairs"}`, 1},
		"items":      {`"Tags": {"shape": "Items"}`, 1},
		"filter":     {`"Filters": {"shape": "Pairs"}`, 0},
		"parameters": {`"Parameters": {"shape": "Map"}, "Tags": {"shape": "Texts"}`, 0},
	} {
		s := service(t, "svc", awsJSON, `"TagResource": {"input": {"shape": "W"}}`, `"W": {"type": "structure", "members": {`+c.in+`}}, "Items": {"type": "structure", "members": {"Items": {"shape": "Pairs"}}}`)
		if got := pairsOf(s, writesOf(s)); len(got) != c.want {
			t.Errorf("%s: %d", name, len(got))
		}
	}
}

// TestFit: whatever a value was, made to fit it is one that the pattern and the length
// of the service's own model take, and of the Resource Groups Tagging API's; and so is
// every key that is found to fit.
func TestFit(t *testing.T) {
	t.Parallel()
	aws, err := models.Read(context.Background(), "../../build/inputs")
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]*models.Service{}
	for _, s := range aws.Services {
		services[s.Name] = s
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		t.Fatal(err)
	}
	rgta := pairsOf(services["resourcegroupstaggingapi"], []string{"TagResources"})
	if len(rgta) != 1 {
		t.Fatal("the Resource Groups Tagging API has changed")
	}
	type subject struct {
		service string
		limits  catalogue.Limits
	}
	checked := map[subject][]pair{}
	for _, row := range rows {
		for _, r := range row.Resources {
			name, ops := row.Service, []string(nil)
			if r.Calls != nil {
				name, ops = r.Calls.Name, []string{r.Calls.Write.Op}
			}
			s := services[name]
			if r.API == catalogue.APINone || s == nil {
				continue
			}
			if ops == nil {
				ops = writesOf(s)
			}
			if of := (subject{name, r.Limits}); checked[of] == nil {
				checked[of] = append(pairsOf(s, ops), rgta...)
			}
		}
	}
	if len(checked) < 250 {
		t.Fatalf("%d services are too few", len(checked))
	}
	strict := 0
	random := rand.New(rand.NewPCG(1, 2))
	for of, pairs := range checked {
		if of.limits != (catalogue.Limits{}) {
			strict++
		}
		const mail = "alice@example.com"
		taken := true
		for _, p := range pairs {
			value, key := whole(t, p.value), whole(t, p.key)
			taken = taken && value(mail)
			for n := range 200 {
				in := strings.Repeat("a", 70+n) // up to 269, past every length
				if n < 180 {
					in = text(random)
				}
				v := plan.Value(in, of.limits.Values)
				if v != "" && !value(v) {
					t.Fatalf("%s refuses %q, made of %q, by %s", of.service, v, in, p.value.Pattern)
				}
				if plan.Value(v, of.limits.Values) != v {
					t.Fatalf("%s: %q changes when it is made to fit again", of.service, v)
				}
				if k := plan.Value(in, catalogue.Limit{Max: 128}); k != "" && of.limits.Keys.KeyFault(k) == "" && !key(k) {
					t.Fatalf("%s refuses the key %q by %s", of.service, k, p.key.Pattern)
				}
			}
		}
		if survives := plan.Value(mail, of.limits.Values) == mail; survives != taken {
			t.Errorf("%s takes a mail address: %t, and it survives: %t", of.service, taken, survives)
		}
	}
	t.Logf("%d services and limits, of which %d are stricter than most", len(checked), strict)
}

// whole tells what a shape takes by its pattern and length.
func whole(t *testing.T, s *models.Shape) func(string) bool {
	t.Helper()
	matches, err := matcher(s.Pattern)
	if err != nil {
		t.Fatal(err)
	}
	return func(v string) bool {
		return matches(v) && (s.Max == 0 || float64(utf8.RuneCountInString(v)) <= s.Max)
	}
}

// text makes up a text: mostly of what is taken somewhere, now and then very long.
func text(random *rand.Rand) string {
	kinds := []string{plainSamples, markSamples, otherSamples, ",;!*\"'\n\t\r\x00\x7f\u0085\u2028\u200fשלום\U0001F600\xff", "  "}
	n := random.IntN(12)
	if random.IntN(4) == 0 {
		n = 250 + random.IntN(20)
	}
	var b strings.Builder
	for range n {
		kind := []rune(kinds[random.IntN(len(kinds))])
		b.WriteRune(kind[random.IntN(len(kind))])
	}
	return b.String()
}

// TestLimitsByHand: what the file says is taken with what the model says, and what the
// model says as well is a fault.
func TestLimitsByHand(t *testing.T) {
	t.Parallel()
	s := service(t, "svc", awsJSON, `"TagResource": {"input": {"shape": "W"}}`, `"W": {"type": "structure", "members": {"Tags": {"shape": "StrictMap"}}},
		"Strict": {"type": "string", "max": 200, "pattern": "[a-zA-Z0-9 _.:/=+@-]*"}, "StrictMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Strict"}}`)
	g := &generator{byHand: map[string]catalogue.Limits{"svc": {Values: catalogue.Limit{Max: 100}}}}
	l, err := g.limits(s, writesOf(s)...)
	if err != nil || l.Values.String() != "max=100 ascii" || l.Keys.String() != "" {
		t.Errorf("%+v: %v", l, err)
	}
	g.byHand["svc"] = catalogue.Limits{Values: catalogue.Limit{Max: 200}}
	if _, err := g.limits(s, writesOf(s)...); err == nil || !strings.Contains(err.Error(), "take its lines out") {
		t.Errorf("%v", err)
	}
	all, err := readLimits()
	if err != nil || !slices.Contains([]string{"max=255"}, all["elb"].Values.String()) {
		t.Errorf("%v: %v", all, err)
	}
}
