package apply

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"

	"autotagger/internal/awsapi"
)

// skip is the error of a resource that must be left as it is. Its text is a
// Why… constant.
type skip string

func (s skip) Error() string { return string(s) }

// bad is the error of a request that no AWS call can be made from. Its text is
// a Why… constant.
type bad string

func (b bad) Error() string { return string(b) }

// errStands is a store's answer where another writer has set every wanted key
// in the meantime, so that nothing was left to write.
var errStands = errors.New("every wanted tag stands")

// coded is an error that AWS reported inside a successful answer, such as an
// entry of FailedResourcesMap.
type coded struct {
	code, message string
	status        int
}

func (c *coded) Error() string                 { return c.code + ": " + c.message }
func (c *coded) ErrorCode() string             { return c.code }
func (c *coded) ErrorMessage() string          { return c.message }
func (c *coded) ErrorFault() smithy.ErrorFault { return smithy.FaultUnknown }
func (c *coded) HTTPStatusCode() int           { return c.status }

// Unassumed is the error of an account whose role can't be assumed: the account's spoke
// may not have it yet, while its rules forward already.
type Unassumed struct {
	Role string
	Err  error
}

func (u *Unassumed) Error() string { return "assuming " + u.Role + ": " + u.Err.Error() }
func (u *Unassumed) Unwrap() error { return u.Err }

// fate decides what an error means for its resource, and why. This is the one
// place that does: it looks at the error's code, then at the HTTP status, never
// at the text, which AWS changes at will
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html,
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/CommonErrors.html).
func fate(err error) (Outcome, string) {
	var s skip
	var b bad
	var unassumed *Unassumed
	switch {
	case err == nil:
		return Tagged, ""
	case errors.Is(err, errStands):
		return Unchanged, ""
	case errors.As(err, &s):
		return Skipped, string(s)
	case errors.As(err, &b):
		return Failed, string(b)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Retry, WhyDeadline
	case errors.As(err, &unassumed):
		return Retry, WhyRole
	}
	code, status := awsapi.Code(err), awsapi.Status(err)
	for _, known := range []func() (Outcome, bool){
		func() (Outcome, bool) { return serviceFate(awsapi.ServiceID(err), code) },
		func() (Outcome, bool) { return exactFate(code) },
		func() (Outcome, bool) { return partFate(code) },
	} {
		if o, ok := known(); ok {
			return o, code
		}
	}
	switch {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusConflict,
		status == http.StatusNotFound, status == http.StatusRequestTimeout:
		return Retry, orStatus(code, status)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Denied, orStatus(code, status)
	case status == http.StatusBadRequest && (code == "" || code == awsapi.UnknownCode):
		// Every refusal of AWS has a code: this one was cut off on its way, or is
		// someone else's.
		return Retry, orStatus(code, status)
	case status >= 300:
		return Failed, orStatus(code, status)
	case code != "":
		return Failed, code
	}
	// No answer of AWS at all: a name that didn't resolve, a refused or broken
	// connection, credentials that couldn't be had. All of them pass.
	return Retry, "transport"
}

// serviceFate knows codes that mean something else in one service.
func serviceFate(service, code string) (Outcome, bool) {
	switch service + " " + code {
	case "DynamoDB LimitExceededException", "Kinesis LimitExceededException":
		// Too many control-plane operations at once, not a quota:
		// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html
		return Retry, true
	case "Secrets Manager InvalidRequestException":
		// The secret is scheduled for deletion, or not whole yet:
		// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html
		return Retry, true
	}
	return "", false
}

// exactFate knows codes by their whole name.
func exactFate(code string) (Outcome, bool) {
	switch code {
	case
		// Throttles, in every spelling that AWS has.
		"Throttling", "ThrottlingException", "ThrottledException",
		"RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
		"RequestLimitExceeded", "BandwidthLimitExceeded", "EC2ThrottledException",
		"ProvisionedThroughputExceededException", "PriorRequestNotComplete",
		"SlowDown", "TransactionInProgressException",
		// AWS's own trouble.
		"InternalError", "InternalFailure", "InternalServerError", "InternalServerException",
		"InternalServiceError", "InternalServiceException", "ServerException", "ServiceException",
		"ServiceFailure", "ServiceUnavailable", "ServiceUnavailableException", "Unavailable",
		"RequestTimeout", "RequestTimeoutException", "KMSInternalException",
		"DependencyTimeout", "DependencyTimeoutException", "TemporaryRedirect",
		// The wrong moment.
		"ConcurrentModification", "ConcurrentModificationException",
		"ConcurrentAccess", "ConcurrentAccessException", "OperationAborted", "OperationAbortedException",
		"OptimisticLockException", "StaleTag", "StaleTagException", "ResourceInUseException", "ResourceContention",
		"ResourceContentionFault", "ResourceInUse", "ResourceInUseFault",
		"KMSInvalidStateException", "DependencyViolation",
		"AWS.SimpleQueueService.QueueDeletedRecently",
		// A classic load balancer is called an access point on the wire.
		"AccessPointNotFound",
		// Credentials that the next try has renewed.
		"ExpiredToken", "ExpiredTokenException", "RequestExpired",
		"RequestTimeTooSkewed", "RequestInTheFuture":
		return Retry, true
	case
		// IAM, resource policies, service control policies.
		"AccessDenied", "AccessDeniedException", "AccessDeniedFault",
		"UnauthorizedOperation", "UnauthorizedException", "Unauthorized",
		"NotAuthorized", "NotAuthorizedException", "AuthorizationError",
		"AuthorizationErrorException", "AuthFailure", "Forbidden", "ForbiddenException",
		"AllAccessDisabled", "InvalidSecurity",
		// The account hasn't the service.
		"OptInRequired", "SubscriptionRequiredException", "AccountProblem",
		// Tag policies of the organization.
		"TagPolicyException", "TagPolicyViolation", "TagPolicyViolationException",
		// Credentials that no try will mend.
		"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId",
		"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException":
		return Denied, true
	case
		// Quotas that only a person can raise.
		"LimitExceeded", "LimitExceededException", "TooManyTags", "TooManyTagsException",
		"TooManyTagsFault", "TagLimitExceeded", "TagLimitExceededException",
		// Requests that won't ever be valid, where the status or a part of the
		// code would say otherwise.
		"PermanentRedirect", "MethodNotAllowed", "NotImplemented", "UnsupportedOperation",
		"UnknownOperationException":
		return Failed, true
	}
	return "", false
}

// partFate knows parts of codes, for the many codes that name a resource's type
// (InvalidVolume.NotFound, DBInstanceNotFound, NoSuchBucket).
func partFate(code string) (Outcome, bool) {
	for _, part := range []string{
		"Throttl", "TooManyRequests",
		// A new resource becomes visible to its tag API later than its create call
		// answers.
		"NotFound", "NoSuch", "NonExistent", "DoesNotExist", "NotExist",
		// And it becomes taggable later still: IncorrectState,
		// InvalidDBInstanceState, InvalidClusterStateFault, …
		"State", "Conflict", "Pending", "NotReady", "NotAvailable",
	} {
		if strings.Contains(code, part) && !strings.Contains(code, "Statement") {
			return Retry, true
		}
	}
	for _, part := range []string{"AccessDenied", "Unauthorized", "NotAuthorized", "TagPolicy"} {
		if strings.Contains(code, part) {
			return Denied, true
		}
	}
	return "", false
}

func orStatus(code string, status int) string {
	if code != "" && code != awsapi.UnknownCode {
		return code
	}
	return "http-" + http.StatusText(status)
}

// blames says whether an error of a call about many resources may be the fault
// of one of them, so that asking for fewer is worth it. AWS's own trouble and
// throttles are not, and smaller calls would make them worse.
func blames(err error) bool {
	o, _ := fate(err)
	switch o {
	case Failed, Denied:
		return true
	case Retry:
		s := awsapi.Status(err)
		return !awsapi.Throttled(err) && s >= 400 && s < 500 && !transient(awsapi.Code(err))
	}
	return false
}

// transient codes say nothing about any one resource of a call.
func transient(code string) bool {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed",
		"RequestInTheFuture", "RequestTimeout", "RequestTimeoutException",
		"InternalError", "InternalFailure", "InternalServiceException", "ServiceUnavailable":
		return true
	}
	return false
}

// unsupported says whether an error means that the endpoint doesn't know the
// operation for this resource, rather than refusing it.
func unsupported(err error) bool {
	switch awsapi.Code(err) {
	case "MethodNotAllowed", "NotImplemented", "UnsupportedOperation", "UnsupportedOperationException",
		"UnknownOperation", "UnknownOperationException", "InvalidAction", "NoSuchOperation":
		return true
	case "", awsapi.UnknownCode:
		// No code: not S3's own answer, which always has one.
		switch awsapi.Status(err) {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
			return true
		}
	}
	s := awsapi.Status(err)
	return s == http.StatusNotImplemented || s == http.StatusMethodNotAllowed
}

// askService says whether an error of the Resource Groups Tagging API may mean
// that it doesn't serve the resource's type
// (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_FailureInfo.html),
// or, on an emulator, that there is no such API.
func askService(err error) bool {
	switch awsapi.Code(err) {
	case "InternalServiceException", "InvalidParameterException":
		return true
	}
	return unsupported(err)
}

// fateOf is fate with what a code alone can't tell. The tagging API passes on the
// codes of the resource's own service, host, which may mean something else there. And
// it calls a resource that it doesn't know yet an invalid parameter, so that for a new
// one another try is worth it.
func fateOf(err error, host string, fresh bool) (Outcome, string) {
	o, why := fate(err)
	if awsapi.ServiceID(err) != taggingID {
		return o, why
	}
	if of, ok := serviceFate(host, why); ok {
		return of, why
	}
	if o == Failed && fresh && why == "InvalidParameterException" {
		return Retry, why
	}
	return o, why
}
