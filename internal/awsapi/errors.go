package awsapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// Code is an error's code without the namespaces that some protocols wrap it
// in ("com.amazonaws.kms#NotFoundException", "AccessDeniedException:http://…").
// It is empty where AWS gave none.
func Code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return bareCode(api.ErrorCode())
}

func bareCode(code string) string {
	if i := strings.LastIndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	if i := strings.IndexByte(code, ':'); i >= 0 {
		code = code[:i]
	}
	return strings.TrimSpace(code)
}

// UnknownCode is what the SDK's own clients put where an answer names no code.
const UnknownCode = "UnknownError"

// Status is the HTTP status of the answer behind an error, 0 without one.
func Status(err error) int {
	var h interface{ HTTPStatusCode() int }
	if errors.As(err, &h) {
		return h.HTTPStatusCode()
	}
	return 0
}

// ServiceID is the serviceId of the call behind an error, "" where there is none.
func ServiceID(err error) string {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.ServiceID
	}
	return ""
}

// Throttled says whether a call was refused for its rate. Metrics count them.
func Throttled(err error) bool {
	switch code := Code(err); code {
	case "RequestLimitExceeded", "BandwidthLimitExceeded", "SlowDown",
		"ProvisionedThroughputExceededException", "PriorRequestNotComplete":
		return true
	default:
		return Status(err) == http.StatusTooManyRequests ||
			strings.Contains(code, "Throttl") || strings.Contains(code, "TooManyRequests")
	}
}
