package soak

import (
	"fmt"
	"hash/fnv"
)

// Seed is what everything is drawn from.
type Seed uint64

// draw is a number from 0 up to 1 that belongs to the words.
func (s Seed) draw(words ...any) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, uint64(s))
	for _, w := range words {
		fmt.Fprint(h, "\x00", w)
	}
	// FNV leaves neighbours close to one another: splitmix64's last steps part them.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}

// pick is one of several.
func pick[T any](s Seed, from []T, words ...any) T {
	return from[int(s.draw(words...)*float64(len(from)))]
}
