package awsapi

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Retryers keeps a retryer for each service in an account and region: that is what
// AWS's rates are for, so that a throttle slows down the calls it is about and no
// others. Each is the SDK's adaptive one, which is without a limit until the first
// throttle; then it takes as many calls as get through.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
type Retryers struct {
	cfg aws.Config

	mu sync.Mutex
	by map[string]aws.Retryer
}

// NewRetryers returns retryers with the attempts and the mode that cfg asks for.
func NewRetryers(cfg aws.Config) *Retryers {
	return &Retryers{cfg: cfg, by: map[string]aws.Retryer{}}
}

// For returns the retryer for a service, by its serviceId.
func (r *Retryers) For(service, account, region string) aws.Retryer {
	key := service + " " + account + " " + region
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by[key] == nil {
		r.by[key] = newRetryer(r.cfg)
	}
	return r.by[key]
}

// newRetryer is the retryer that the SDK's clients would build from cfg, adaptive
// unless it says otherwise. On top of theirs it repeats writes that met another one
// at the same resource, which IAM and SNS ask for.
func newRetryer(cfg aws.Config) aws.Retryer {
	var r aws.Retryer
	switch {
	case cfg.Retryer != nil:
		r = cfg.Retryer()
	case cfg.RetryMode == aws.RetryModeStandard:
		r = retry.NewStandard()
	default:
		r = retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.Throttles = append(o.Throttles, retry.IsErrorThrottleFunc(func(err error) aws.Ternary {
				if err != nil && Throttled(err) {
					return aws.TrueTernary
				}
				return aws.UnknownTernary
			}))
		})
	}
	if cfg.RetryMaxAttempts > 0 {
		r = retry.AddWithMaxAttempts(r, cfg.RetryMaxAttempts)
	}
	return retry.AddWithErrorCodes(r, "ConcurrentModification", "ConcurrentModificationException",
		"ConcurrentAccess", "ConcurrentAccessException")
}
