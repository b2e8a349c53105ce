package cloudtrail

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/tidwall/gjson"
)

// Record is what [Read] found at one place of its input: an event, or the
// error that says why there is none.
type Record struct {
	N     int    // counts from 1 within the input
	Event *Event // with an Err: what could be read of it, or nil
	Err   error  // an [*Error]
	// Received is when it was first in hand, of what a queue delivers again: zero if
	// that isn't known.
	Received time.Time
}

// Read yields every record of an input in order, whatever form it has (see the
// package's documentation); the form is recognised, not declared. A part that
// can't be read is a Record with an error, and reading goes on behind it.
func Read(r io.Reader) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		n := 0
		emit := func(e *Event, err error) bool {
			n++
			return yield(Record{N: n, Event: e, Err: err})
		}
		data, err := contents(r)
		for doc, fault := range documents(data) {
			if fault != nil {
				if !emit(nil, fault) {
					return
				}
				continue
			}
			if !unpack(gjson.ParseBytes(doc), emit) {
				return
			}
		}
		switch {
		case err != nil:
			emit(nil, malformed("reading the input: %v", err))
		case len(bytes.TrimSpace(data)) == 0:
			emit(nil, malformed("the input is empty"))
		}
	}
}

// contents reads all of the input, unpacked where it is gzipped. With an error
// come the bytes before it.
func contents(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(r)
	if err != nil || !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), err
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// documents yields the JSON documents that stand one behind the other: the
// whole input is one, or each begins in the first column of a line and the
// inner lines of one written over several are indented or close a bracket.
// At one that is broken it yields the fault and goes on at the next.
func documents(data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if json.Valid(data) {
			yield(data, nil)
			return
		}
		for rest := trim(data); len(rest) > 0; rest = trim(rest) {
			part := rest[:nextStart(rest)]
			rest = rest[len(part):]
			// A line may hold many, as those that Firehose delivers.
			for part = trim(part); len(part) > 0; part = trim(part) {
				doc, size, err := first(part)
				if err != nil {
					at := len(data) - len(rest) - len(part) + errorOffset(err)
					doc, size, err = nil, len(part), malformed("no valid JSON at byte %d: %v", at, err)
				}
				if !yield(doc, err) {
					return
				}
				part = part[size:]
			}
		}
	}
}

// trim cuts the white space before a document.
func trim(data []byte) []byte { return bytes.TrimLeft(data, " \t\r\n") }

// first returns the document that data begins with, and its size.
func first(data []byte) (doc []byte, size int, err error) {
	if json.Valid(data) {
		return data, len(data), nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, 0, err
	}
	return raw, int(dec.InputOffset()), nil
}

// nextStart returns where the next document may begin, at least.
func nextStart(data []byte) int {
	for i, c := range data {
		if c == '\n' && i+1 < len(data) && bytes.IndexByte([]byte(" \t\r\n}]"), data[i+1]) < 0 {
			return i + 1
		}
	}
	return len(data)
}

func errorOffset(err error) int {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return int(syntax.Offset)
	}
	return 0
}

// unpack emits what a document holds. It returns false when emit did.
func unpack(doc gjson.Result, emit func(*Event, error) bool) bool {
	if doc.IsArray() {
		return all(doc, func(v gjson.Result) bool { return unpack(v, emit) })
	}
	if events := doc.Get("Events"); events.IsArray() {
		return all(events, func(v gjson.Result) bool { return emit(Decode(v.Get("CloudTrailEvent").Str)) })
	}
	records := doc.Get("Records")
	if !records.IsArray() {
		return emit(decode(doc))
	}
	return all(records, func(v gjson.Result) bool {
		if v.Get("eventSource").Str != "aws:sqs" {
			return emit(decode(v))
		}
		if body := v.Get("body"); body.Type == gjson.String {
			return emit(Decode(body.Str))
		}
		return emit(nil, malformed("the SQS message has no body"))
	})
}

// all calls f with the members of an array until it returns false, and returns
// whether it never did.
func all(array gjson.Result, f func(gjson.Result) bool) bool {
	more := true
	array.ForEach(func(_, v gjson.Result) bool {
		more = f(v)
		return more
	})
	return more
}
