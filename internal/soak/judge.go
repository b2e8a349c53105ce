package soak

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"autotagger/internal/apply"
	"autotagger/internal/schedule"
)

// Verdict is what became of a world.
type Verdict struct {
	// Wrong is what isn't as it must be, a line each.
	Wrong []string
	// Ends are how many events came to which end.
	Ends map[string]int
	// Receives is how often the queue delivered the unluckiest event at which nothing
	// is special.
	Receives int
}

// Judge compares what became of every message and resource with what was due.
func (w *World) Judge() Verdict {
	v := Verdict{Ends: map[string]int{}}
	wrong := func(format string, args ...any) { v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...)) }
	letters := map[string][]letter{}
	for _, l := range w.Queue.letters {
		letters[l.body] = append(letters[l.body], l)
		if l.reason == "" {
			wrong("a dead letter has no reason: %.200s", l.body)
		}
	}
	dead, anew := map[string]int{}, map[string]int{} // messages that ended as letters, or in new ones, by body
	for _, m := range w.Queue.all {
		end, why := w.judge(m, letters[m.body])
		v.Ends[end]++
		if m.res != nil && m.res.destiny == plain {
			v.Receives = max(v.Receives, m.receives)
		}
		if why != "" {
			wrong("%s, received %d times in %v: %s", m.what(), m.receives, m.goneAt.Sub(m.first).Round(time.Second), why)
		}
		if m.line != nil && m.line.end == "dead-letter" {
			dead[m.body]++
		}
		if m.line != nil && m.line.end == "again" {
			anew[m.body]++
		}
	}
	for body, ms := range w.Queue.byBody {
		excused := slices.ContainsFunc(ms, func(m *message) bool { return m.excused })
		switch n := len(letters[body]); {
		case n < dead[body], n > dead[body] && !excused:
			wrong("%s: %d letters for %d messages that ended so", ms[0].what(), n, dead[body])
		}
		n := 0
		for _, m := range ms {
			if m.denied != "" {
				n++
			}
		}
		if n < anew[body] || n > anew[body] && !excused {
			wrong("%s: sent anew %d times for %d messages that were denied", ms[0].what(), n, anew[body])
		}
	}
	for _, r := range w.all {
		if why := r.judge(); why != "" {
			wrong("%s (%s, made by %s): %s", r.arn, r.destiny, r.creator, why)
		}
	}
	return v
}

func (m *message) what() string {
	if m.res == nil {
		return fmt.Sprintf("%s %.40q", m.id, m.body)
	}
	return fmt.Sprintf("%s of %s (%s)", m.id, m.res.arn, m.res.destiny)
}

// judge says which end a message came to, and what is wrong with that.
func (w *World) judge(m *message, letters []letter) (end, wrong string) {
	switch {
	case m.redriven && m.due == "redriven":
		return "redriven: it killed its function", ""
	case m.redriven:
		return "redriven", "the queue gave it up"
	case !m.gone:
		return "lost", "it has no end"
	case m.line == nil || m.acks != 1:
		return "unsaid", fmt.Sprintf("acknowledged %d times, the log says %v of it", m.acks, m.line)
	case m.line.end == "again" && slices.ContainsFunc(w.Queue.byBody[m.body], func(n *message) bool { return n != m && n.denied != "" }) && m.denied == "":
		return "denied, and sent anew", ""
	case m.line.end == "dead-letter":
		end = "dead letter: " + m.line.reason
	case m.line.end == "done" && len(m.line.outcomes) > 0:
		end = m.line.outcomes[0]
	case m.line.end == "done":
		end = "skipped: " + m.line.outcome
	default:
		return "unsaid", "acknowledged, though the log says " + m.line.end
	}
	if m.res == nil {
		if m.line.end != m.due {
			wrong = "it ended as " + end
		}
		return end, wrong
	}
	if len(m.line.outcomes) != 1 {
		return end, fmt.Sprintf("it is of %d resources: %+v", len(m.line.outcomes), m.line)
	}
	if !m.res.due(m, w) {
		wrong = fmt.Sprintf("it ended as %s; its tags are %v, AWS denied it at %v", end, m.res.tags, m.res.denials)
	}
	return end, wrong
}

// due reports whether an end is one that a resource of its destiny may have.
func (r *resource) due(m *message, w *World) bool {
	end := m.line
	outcome, why, _ := strings.Cut(end.outcomes[0], " ")
	switch outcome {
	case "tagged":
		// A deleted one may have been tagged before it was, or be tagged by name only:
		// either way AWS has taken it.
		return end.end == "done" && len(r.written) > 0
	case "unchanged":
		return end.end == "done" && r.tags["creator"] != ""
	case "skipped":
		switch why {
		case "tag-limit":
			return r.destiny == full
		case "superseded":
			return r.destiny == deleted
		}
		return false
	case "denied":
		// It was sent anew, and AWS denied that.
		return len(r.denials) > 0 && m.denied != ""
	case "failed":
		return end.end == "dead-letter" && (r.destiny == cursed || r.destiny == full)
	case "retry":
		return end.end == "dead-letter" && (r.destiny == stuck || why == apply.WhyRole && r.account == unassumable) && m.goneAt.Sub(m.first) >= schedule.Patience-time.Hour
	}
	return false
}

// judge says what is wrong with a resource's tags.
func (r *resource) judge() string {
	for k, v := range r.foreign {
		if r.tags[k] != v {
			return fmt.Sprintf("its tag %s=%s is %q now", k, v, r.tags[k])
		}
	}
	for k, v := range r.tags {
		if _, theirs := r.foreign[k]; !theirs && (k != "creator" || v != r.creator) {
			return fmt.Sprintf("it has the tag %s=%s", k, v)
		}
	}
	if _, stood := r.foreign["creator"]; stood && len(r.written) > 0 {
		return fmt.Sprintf("its creator stood, and %q was written over it", r.written)
	}
	for _, value := range r.written {
		if value != r.creator {
			return fmt.Sprintf("the creators %q were written", r.written)
		}
	}
	if closed := len(r.denials) > 0; (r.destiny == plain || r.destiny == slow) && r.tags["creator"] == "" && !closed {
		return "it isn't tagged"
	}
	return ""
}
