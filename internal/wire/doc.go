// Package wire holds no code, only a test in a module of its own: it compares
// what package apply sends with what the SDK's clients send, and links them.
package wire
