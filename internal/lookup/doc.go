// Package lookup finds out what an event's record doesn't say.
package lookup
