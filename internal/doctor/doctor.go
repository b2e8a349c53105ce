package doctor

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"autotagger/internal/catalogue"
	"autotagger/internal/policy"
)

// Status says how bad a finding is.
type Status string

// The statuses. Warn is what works but misses something, or will soon; Fail is
// what keeps resources from being tagged, or loses events; Unknown is what could
// not be looked at.
const (
	OK      Status = "ok"
	Info    Status = "info"
	Warn    Status = "warn"
	Unknown Status = "unknown"
	Fail    Status = "fail"
)

// Finding is one thing that was looked at.
type Finding struct {
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Subject string `json:"subject"` // what was looked at: a region, a queue, a trail
	Found   string `json:"found"`
	Do      string `json:"do"` // what helps: a command, or a page; empty where nothing is wrong
}

// Healthy reports whether nothing is wrong and all could be looked at.
func Healthy(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == Fail || f.Status == Unknown })
}

// Options are the choices of [Examine]. The zero value is usable.
type Options struct {
	// File is the configuration that is deployed, or about to be; empty if there is
	// none.
	File string
	// Organization asks for the checks of an organisation although no hub for one is
	// there yet.
	Organization bool
	// Drained asks only whether a message is left in any queue.
	Drained bool
	// Unloaded is why the SDK's configuration could not be read, if so.
	Unloaded error
	// Limit is how long each check may take, 30 s by default.
	Limit time.Duration
	// Now is the clock, time.Now by default.
	Now func() time.Time
}

// visit is one examination: what is known of the account before the checks begin.
type visit struct {
	cfg aws.Config
	// unloaded is why there is no cfg
	unloaded error
	limit    time.Duration
	now      func() time.Time

	policy   *policy.Policy
	deployed string           // the file that policy is of; empty if it is the default
	rows     []*catalogue.Row // of the calls that are handled
	// spokeLookUps and ownLookUps are the actions that look-ups take, in the accounts of
	// events and in the hub's.
	spokeLookUps, ownLookUps []string

	account, region, partition string
	principal                  string // whose credentials these are

	hub          *stack // nil if it isn't deployed, or can't be seen
	functions    []job
	organization bool
	regions      []string // all that the account has enabled, as far as that can be known
}

// check looks at one thing.
type check struct {
	name string
	run  func(*visit, context.Context) []Finding
}

// ofHub is a check of what only a deployment has.
func ofHub(run func(*visit, context.Context) []Finding) func(*visit, context.Context) []Finding {
	return func(v *visit, ctx context.Context) []Finding {
		if v.hub == nil {
			return nil
		}
		return run(v, ctx)
	}
}

// checks are in the order of the output.
func checks() []check {
	return []check{
		{"trail", (*visit).trails},
		{"bootstrap", (*visit).bootstrap},
		{"rules", ofHub((*visit).rules)},
		{"regions", ofHub((*visit).forwarding)},
		{"events", ofHub((*visit).events)},
		{"queues", ofHub((*visit).queues)},
		{"functions", (*visit).lambdas},
		{"writing", ofHub((*visit).parameters)},
		{"look-ups", ofHub((*visit).lookUps)},
		{"permissions", ofHub((*visit).permissions)},
		{"scp", (*visit).controlPolicies},
		{"stacksets", (*visit).stackSets},
		{"cost-tags", (*visit).costTags},
	}
}

// Examine looks at everything and returns what it found, in the order of
// docs/doctor.md.
func Examine(ctx context.Context, cfg aws.Config, o Options) []Finding {
	v := &visit{cfg: cfg, limit: cmp.Or(o.Limit, 30*time.Second), now: o.Now, unloaded: o.Unloaded, organization: o.Organization}
	if v.now == nil {
		v.now = time.Now
	}
	if o.Drained {
		return v.drained(ctx, o.File)
	}
	findings := v.configuration(o.File)
	identity, ok := v.identify(ctx)
	findings = append(findings, identity...)
	if ok {
		findings = append(findings, v.survey(ctx)...)
		findings = append(findings, v.runAll(ctx, checks())...)
	}
	return append(findings, v.terraform()...)
}

// runAll runs checks at the same time.
func (v *visit) runAll(ctx context.Context, checks []check) []Finding {
	return slices.Concat(each(checks, func(c check) []Finding {
		ctx, cancel := context.WithTimeout(ctx, v.limit)
		defer cancel()
		findings := c.run(v, ctx)
		for i := range findings {
			findings[i].Check = cmp.Or(findings[i].Check, c.name)
		}
		return findings
	})...)
}

// survey finds what the checks build on.
func (v *visit) survey(ctx context.Context) []Finding {
	return v.runAll(ctx, []check{{"stack", func(v *visit, ctx context.Context) []Finding {
		findings := v.findHub(ctx)
		v.findFunctions(ctx)
		return append(findings, v.findRegions(ctx)...)
	}}})
}

// atOnce is how many of one check's calls are under way at the same time: AWS's
// control planes throttle by account.
const atOnce = 8

// each calls f for each item, several at a time, and returns the results in order.
func each[T, R any](items []T, f func(T) R) []R {
	results := make([]R, len(items))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = f(item)
		})
	}
	wg.Wait()
	return results
}
