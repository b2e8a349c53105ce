// Package redrive looks at dead letters and sends them back to where they are handled.
//
// # Three queues
//
// What the tagger and the cors function gave up on lies in a dead-letter queue of each,
// with an attribute that says why; what lacks it was moved by SQS itself, because it was
// received too often. What EventBridge could not deliver lies in a third queue, with
// EventBridge's own attributes, and belongs to the function that the rule sends to.
// [Find] gets the queues' URLs from the hub's stack.
//
// # On the desk
//
// SQS can't be asked what is in a queue: messages are received, which hides them from
// everybody else for a while. [Open] receives all of them, [Desk.Letters] are what was
// received, [Desk.Replay] sends some back, and [Desk.Close] lets the others be seen
// again. If the program dies between, they show after [Hidden].
//
// All are received before any is sent: a letter that fails again at once becomes another
// letter, and would be sent round for ever.
//
// # Nothing is lost
//
// A letter is deleted only once the function's queue has taken its body, on SQS's word.
// Where deleting fails, the event is handled twice, which changes nothing: what is tagged
// is left as it is.
package redrive
