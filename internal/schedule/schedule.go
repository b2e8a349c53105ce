// Package schedule says when an event that could not be handled is tried again: 1, 2,
// 5, 15, 30 and 60 minutes after one another, then hourly, for twelve hours. Most
// resources can be tagged within seconds of their creation, clusters and databases
// after minutes, and what AWS or a person has to mend takes hours.
package schedule

import "time"

// Patience is how long an event is tried at most.
const Patience = 12 * time.Hour

// Denied is when a call that was denied is tried once more: a permission or policy
// may be on its way.
const Denied = 15 * time.Minute

// shortest is the least that is worth waiting for.
const shortest = 30 * time.Second

// crashes is how many receives a message may lose to functions that died, or that
// ran out of time before they came to it.
const crashes = 15

// tries are when an event is tried again, counted from the first time.
func tries() []time.Duration {
	var all []time.Duration
	at := time.Duration(0)
	for _, pause := range []time.Duration{1, 2, 5, 15, 30, 60} {
		at += pause * time.Minute
		all = append(all, at)
	}
	for at += time.Hour; at <= Patience; at += time.Hour {
		all = append(all, at)
	}
	return all
}

// Next returns how long to wait before an event that was first tried so long ago is
// tried again. ok is false where it was tried for long enough.
func Next(since time.Duration) (pause time.Duration, ok bool) {
	for _, at := range tries() {
		if at-since >= shortest {
			return at - since, true
		}
	}
	return 0, false
}

// Tries is how often an event was to be tried by now that was first tried so long ago,
// the first time included.
func Tries(since time.Duration) int {
	n := 1
	for _, at := range tries() {
		if at-since < shortest { // as Next, so that each wait for it makes one more
			n++
		}
	}
	return n
}

// Receives is how often a message may be received before the queue takes it for one
// that kills its function: more often than the schedule has tries.
func Receives() int { return 1 + len(tries()) + crashes }
