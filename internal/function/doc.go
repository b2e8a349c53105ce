// Package function is what the Lambda functions share: they take batches of
// queue messages, each with an EventBridge event, run the pipeline over a whole
// batch, log one line for each event, and count.
//
// # What becomes of a message
//
// Each has one [End], decided in ends.go. It is acknowledged when its event is done
// with: tagged, already as wanted, skipped for a reason, or denied twice; at the first
// denial the function puts the event into the queue anew, marked and with a timer. What
// can't be done yet is hidden until the schedule's next try (package schedule) and
// reported as failed (ReportBatchItemFailures). What never can be, a message that can't
// be read among it, and what wasn't possible for the whole schedule, the function itself
// sends to the dead-letter queue, with the reason as an attribute, and acknowledges. Nothing
// is acknowledged that SQS hasn't taken. The queue's own count of receives is for
// messages that kill their function.
//
// A message that functions die of takes its batch along: of messages that were received
// more often than they were tried, half are set aside, so that the others get away from
// the one.
//
// # The ledger's function
//
// A [Recorder] takes batches in the same way, and writes what package ledger reads out of
// their events into its table. It needs no configuration.
//
// # Logs
//
// One line of JSON an event, with the keys of the Key constants; the whole
// event only at debug level. The ledger's has one line a batch, and more only of events
// that it couldn't record: it sees every role that is assumed. Where the configuration
// asks for it, a line "tags removed" for each call that takes our tags away.
//
// # Metrics
//
// Lines in CloudWatch's embedded metric format, namespace Autotagger, a set for
// each invocation. docs/metrics.md has each by name, unit and dimensions.
//
// # Which policy holds
//
// The one that the function was deployed with, or what package live finds instead.
// When it changes while a batch is being handled, what isn't done comes again.
package function
