package awsapi

import (
	"context"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// Attempt describes one attempt sent to AWS, retries included.
type Attempt struct {
	Service, Operation string // "s3", "PutBucketTagging"
	Account, Region    string // the resource's; Account may be empty
	ErrorCode          string // empty when the call succeeded; "transport" without an answer
	Throttled          bool
	Write              bool
	Took               time.Duration
}

// Calls of a resource's account are told so to OnCall by the context: an
// endpoint doesn't show it.
type accountKey struct{}

// WithAccount says whose resources the calls of a context are about.
func WithAccount(ctx context.Context, account string) context.Context {
	return context.WithValue(ctx, accountKey{}, account)
}

// Observe tells onCall of every attempt of any client. It stands outermost of
// the deserialize step, inside the retries, where an answer's error is known.
func Observe(onCall func(Attempt), now func() time.Time) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("autotagger:Observe", func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			start := now()
			out, md, err := next.HandleDeserialize(ctx, in)
			account, _ := ctx.Value(accountKey{}).(string)
			op := awsmiddleware.GetOperationName(ctx)
			code := ""
			if err != nil {
				if code = Code(err); code == "" {
					code = "transport"
				}
			}
			onCall(Attempt{
				Service: awsmiddleware.GetServiceID(ctx), Operation: op,
				Account: account, Region: awsmiddleware.GetRegion(ctx),
				ErrorCode: code, Throttled: err != nil && Throttled(err),
				Write: writes(op), Took: now().Sub(start),
			})
			return out, md, err
		}), middleware.Before)
	}
}

// writes says whether an operation changes anything, by its verb.
func writes(op string) bool {
	for _, verb := range []string{"Get", "BatchGet", "List", "Describe", "Head", "Lookup", "Query"} {
		if strings.HasPrefix(op, verb) {
			return false
		}
	}
	return true
}
