package function

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"autotagger/internal/apply"
	"autotagger/internal/deployment"
	"autotagger/internal/resolve"
)

// expiryWindow is how long before their end credentials are renewed: longer than an
// invocation may last.
const expiryWindow = 2 * time.Minute

// spokes gives each account's credentials: those of the role that the account's
// spoke has for this function.
type spokes struct {
	role, partition string
	sts             *sts.Client

	mu sync.Mutex
	by map[string]aws.CredentialsProvider
}

func newSpokes(cfg aws.Config, role string) *spokes {
	return &spokes{role: role, partition: resolve.Partition(cfg.Region), sts: sts.NewFromConfig(cfg), by: map[string]aws.CredentialsProvider{}}
}

// credentials returns the account's, assumed when they are first needed and kept
// until shortly before they expire.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-api.html
func (s *spokes) credentials(account string) aws.CredentialsProvider {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.by[account]
	if p == nil {
		arn := "arn:" + s.partition + ":iam::" + account + ":role/" + s.role
		p = assumed{arn, aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(s.sts, arn, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = deployment.SessionName
		}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow })}
		s.by[account] = p
	}
	return p
}

// assumed tells a role that can't be assumed from other refusals.
type assumed struct {
	role string
	aws.CredentialsProvider
}

func (a assumed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := a.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &apply.Unassumed{Role: a.role, Err: err}
	}
	return c, err
}
