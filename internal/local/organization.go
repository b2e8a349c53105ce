package local

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/shop"
)

// hubAndSpokes is a deployment for an organisation, of which the emulator has one
// account and one region: the spoke is in the hub's own, as the management
// account's would be.
func hubAndSpokes() walk {
	return walk{
		first: []part{(*stage).deployHub, (*stage).deploySpoke, (*stage).observe, (*stage).tag, (*stage).forwardSessions},
		then:  []part{(*stage).checkLoopback},
		last:  []part{(*stage).destroySpoke, (*stage).destroy},
	}
}

// deployHub deploys the hub of the organisation, which the emulator makes when it is
// asked for.
func (s *stage) deployHub(ctx context.Context) error {
	s.step("Deploying the hub of an organisation with the CDK")
	found, err := organizations.NewFromConfig(s.cloud.Config()).DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err != nil {
		return fmt.Errorf("asking for the organisation: %w", err)
	}
	s.cdk = s.cdk.with("organization=" + *found.Organization.Id)
	if err := s.cdk.configure(shop.Config + ledgerConfig); err != nil {
		return err
	}
	if err := s.cdk.run(ctx, "bootstrap"); err != nil {
		return err
	}
	return s.cdk.run(ctx, "deploy", "--all", "--require-approval", "never")
}

// spoke is the app of spokes.
func (s *stage) spoke() cdk {
	return s.cdk.with("hub=arn:aws:events:" + region + ":" + emulator.Account + ":event-bus/" + deployment.Bus)
}

// deploySpoke deploys the stacks of a spoke.
func (s *stage) deploySpoke(ctx context.Context) error {
	s.step("Deploying a spoke: roles, and rules that forward to the hub's bus")
	if err := s.spoke().run(ctx, "deploy", "--all", "--require-approval", "never"); err != nil {
		return err
	}
	if err := s.showStacks(ctx, 4); err != nil {
		return err
	}
	return s.cloud.EnforceIAM(ctx, true)
}

// forwardSessions shows the ledger, which gets sessions from the spoke.
func (s *stage) forwardSessions(ctx context.Context) error {
	s.step("A role that somebody takes is followed to who took it")
	return s.follow(ctx, "1001", shop.CORSByDefault)
}

// observe shows that an organisation begins by observing, and turns writing on.
func (s *stage) observe(ctx context.Context) error {
	s.step("It begins by observing")
	cfg := s.cloud.Config()
	const bucket = "shop-observed"
	r := shop.Bucket(cfg, bucket, shop.State{})
	event, _, err := r.Create(ctx, cfg, s.events())
	if err != nil {
		return err
	}
	if err := s.cloud.Deliver(ctx, event); err != nil {
		return err
	}
	if err := s.handled(ctx, bucket); err != nil {
		return err
	}
	now, err := r.Look(ctx)
	if err != nil {
		return err
	}
	s.check(now.Equal(r.Want), "a new bucket is left alone: %s", now)
	if err := s.account.write(ctx, true); err != nil {
		return err
	}
	took, ok, err := s.until(ctx, "on", tagged)
	if err != nil {
		return err
	}
	s.check(ok, "a new bucket is tagged %.0f s after writing was turned on", took.Seconds())
	return nil
}

// destroySpoke removes the spoke, before the hub that it forwards to.
func (s *stage) destroySpoke(ctx context.Context) error {
	s.step("Destroying the spoke")
	if err := s.cloud.EnforceIAM(ctx, false); err != nil {
		return err
	}
	return s.spoke().run(ctx, "destroy", "--all", "--force")
}
