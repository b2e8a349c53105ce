package lookup

import (
	"context"
	"errors"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"autotagger/internal/apply"
	"autotagger/internal/awsapi"
)

// Kind is what is looked up, as steps, logs and metrics call it.
type Kind string

// The kinds.
const (
	Session   Kind = "session"             // who began it, in the ledger
	Stack     Kind = "stack"               // its operation in the ledger, or what CloudFormation says of it
	StackSet  Kind = "stack-set"           // likewise
	Parent    Kind = "parent"              // what a resource was made for
	Resource  Kind = "resource"            // the resource's own tags
	Principal Kind = "principal"           // a user or role of IAM
	Account   Kind = "account"             // its tags in Organizations
	Unit      Kind = "organizational-unit" // what an account or unit is in
	User      Kind = "user"                // of IAM Identity Center
	Children  Kind = "children"            // what came with a resource
)

// Outcome is what became of a look-up.
type Outcome string

// The outcomes. All but the first took a call, or several.
const (
	Hit    Outcome = "hit"    // answered from the cache, or by another that was under way
	Found  Outcome = "found"  //
	Absent Outcome = "absent" // there is no such thing, or not yet
	Denied Outcome = "denied" // AWS refused the caller
	Failed Outcome = "failed" // AWS was down, or the time was up
)

// For how long answers are kept. A link that isn't there yet may be within seconds.
const (
	keepLink    = time.Hour        // what doesn't change any more: a session, a stack's parent, a user's name
	keepTags    = 5 * time.Minute  // tags of parents
	keepOwner   = 30 * time.Second // a stack's latest operation
	keepAccount = 15 * time.Minute // tags of principals and accounts, and units
	keepMissing = 10 * time.Second
	keepDenied  = time.Minute
	keepFailed  = 15 * time.Second
)

// size is how many answers are kept, mostly of a kilobyte or less.
const size = 4096

// errAbsent is the answer that there is no such thing, or not yet; errElsewhere that it is
// in an account that isn't asked.
var (
	errAbsent    = errors.New("not there")
	errElsewhere = errors.New("in another account")
)

// cache keeps answers, failures among them, and collapses look-ups of the same thing.
type cache struct {
	now func() time.Time
	all *lru.Cache[string, kept]
	one singleflight.Group
}

type kept struct {
	value   any
	err     error
	expires time.Time
}

func newCache(now func() time.Time) *cache {
	all, _ := lru.New[string, kept](size) // fails for a size below one only
	return &cache{now: now, all: all}
}

func (c *cache) get(key string) (kept, bool) {
	k, ok := c.all.Get(key)
	if ok && !c.now().Before(k.expires) {
		return kept{}, false
	}
	return k, ok
}

func (c *cache) put(key string, k kept, keep time.Duration) {
	k.expires = c.now().Add(keep)
	c.all.Add(key, k)
}

// look answers from the cache, or by one call however many ask at once. keep says how long
// an answer holds; how long others do is the same for all.
func look[T any](ctx context.Context, f *Finder, of Kind, id string, keep func(T) time.Duration, call func(context.Context) (T, error)) (T, error) {
	key := string(of) + " " + id
	if k, ok := f.cache.get(key); ok {
		f.told(of, Hit)
		value, _ := k.value.(T)
		return value, k.err
	}
	mine := false
	v, err, _ := f.cache.one.Do(key, func() (any, error) {
		// Another may have answered since.
		if k, ok := f.cache.get(key); ok {
			return k.value, k.err
		}
		mine = true
		if err := ctx.Err(); err != nil {
			return nil, err // nothing was asked
		}
		value, err := call(ctx)
		hold := keepOf(err)
		if err == nil {
			hold = keep(value)
		}
		f.cache.put(key, kept{value: value, err: err}, hold)
		return value, err
	})
	if mine {
		f.told(of, outcome(err))
	} else {
		f.told(of, Hit)
	}
	value, _ := v.(T)
	return value, err
}

// always is a keep of one duration.
func always[T any](d time.Duration) func(T) time.Duration {
	return func(T) time.Duration { return d }
}

func keepOf(err error) time.Duration {
	switch outcome(err) {
	case Absent:
		return keepMissing
	case Denied:
		return keepDenied
	}
	return keepFailed
}

// outcome is what an error means. Codes decide, as package apply's fates.
func outcome(err error) Outcome {
	var unassumed *apply.Unassumed
	switch fate, _ := apply.Fate(err); {
	case err == nil:
		return Found
	case errors.Is(err, errAbsent) || gone(awsapi.Code(err)):
		return Absent
	case fate == apply.Denied || errors.Is(err, errElsewhere) || errors.As(err, &unassumed):
		return Denied
	}
	return Failed
}

// gone reports whether a code says that there is no such thing.
func gone(code string) bool {
	for _, part := range []string{"NotFound", "NoSuch", "DoesNotExist", "NonExistent"} {
		if strings.Contains(code, part) {
			return true
		}
	}
	return false
}

// why is an error in a few words, for people.
func why(err error) string {
	o := outcome(err)
	_, code := apply.Fate(err)
	switch {
	case o == Absent:
		return errAbsent.Error()
	case errors.Is(err, errElsewhere):
		return errElsewhere.Error()
	}
	return string(o) + ": " + code
}
