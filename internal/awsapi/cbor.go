package awsapi

import (
	"fmt"

	"github.com/aws/smithy-go/encoding/cbor"
)

// A few services speak CBOR and nothing else. Its values are turned into those
// that a JSON body has: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html

// cborBody is a request's fields in CBOR.
func cborBody(fields map[string]any) ([]byte, error) {
	v, err := toCBOR(fields)
	if err != nil {
		return nil, err
	}
	return cbor.Encode(v), nil
}

func toCBOR(v any) (cbor.Value, error) {
	switch v := v.(type) {
	case string:
		return cbor.String(v), nil
	case map[string]string:
		m := cbor.Map{}
		for k, e := range v {
			m[k] = cbor.String(e)
		}
		return m, nil
	case map[string]any:
		m := cbor.Map{}
		for k, e := range v {
			c, err := toCBOR(e)
			if err != nil {
				return nil, err
			}
			m[k] = c
		}
		return m, nil
	case []string:
		l := cbor.List{}
		for _, e := range v {
			l = append(l, cbor.String(e))
		}
		return l, nil
	case []map[string]string:
		l := cbor.List{}
		for _, e := range v {
			c, err := toCBOR(e)
			if err != nil {
				return nil, err
			}
			l = append(l, c)
		}
		return l, nil
	}
	return nil, fmt.Errorf("writing a %T as CBOR", v)
}

// FromCBOR is an answer's object, strings, lists and objects in it; other
// values are left out.
func FromCBOR(body []byte) (map[string]any, error) {
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	m, ok := plain(v).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the answer is a %T", v)
	}
	return m, nil
}

func plain(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.String:
		return string(v)
	case cbor.List:
		l := make([]any, 0, len(v))
		for _, e := range v {
			l = append(l, plain(e))
		}
		return l
	case cbor.Map:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	}
	return nil
}
