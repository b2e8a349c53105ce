package schedule_test

import (
	"testing"
	"time"

	"autotagger/internal/schedule"
)

// TestNext walks the schedule on a clock of its own.
func TestNext(t *testing.T) {
	t.Parallel()
	want := []time.Duration{1, 2, 5, 15, 30, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60} // minutes
	since, tries := time.Duration(0), 1
	for i := 0; ; i++ {
		pause, ok := schedule.Next(since)
		if !ok {
			if i != len(want) || since > schedule.Patience || since < schedule.Patience-time.Hour {
				t.Errorf("it ends after %d pauses, at %v", i, since)
			}
			break
		}
		if i >= len(want) || pause != want[i]*time.Minute {
			t.Fatalf("pause %d is %v", i, pause)
		}
		since += pause
		tries++
	}
	if n := schedule.Receives(); n <= tries || n > 1000 {
		t.Errorf("a message is received %d times at most, and tried %d times", n, tries)
	}
}

// TestNextIsLate: a try that comes late doesn't move the others, and none is at once.
func TestNextIsLate(t *testing.T) {
	t.Parallel()
	for since := time.Duration(0); since < 13*time.Hour; since += 7 * time.Second {
		pause, ok := schedule.Next(since)
		if ok && (pause < 30*time.Second || pause > 62*time.Minute || since+pause > schedule.Patience) {
			t.Fatalf("after %v the next try is in %v", since, pause)
		}
		if !ok && since < schedule.Patience-time.Hour {
			t.Fatalf("after %v there is no other", since)
		}
	}
}
