package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// page is where every finding is explained.
const page = "docs/doctor.md"

// restore brings back what was deleted by hand: an ordinary deployment compares
// templates, and sees no change.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
const restore = "make deploy CDK_ARGS=--revert-drift"

// unseen is the finding of a call that failed.
func unseen(subject string, err error) Finding {
	f := Finding{Status: Unknown, Subject: subject, Found: "can't be seen: " + reason(err)}
	action := actionOf(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.Found = "can't be seen: no answer in time"
		f.Do = "try again; look at the network and at AWS_ENDPOINT_URL"
	case denied(err) && action != "":
		f.Do = "allow " + action + " to the credentials in use; " + page + " has a policy"
	case denied(err):
		f.Do = page + " has a policy with what is needed"
	default:
		f.Do = "try again"
		if action != "" {
			f.Do += ": the call was " + action
		}
	}
	return f
}

// code is AWS's code of an error, "" if it has none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func hasCode(err error, codes ...string) bool { return slices.Contains(codes, code(err)) }

// denied reports whether AWS refused for want of a permission.
func denied(err error) bool {
	return hasCode(err, "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "NotAuthorized", "Forbidden")
}

// reason is an error without the SDK's words around it.
func reason(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return strings.TrimSuffix(fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage()), ": ")
	}
	// The SDK wraps what the network says in five layers.
	if sent, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return sent.Err.Error()
	}
	return err.Error()
}

// actionOf is the IAM action of the call that failed, "" if that isn't known.
// Calls whose action has another name are S3's.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func actionOf(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return ""
	}
	prefix := strings.ToLower(op.Service())
	switch op.Service() {
	case "EventBridge":
		prefix = "events"
	case "Cost Explorer":
		prefix = "ce"
	}
	return prefix + ":" + op.Operation()
}
