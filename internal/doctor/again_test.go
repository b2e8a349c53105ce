package doctor_test

import (
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"autotagger/internal/doctor"
)

// TestAgain: an answer that breaks off in the middle is asked for again, where the SDK
// alone gives up; a refusal isn't.
func TestAgain(t *testing.T) {
	t.Parallel()
	broken := &smithy.OperationError{ServiceID: "CloudFormation", OperationName: "ListStackResources", Err: &smithy.DeserializationError{
		Err: &net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed},
	}}
	if retry.NewStandard().IsErrorRetryable(broken) {
		t.Error("the SDK tries it again by itself: this isn't needed any more")
	}
	if !doctor.Again().IsErrorRetryable(broken) {
		t.Error("it is given up")
	}
	if doctor.Again().IsErrorRetryable(&smithy.GenericAPIError{Code: "AccessDenied"}) {
		t.Error("a refusal is tried again")
	}
}
