package doctor

import (
	"context"
	"fmt"
	"strconv"
)

// toolkit is the stack that cdk bootstrap makes, and bootstrapVersion the oldest
// one that a deployment of this app takes.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
const (
	toolkit          = "CDKToolkit"
	bootstrapVersion = 6
)

// bootstrap looks for what the CDK deploys with, in the hub's region: the other
// stacks go without.
func (v *visit) bootstrap(ctx context.Context) []Finding {
	command := fmt.Sprintf("npx cdk bootstrap aws://%s/%s", v.account, v.region)
	s, err := v.describe(ctx, toolkit)
	switch {
	case err != nil:
		return []Finding{unseen(toolkit, err)}
	case s == nil && v.hub != nil:
		return []Finding{{"", Info, toolkit, "isn't there; the CDK was bootstrapped under another name, or is gone", "before the next deployment: " + command}}
	case s == nil:
		return []Finding{{"", Fail, toolkit, "the CDK isn't bootstrapped in " + v.region, command}}
	}
	if f := judge(s); f.Status != OK {
		f.Do = command
		return []Finding{f}
	}
	version, err := strconv.Atoi(s.output("BootstrapVersion"))
	if err != nil || version < bootstrapVersion {
		return []Finding{{"", Fail, toolkit, fmt.Sprintf("its version is %q; %d is needed", s.output("BootstrapVersion"), bootstrapVersion), command}}
	}
	return []Finding{{"", OK, toolkit, fmt.Sprintf("version %d", version), ""}}
}
