// Package soak is the fault harness: the function's real handler, fed by an SQS that
// is told as AWS documents it, against an AWS that throttles, delays, breaks
// connections, answers with half an answer, refuses single resources, doesn't know
// new ones yet and denies whole services, while functions are cut off by their
// deadline or killed. After that every resource has its own creator's tags, or its
// event has the end that is due to it, and exactly one.
//
// # How it runs
//
// Everything runs in a bubble of package testing/synctest, whose clock jumps to the
// next moment at which anything happens: the function's deadline, its pauses and
// rates, the SDK's retries and the queue's twelve hours are the real code on that
// clock. The two sides speak HTTP over pipes in memory, since a bubble can't wait for
// a network.
//
//   - [World] is AWS: resources, their tags, the calls that read and write them
//     (aws.go, own.go), and CloudTrail's history.
//   - [Queue] is SQS.
//   - [Fleet] is Lambda: several functions that take batches.
//   - [World.Judge] says what isn't as it must be.
//
// # The seed
//
// What becomes of a resource and which call meets which fault are drawn from the
// seed, the call's own words and how often it was made: a seed meets the same faults
// again, as far as the calls are the same. The order in which goroutines run isn't
// drawn, and the SDK's jitter isn't either.
package soak
