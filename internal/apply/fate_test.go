package apply_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"autotagger/internal/apply"
)

// awsError is an error as the SDK returns it.
func awsError(service string, status int, code string) error {
	return &smithy.OperationError{ServiceID: service, OperationName: "TagResource", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "AccessDenied Throttling NotFound: text says nothing"},
	}}
}

func TestFate(t *testing.T) {
	t.Parallel()
	for want, codes := range map[apply.Outcome][]string{
		apply.Retry: {
			"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
			"SlowDown", "RequestThrottled", "RequestThrottledException", "BandwidthLimitExceeded", "EC2ThrottledException",
			"ProvisionedThroughputExceededException", "PriorRequestNotComplete",
			"InternalError", "InternalFailure", "InternalServerError", "InternalServiceException", "ServiceUnavailable", "ServerException", "KMSInternalException",
			"NoSuchBucket", "NoSuchEntity", "ResourceNotFoundException", "ResourceNotFound", "NotFoundException", "QueueDoesNotExist",
			"AWS.SimpleQueueService.NonExistentQueue", "InvalidInstanceID.NotFound", "InvalidVolume.NotFound", "DBInstanceNotFound",
			"DBClusterNotFoundFault", "RepositoryNotFoundException", "ClusterNotFoundException", "LoadBalancerNotFound", "AccessPointNotFound",
			"InvalidDBInstanceState", "InvalidDBClusterStateFault", "KMSInvalidStateException", "IncorrectState", "IncorrectInstanceState",
			"ConcurrentModification", "ConcurrentModificationException", "ConcurrentAccess", "OperationAborted", "OperationAbortedException", "ResourceInUseException",
			"ResourceContention", "ResourceConflictException", "ConflictException", "InvalidClusterStateFault", "ExpiredToken", "ExpiredTokenException", "RequestExpired",
			"com.amazonaws.kms#NotFoundException", "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.availability/",
		},
		apply.Denied: {
			"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException",
			"NotAuthorized", "AuthFailure", "Forbidden", "OptInRequired", "TagPolicyException", "TagPolicyViolation",
			"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "com.amazon.coral.service#AccessDeniedException",
		},
		apply.Failed: {
			"ValidationException", "ValidationError", "InvalidParameterException", "InvalidParameterValue", "InvalidInput", "InvalidTag",
			"TagException", "LimitExceeded", "LimitExceededException", "TooManyTagsException", "TagLimitExceeded", "TagLimitExceededException",
			"InvalidID", "InvalidInstanceID.Malformed", "MalformedXML", "InvalidArn", "PermanentRedirect", "MethodNotAllowed", "InvalidRequest",
			"BadRequestException", "UnsupportedOperation", "NeverHeardOf",
		},
	} {
		for _, code := range codes {
			if got, why := apply.Fate(awsError("Some Service", 400, code)); got != want || why == "" {
				t.Errorf("%s: %s %q, want %s", code, got, why, want)
			}
		}
	}
	for _, c := range []struct {
		err  error
		want apply.Outcome
		why  string
	}{
		{nil, apply.Tagged, ""},
		{awsError("DynamoDB", 400, "LimitExceededException"), apply.Retry, "LimitExceededException"},
		{awsError("Secrets Manager", 400, "InvalidRequestException"), apply.Retry, "InvalidRequestException"},
		{awsError("X", 503, "NeverHeardOf"), apply.Retry, "NeverHeardOf"},
		{awsError("X", 429, "NeverHeardOf"), apply.Retry, "NeverHeardOf"},
		{awsError("X", 403, "NeverHeardOf"), apply.Denied, "NeverHeardOf"},
		{awsError("X", 404, "UnknownError"), apply.Retry, "http-Not Found"},
		{awsError("X", 400, "UnknownError"), apply.Retry, "http-Bad Request"},
		{awsError("X", 502, "UnknownError"), apply.Retry, "http-Bad Gateway"},
		{awsError("X", 409, "LimitExceeded"), apply.Failed, "LimitExceeded"},
		{context.DeadlineExceeded, apply.Retry, apply.WhyDeadline},
		{fmt.Errorf("sending: %w", context.Canceled), apply.Retry, apply.WhyDeadline},
		{&smithyhttp.RequestSendError{Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}, apply.Retry, "transport"},
		{&net.DNSError{Err: "no such host"}, apply.Retry, "transport"},
	} {
		if got, why := apply.Fate(c.err); got != c.want || why != c.why {
			t.Errorf("%v: %s %q, want %s %q", c.err, got, why, c.want, c.why)
		}
	}
}

// FuzzFate: every error has one fate and a reason, and its text is never one. A throttle
// is tried again, however it is spelled and whatever stands around it.
func FuzzFate(f *testing.F) {
	f.Add("DynamoDB", 400, "LimitExceededException", "text")
	f.Add("", 0, "", "AccessDenied")
	f.Add("X", 503, "a#b:c", "")
	f.Fuzz(func(t *testing.T, service string, status int, code, text string) {
		build := func(text string) error {
			return &smithy.OperationError{ServiceID: service, Err: &smithyhttp.ResponseError{
				Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
				Err:      &smithy.GenericAPIError{Code: code, Message: text},
			}}
		}
		got, why := apply.Fate(build(text))
		switch got {
		case apply.Retry, apply.Denied, apply.Failed:
		default:
			t.Errorf("%d %q: %s", status, code, got)
		}
		if why == "" {
			t.Errorf("%d %q: no reason", status, code)
		}
		for _, spelling := range []string{"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"} {
			if got, _ := apply.Fate(awsError(service, status, text+"#"+spelling)); got != apply.Retry {
				t.Errorf("%s %d %s: %s", service, status, spelling, got)
			}
		}
		if again, _ := apply.Fate(build("")); again != got {
			t.Errorf("%d %q: %s with the text %q, %s without", status, code, got, text, again)
		}
	})
}
