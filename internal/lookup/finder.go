package lookup

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/ledger"
	"autotagger/internal/plan"
	"autotagger/internal/policy"
)

// Ledger is what was recorded of sessions, stacks and tags: a [*ledger.Table].
type Ledger interface {
	// All return nil where the ledger has nothing.
	Session(ctx context.Context, id string) (*ledger.Session, error)
	Stack(ctx context.Context, arn string, at time.Time) (*ledger.Operation, error)
	StackSet(ctx context.Context, name, account string, at time.Time) (*ledger.Operation, error)
	Written(ctx context.Context, arns []string) ([]*ledger.Written, error)
}

// Tags reads resources' tags: an [*apply.Applier].
type Tags interface {
	Tags(ctx context.Context, of []apply.Request) []apply.Tags
}

// Config is what a [Finder] needs.
type Config struct {
	// Policy says what is asked at all.
	Policy *policy.Policy
	// Ledger may be nil: then there are no chains, and stacks have no owners.
	Ledger Ledger
	Tags   Tags
	// Caller calls with the credentials of a call's account, Own with the functions'
	// own.
	Caller, Own *awsapi.Caller
	// Account is the only account that Caller's credentials are for; "" where it has
	// each account's own.
	Account   string
	Catalogue *catalogue.Catalogue
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Most is how long the look-ups of a batch may take, 10 s by default, and never more
	// than a quarter of the time that is left.
	Most time.Duration
	// OnLookUp is told of every look-up, from several goroutines at once; nil: nobody.
	OnLookUp func(Kind, Outcome)
}

// Finder finds out what records don't say. It may be used concurrently.
type Finder struct {
	Config
	kinds []parentKind
	cache *cache
	since *since
}

// New returns a Finder. It calls nothing.
func New(c Config) *Finder {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Most == 0 {
		c.Most = most
	}
	return &Finder{Config: c, kinds: parentKinds(), cache: newCache(c.Now), since: &since{by: map[string]time.Time{}}}
}

// Under returns a Finder for another policy, with what this one has learned.
func (f *Finder) Under(p *policy.Policy) *Finder {
	other := *f
	other.Policy = p
	return &other
}

func (f *Finder) told(of Kind, o Outcome) {
	if f.OnLookUp != nil {
		f.OnLookUp(of, o)
	}
}

const (
	// most is Config.Most by default, and share the part of the time left that look-ups
	// may take at most.
	most  = 10 * time.Second
	share = 4
	// atOnce is how many events are looked into at once.
	atOnce = 16
)

// Find looks into plans and returns what it found, in their order. It doesn't fail: what
// couldn't be found out is said in the facts.
func (f *Finder) Find(ctx context.Context, plans []plan.Plan) []plan.Facts {
	facts := make([]plan.Facts, len(plans))
	all := make([]*search, len(plans))
	any := false
	for i, p := range plans {
		all[i] = f.begin(p)
		any = any || all[i].children || all[i].asks()
	}
	if !any {
		return facts
	}
	limit := f.Most
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/share)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f.readOwn(ctx, all, limit/3)
	var g errgroup.Group
	g.SetLimit(atOnce)
	g.Go(func() error { f.findChildren(ctx, all); return nil })
	for _, s := range all {
		if s.asks() {
			g.Go(func() error { s.run(ctx); return nil })
		}
	}
	_ = g.Wait() // they return none
	for i, s := range all {
		facts[i] = s.facts
	}
	return facts
}

// since remembers when a link was first missed, so that what has been missing for long
// isn't waited for again with every event.
type since struct {
	mu sync.Mutex
	by map[string]time.Time
}

// maxSince is how many missing links are remembered; then all are forgotten, which costs
// each one wait.
const maxSince = 4096

// missedFor is for how long that is remembered.
const missedFor = time.Hour

// missed is when the link was first missed.
func (s *since) missed(link string, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, known := s.by[link]
	if !known || now.Sub(first) > missedFor {
		if len(s.by) >= maxSince {
			clear(s.by)
		}
		first = now
		s.by[link] = now
	}
	return first
}
