package apply_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"autotagger/internal/apply"
)

// limiter is a Resource Groups Tagging API that lets so many writes through a second,
// and keeps when they came. It has no network, so that it runs in a synctest bubble, on
// the bubble's clock.
type limiter struct {
	rate int // 0: any

	mu        sync.Mutex
	full      time.Time // when all tokens, a second's worth, will be there again
	writes    []time.Time
	throttled int
}

func (l *limiter) Do(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	time.Sleep(40 * time.Millisecond)
	status, body := http.StatusOK, `{"ResourceTagMappingList": [], "FailedResourcesMap": {}}`
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TagResources") && !l.write(time.Now()) {
		status, body = http.StatusBadRequest, `{"__type": "ThrottledException"}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (l *limiter) write(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate > 0 {
		if l.full.Before(now) {
			l.full = now
		}
		if next := l.full.Add(time.Second / time.Duration(l.rate)); next.Sub(now) <= time.Second {
			l.full = next
		} else {
			l.throttled++
			return false
		}
	}
	l.writes = append(l.writes, now)
	return true
}

// within is how many writes there were in a time after another one.
func (l *limiter) within(start time.Time, d time.Duration) int {
	n := 0
	for _, t := range l.writes {
		if t.After(start) && t.Before(start.Add(d)) {
			n++
		}
	}
	return n
}

// paced runs against a limiter on a clock of its own. tag tags so many new resources of
// one person.
func paced(t *testing.T, rate int, run func(l *limiter, tag func(n int))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{rate: rate}
		a := apply.New(aws.Config{Region: region, HTTPClient: l, Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")}, apply.Options{})
		one, made := request(table(0), "tagging"), 0
		run(l, func(n int) {
			reqs := make([]apply.Request, n)
			for i := range reqs {
				reqs[i] = one
				reqs[i].ARN = fmt.Sprintf("%s-%06d", one.ARN, made+i)
				reqs[i].EventTime = time.Now().Add(-time.Minute)
			}
			made += n
			for _, res := range a.Tag(t.Context(), reqs) {
				if res.Outcome != apply.Tagged {
					t.Fatalf("%+v", res)
				}
			}
		})
	})
}

// begins fails unless a burst of twenty writes begins with a second's worth at the
// documented rate of five, and goes on at it.
func begins(t *testing.T, l *limiter, tag func(n int)) {
	t.Helper()
	start := time.Now()
	tag(400)
	if n := l.within(start, 450*time.Millisecond); n < 5 || n > 7 {
		t.Errorf("%d calls in less than half a second, want 5 and 5 more a second", n)
	}
}

// TestPaceLimited: where AWS lets five calls through a second, no more than a tenth of
// the time is wasted.
func TestPaceLimited(t *testing.T) {
	t.Parallel()
	paced(t, 5, func(l *limiter, tag func(int)) {
		start := time.Now()
		tag(1000)
		took, least := time.Since(start), time.Duration(len(l.writes))*time.Second/5
		t.Logf("%d calls and %d throttled ones in %v", len(l.writes), l.throttled, took)
		if took > least*11/10+time.Second {
			t.Errorf("%v for calls that take %v", took, least)
		}
		if len(l.writes) != 50 {
			t.Errorf("%d calls for a thousand resources, twenty a call", len(l.writes))
		}
	})
}

// TestPaceRises: where AWS lets more through, more is asked for, as long as there is so
// much to do.
func TestPaceRises(t *testing.T) {
	t.Parallel()
	paced(t, 0, func(l *limiter, tag func(int)) {
		begins(t, l, tag)
		start := time.Now()
		tag(10000)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("500 calls took %v", took)
		}
		time.Sleep(time.Minute)
		begins(t, l, tag)
	})
}

// TestPaceSteady: calls below the rate don't raise it, however many they become.
func TestPaceSteady(t *testing.T) {
	t.Parallel()
	paced(t, 0, func(l *limiter, tag func(int)) {
		for range 200 {
			tag(1)
			time.Sleep(260 * time.Millisecond)
		}
		time.Sleep(time.Second)
		begins(t, l, tag)
	})
}
