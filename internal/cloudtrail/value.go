package cloudtrail

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// Value is a JSON value inside a record, parsed only as far as it is asked.
// The zero Value is an absent one; every method works on it.
type Value struct{ r gjson.Result }

// ParseValue takes a text that is known to be valid JSON.
func ParseValue(json string) Value { return value(gjson.Parse(json)) }

// value unwraps the objects that some services log as a JSON text inside a
// string.
func value(r gjson.Result) Value {
	if r.Type == gjson.String {
		if t := strings.TrimSpace(r.Str); strings.HasPrefix(t, "{") && json.Valid([]byte(t)) {
			return Value{gjson.Parse(t)}
		}
	}
	return Value{r}
}

// Exists reports whether there is a value other than null.
func (v Value) Exists() bool { return v.r.Type != gjson.Null }

// IsText reports whether the value is a string, or EC2's wrapper of one.
func (v Value) IsText() bool {
	return v.r.Type == gjson.String || v.r.IsObject() && v.Key("content").r.Type == gjson.String
}

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return v.r.IsObject() }

// IsArray reports whether the value is an array.
func (v Value) IsArray() bool { return v.r.IsArray() }

// Key returns the member of an object, its name matched without case:
// CloudTrail lowers the first letter of a service's names (dBInstanceArn, aRN)
// but not everywhere. An exact match wins over one that differs in case.
func (v Value) Key(name string) Value {
	var found gjson.Result
	v.each(func(key string, val gjson.Result) bool {
		if key == name {
			found = val
			return false
		}
		if !found.Exists() && strings.EqualFold(key, name) {
			found = val
		}
		return true
	})
	return value(found)
}

// each calls f with every member of an object until it returns false.
func (v Value) each(f func(key string, val gjson.Result) bool) {
	if !v.r.IsObject() {
		return
	}
	v.r.ForEach(func(k, val gjson.Result) bool { return f(k.Str, val) })
}

// Each calls f with every member of an object, in order.
func (v Value) Each(f func(key string, val Value)) {
	v.each(func(key string, val gjson.Result) bool {
		f(key, value(val))
		return true
	})
}

// Elements returns the members of a list in whichever form it was logged:
// a plain array, EC2's {"items":[…]}, the XML wrappers {"item":…} and
// {"member":…} around one or many, or a lone value where there was one only.
// Absent, null and "" (an empty XML element) are empty lists.
func (v Value) Elements() []Value {
	switch {
	case !v.Exists(), v.r.Type == gjson.String && v.r.Str == "":
		return nil
	case v.r.IsArray():
		var all []Value
		v.r.ForEach(func(_, val gjson.Result) bool {
			all = append(all, value(val))
			return true
		})
		return all
	case v.r.IsObject():
		// A wrapper has no other member, but for the number and the namespace
		// that come from the XML: a tag may be called "item" too.
		inner, wraps, members := Value{}, false, 0
		v.each(func(key string, val gjson.Result) bool {
			switch key {
			case "tag", "xmlns":
				return true
			case "items", "item", "member":
				inner, wraps = Value{val}, true
			}
			members++
			return true
		})
		if wraps && members == 1 {
			return inner.Elements()
		}
		if v.r.Raw == "{}" {
			return nil
		}
	}
	return []Value{v}
}

// Text returns a scalar as text: strings as they are, numbers and booleans as
// they were written, and the content of EC2's {"tag":1,"content":"vpc-…"}.
// Anything else is "".
func (v Value) Text() string {
	switch v.r.Type {
	case gjson.String:
		return v.r.Str
	case gjson.Number, gjson.True, gjson.False:
		return v.r.Raw
	case gjson.JSON:
		if v.r.IsObject() {
			var content gjson.Result
			v.each(func(key string, val gjson.Result) bool {
				if key == "content" {
					content = val
				}
				return content.Type == gjson.Null
			})
			if content.Type != gjson.JSON {
				return Value{content}.Text()
			}
		}
	}
	return ""
}

// True reports whether the value is the boolean true, or says so as a string.
func (v Value) True() bool {
	return v.r.Type == gjson.True || v.r.Type == gjson.String && strings.EqualFold(v.r.Str, "true")
}

// Any reports whether one of the texts anywhere in the value matches.
func (v Value) Any(match func(text string) bool) bool {
	if v.r.Type == gjson.String {
		return match(v.r.Str)
	}
	found := false
	if v.r.IsObject() || v.r.IsArray() {
		v.r.ForEach(func(_, member gjson.Result) bool {
			found = value(member).Any(match)
			return !found
		})
	}
	return found
}
