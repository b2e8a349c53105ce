package awsapi

import "net/http"

// APIError lets the black-box tests at what has no other door.
func APIError(h http.Header, body []byte) (code, message string) {
	e := apiError(h, body)
	return e.Code, e.Message
}
