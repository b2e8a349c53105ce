package apply

import "net/http"

// Fate and APIError let the black-box tests at what has no other door.

func Fate(err error) (Outcome, string) { return fate(err) }

func APIError(h http.Header, body []byte) (code, message string) {
	e := apiError(h, body)
	return e.Code, e.Message
}

// Rows is how many rows of own calls there are.
func Rows() int { return len(ownRows()) }
