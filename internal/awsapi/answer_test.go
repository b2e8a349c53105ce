package awsapi_test

import (
	"net/http"
	"testing"

	"autotagger/internal/awsapi"
)

func TestAPIError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ header, body, code, message string }{
		{"", `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"m"}`, "ResourceNotFoundException", "m"},
		{"", `{"__type":"AccessDeniedException","Message":"m"}`, "AccessDeniedException", "m"},
		{"", `{"code":"BadRequestException","message":"m"}`, "BadRequestException", "m"},
		{"", `{"code":400,"__type":"X"}`, "X", ""},
		{"NotFoundException:http://internal.amazon.com/coral/", `{"message":"m"}`, "NotFoundException", "m"},
		{"ResourceNotFoundException", ``, "ResourceNotFoundException", ""},
		{"", `<ErrorResponse xmlns="x"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>`, "NoSuchEntity", "m"},
		{"", `<?xml version="1.0"?><Response><Errors><Error><Code>InvalidID</Code><Message>m</Message></Error></Errors></Response>`, "InvalidID", "m"},
		{"", "\n<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>", "NoSuchBucket", "m"},
		{"", `<html><body>gateway</body></html>`, "UnknownError", ""},
		{"", `nonsense`, "UnknownError", ""},
		{"", ``, "UnknownError", ""},
	} {
		code, message := awsapi.APIError(http.Header{"X-Amzn-Errortype": {c.header}}, []byte(c.body))
		if code != c.code || message != c.message {
			t.Errorf("%q %q: %q %q, want %q %q", c.header, c.body, code, message, c.code, c.message)
		}
	}
}

// FuzzAPIError: whatever a proxy or an attacker answers, there is a code.
func FuzzAPIError(f *testing.F) {
	f.Add("X", []byte(`{"__type":"a#b"}`))
	f.Add("", []byte(`<Error><Code>a</Code></Error>`))
	f.Add("a:b", []byte(`<`))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if code, _ := awsapi.APIError(http.Header{"X-Amzn-Errortype": {header}}, body); code == "" {
			t.Errorf("%q %q: no code", header, body)
		}
	})
}
