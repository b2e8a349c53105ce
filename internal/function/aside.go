package function

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"autotagger/internal/schedule"
)

// KeyReceives is a log line's key of how often a message was received.
const KeyReceives = "receives"

// spared is how many receives more than its tries a message may have before it is
// suspected: functions are cut off for other reasons, too.
const spared = 3

// asideFor is for how long at most a message is set aside: about as long as those come
// back after that a function has died of, so that the two part.
const asideFor = 6 * time.Minute

// part sets half of the messages aside that may be the one of which functions die: those
// that were received more often than they were tried. The queue shows what a dead
// function had all at once again, so that a batch would die of the same message until
// the queue gives up on all of it. By halves the others get away, each at another time.
func (d desk) part(ctx context.Context, all []events.SQSMessage) (now []events.SQSMessage, aside []events.SQSBatchItemFailure) {
	var suspects []int
	for i, m := range all {
		if receives(m) > schedule.Tries(d.since(m))+spared {
			suspects = append(suspects, i)
		}
	}
	if len(suspects) < 2 || d.queue == nil {
		return all, nil
	}
	rand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
	var hidden []Hidden
	away := map[int]bool{}
	for _, i := range suspects[:len(suspects)/2] {
		away[i] = true
		hidden = append(hidden, Hidden{Receipt: all[i].ReceiptHandle, For: rand.N(asideFor)})
	}
	d.hide(ctx, hidden)
	for i, m := range all {
		if !away[i] {
			now = append(now, m)
			continue
		}
		d.log.LogAttrs(ctx, slog.LevelWarn, "set aside", slog.String(KeyMessageID, m.MessageId), slog.String(KeyReceives, m.Attributes["ApproximateReceiveCount"]))
		aside = append(aside, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	return now, aside
}
