package awsapi

import (
	"context"
	"errors"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Limit ends each attempt of any client that takes longer, as a timeout that is tried
// again: an endpoint that hangs must not use up the time of an invocation. The
// signature is made within it, credentials included. It isn't for calls whose answers
// are streams.
func Limit(attempt time.Duration) func(*middleware.Stack) error {
	timeout := &smithy.GenericAPIError{Code: "RequestTimeout", Message: "no answer within " + attempt.String()}
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("autotagger:Limit", func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			limited, cancel := context.WithTimeout(ctx, attempt)
			defer cancel()
			out, md, err := next.HandleFinalize(limited, in)
			if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
				err = timeout
			}
			return out, md, err
		}), "Retry", middleware.After)
	}
}
