// Package local deploys the real thing on this machine and watches it work. It
//
//  1. starts a cloud on loopback (ministack, by package emulator),
//  2. bootstraps it and deploys the app with the CDK's own command line, as
//     make deploy does, with the functions' real bootstraps,
//  3. turns the check of IAM's policies on, so that from here on each function
//     may do what its deployed role allows and nothing else,
//  4. creates resources through the AWS SDK and puts their CloudTrail events on
//     the default bus, one after another, and measures how long each takes until
//     its tags and CORS stand,
//  5. shows that only what a rule wants arrives, that an event which comes before
//     its resource waits, and that one which can't be read is a dead letter,
//  6. turns writing off and on again by its parameter,
//  7. deploys a changed configuration over it, with a ledger, which handles what has
//     waited, and follows a role that somebody took to who took it, and
//  8. destroys it, after which nothing of it may be left.
//
// With -organization it deploys a hub and a spoke instead, whose events are
// forwarded and whose roles are assumed (organization.go).
//
// What it can't show is in docs/local.md.
package local

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"autotagger/internal/deployment"
	"autotagger/internal/emulator"
	"autotagger/internal/ledger"
	"autotagger/internal/sample"
	"autotagger/internal/shop"
)

const (
	// region is one in which the events of global services arrive too, but for
	// those of a few, which arrive in the companion: only the stack there is looked
	// at, since the emulator forwards nothing to another region.
	region    = "us-east-1"
	companion = "us-west-2"
)

const (
	// soon is the longest that an event may take from the bus to the tag.
	soon = 2 * time.Second
	// patience is when an event that isn't handled is given up.
	patience = 15 * time.Second
	// retry is the longest that an event waits that came before its resource: a
	// minute, by package schedule, and what the queue takes.
	retry = 80 * time.Second
	// switchTime is the longest that the switch for writing may take.
	switchTime = time.Minute
)

// newCostCenter is alice's in the configuration that is deployed over the first.
const newCostCenter = "2002"

// ledgerConfig turns the ledger on.
const ledgerConfig = "look-ups: {ledger: true}\n"

// errDiffers ends a run that has shown on the output what isn't as it should be.
var errDiffers = errors.New("not everything is as it should be")

// Run runs all of it and returns the exit code: 0 if everything is as it should
// be, 1 if not, 2 for unusable arguments.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	keep := flags.Bool("keep", false, "keep the deployment until interrupted, to try commands on it")
	organization := flags.Bool("organization", false, "deploy a hub and spokes, as for an organisation, instead")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "local: unexpected argument %s\n", flags.Arg(0))
		return 2
	}
	shown := oneAccount()
	if *organization {
		shown = hubAndSpokes()
	}
	if err := run(ctx, shown, *keep, stdout); err != nil {
		fmt.Fprintf(stderr, "local: %v\n", err)
		return 1
	}
	return 0
}

// stage is where it plays.
type stage struct {
	out     io.Writer
	root    string // the project
	dir     string // for what is made
	started time.Time
	cloud   *emulator.Cloud
	account account
	cdk     cdk
	differs bool
	waiting waiting
}

// waiting is a resource whose event came before it could be tagged.
type waiting struct {
	resource shop.Resource
	since    time.Time
}

// part is a part of what is shown. What isn't as it should be is shown too, and
// ends the run after it.
type part func(*stage, context.Context) error

// walk is what is shown: first, before a person may try commands, then, and last,
// when the functions' logs are gone.
type walk struct{ first, then, last []part }

// oneAccount is a deployment for one account.
func oneAccount() walk {
	return walk{
		first: []part{(*stage).deploy, (*stage).tag, (*stage).refuse, (*stage).comeEarly, (*stage).spoil, (*stage).turnOffAndOn, (*stage).checkQueues},
		then:  []part{(*stage).update, (*stage).checkLoopback},
		last:  []part{(*stage).destroy},
	}
}

// walk goes through parts, until one isn't as it should be.
func (s *stage) walk(ctx context.Context, parts []part) error {
	for _, p := range parts {
		if err := p(s, ctx); err != nil {
			return err
		}
		if s.differs {
			return errDiffers
		}
	}
	return nil
}

func run(ctx context.Context, shown walk, keep bool, stdout io.Writer) (err error) {
	s := &stage{out: stdout, started: time.Now()}
	if s.root, err = emulator.ProjectRoot(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "autotagger-local-"); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()

	s.step("Starting a cloud on this machine (ministack %s; the first time installs it)", emulator.MinistackVersion)
	if s.cloud, err = emulator.StartCloud(ctx, emulator.Options{Region: region}); err != nil {
		return err
	}
	defer s.cloud.Stop()
	fmt.Fprintf(s.out, "  %s, account %s, %s\n", s.cloud.URL, emulator.Account, region)
	s.account = newAccount(s.cloud.Config())
	s.cdk = cdk{root: s.root, dir: s.dir, url: s.cloud.URL, out: s.out}

	if err := s.walk(ctx, shown.first); err != nil {
		return s.explain(err)
	}
	if keep {
		s.step("The deployment keeps running until you press Ctrl-C")
		fmt.Fprintf(s.out, "  $ export %s\n", strings.Join(variables(s.cloud.URL), " "))
		<-ctx.Done()
		return nil
	}
	if err := s.walk(ctx, shown.then); err != nil {
		return s.explain(err)
	}
	if err := s.walk(ctx, shown.last); err != nil {
		return err
	}
	s.step("Everything is as it should be, after %.0f s", time.Since(s.started).Seconds())
	return nil
}

func (s *stage) step(format string, args ...any) {
	shop.Step(s.out, format, args...)
}

// check shows something that is to be so.
func (s *stage) check(ok bool, format string, args ...any) {
	mark := "ok   "
	if !ok {
		mark, s.differs = "WRONG", true
	}
	fmt.Fprintf(s.out, "  %s %s\n", mark, fmt.Sprintf(format, args...))
}

// explain adds what the functions have logged.
func (s *stage) explain(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, failed := s.account.log(ctx)
	if failed != nil || text == "" {
		return err // there may be no functions yet
	}
	return fmt.Errorf("%w\nThe functions' logs end:\n%s", err, text[max(0, len(text)-4<<10):])
}

func (s *stage) events() fs.FS { return os.DirFS(filepath.Join(s.root, "events")) }

// deploy brings the app into the cloud.
func (s *stage) deploy(ctx context.Context) error {
	s.step("Deploying the app with the CDK")
	if err := s.cdk.configure(shop.Config); err != nil {
		return err
	}
	if err := s.cdk.run(ctx, "bootstrap"); err != nil {
		return err
	}
	if err := s.cdk.run(ctx, "deploy", "--all", "--require-approval", "never"); err != nil {
		return err
	}
	if err := s.showStacks(ctx, 2); err != nil {
		return err
	}
	return s.cloud.EnforceIAM(ctx, true)
}

// showStacks shows what is deployed, which is to be so many stacks.
func (s *stage) showStacks(ctx context.Context, want int) error {
	stacks, err := s.account.stacks(ctx)
	if err != nil {
		return err
	}
	s.check(len(stacks) == want, "%d stacks", len(stacks))
	for _, d := range stacks {
		fmt.Fprintf(s.out, "  stack %s: %d resources\n", d.name, d.resources)
		for _, kind := range slices.Sorted(maps.Keys(d.placeholders)) {
			fmt.Fprintf(s.out, "  of these, the emulator doesn't know %d of type %s\n", d.placeholders[kind], kind)
		}
	}
	return nil
}

// tag creates resources, puts their events on the bus and waits for their tags.
func (s *stage) tag(ctx context.Context) error {
	cfg := s.cloud.Config()
	all := shop.Resources(cfg)
	s.step("Creating %d resources, and putting the event of each on the default bus", len(all))
	var rows []shop.Row
	var slowest time.Duration
	for _, r := range all {
		event, before, err := r.Create(ctx, cfg, s.events())
		if err != nil {
			return err
		}
		now, took, err := s.deliver(ctx, r, event)
		if err != nil {
			return err
		}
		slowest = max(slowest, took)
		rows = append(rows, shop.Row{Name: r.Name, Before: before, Now: now, Want: r.Want, Note: fmt.Sprintf("%4d ms", took.Milliseconds())})
	}
	differ, err := shop.Table(s.out, rows, "BUS TO TAG")
	if err != nil {
		return err
	}
	s.differs = s.differs || differ
	s.check(slowest < soon, "the slowest took %d ms from the bus to the last tag", slowest.Milliseconds())
	return nil
}

// deliver puts an event on the bus and waits until the resource is as it should
// be. It returns what it is like then, or at last.
func (s *stage) deliver(ctx context.Context, r shop.Resource, event []byte) (now shop.State, took time.Duration, err error) {
	start := time.Now()
	if err := s.cloud.Deliver(ctx, event); err != nil {
		return shop.State{}, 0, err
	}
	for {
		if now, err = r.Look(ctx); err != nil {
			return shop.State{}, 0, err
		}
		took = time.Since(start)
		if now.Equal(r.Want) || took > 2*soon {
			return now, took, nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return shop.State{}, 0, err
		}
	}
}

// refuse shows that the default bus's rules let in what arrives, and nothing
// else.
func (s *stage) refuse(ctx context.Context) error {
	s.step("What no rule wants doesn't arrive")
	cfg := s.cloud.Config()
	want := shop.State{Tags: map[string]string{"creator": shop.Alice, "cost-center": "1001"}, CORS: shop.CORSByDefault}
	r := shop.Bucket(cfg, "shop-returns", want)
	event, _, err := r.Create(ctx, cfg, s.events())
	if err != nil {
		return err
	}
	forged, err := s.account.putEvent(ctx, event)
	if err != nil {
		return err
	}
	s.check(strings.Contains(forged, "NotAuthorizedForSource"), "a caller of PutEvents is refused as a source of aws.s3: %s", forged)
	// The same event under the name of a call that no rule wants.
	other := bytes.ReplaceAll(event, []byte(`"CreateBucket"`), []byte(`"HeadBucket"`))
	if bytes.Equal(other, event) {
		return errors.New("renaming the call of an event: it has no CreateBucket")
	}
	if err := s.cloud.Deliver(ctx, other); err != nil {
		return err
	}
	if err := pause(ctx, soon); err != nil {
		return err
	}
	now, err := r.Look(ctx)
	if err != nil {
		return err
	}
	log, err := s.account.log(ctx)
	if err != nil {
		return err
	}
	s.check(now.Equal(shop.State{}) && !strings.Contains(log, "shop-returns"), "after %v, a bucket whose event says HeadBucket is as it was, and no function has heard of it", soon)
	now, took, err := s.deliver(ctx, r, event)
	if err != nil {
		return err
	}
	s.check(now.Equal(want), "the same event as CreateBucket: %s, after %d ms", now, took.Milliseconds())
	return nil
}

// comeEarly puts the event of a bucket on the bus that isn't there yet.
func (s *stage) comeEarly(ctx context.Context) error {
	s.step("An event that comes before its resource waits")
	cfg := s.cloud.Config()
	const bucket = "shop-late"
	r := shop.Bucket(cfg, bucket, shop.State{Tags: map[string]string{"creator": shop.Alice, "cost-center": newCostCenter}})
	event, _, err := r.Create(ctx, cfg, s.events())
	if err != nil {
		return err
	}
	if err := s.account.deleteBucket(ctx, bucket); err != nil {
		return err
	}
	s.waiting = waiting{r, time.Now()}
	if err := s.cloud.Deliver(ctx, event); err != nil {
		return err
	}
	if err := s.handled(ctx, bucket); err != nil {
		return err
	}
	if _, _, err := r.Create(ctx, cfg, s.events()); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "  the functions have seen the event of %s; the bucket is there from now on\n", bucket)
	return nil
}

// spoil puts an event on the bus that can't be read: it has nothing but what the
// tagger's rules ask for.
func (s *stage) spoil(ctx context.Context) error {
	s.step("An event that can't be read is a dead letter")
	event := `{"source": "aws.secretsmanager", "detail-type": "AWS API Call via CloudTrail", "account": "` + emulator.Account + `", "region": "` + region + `",
		"detail": {"eventName": "CreateSecret"}}`
	if err := s.cloud.Deliver(ctx, []byte(event)); err != nil {
		return err
	}
	reason, err := s.account.deadLetter(ctx, "tagger")
	if err != nil {
		return err
	}
	s.check(reason == "malformed", "the tagger's gives the reason %q", reason)
	return nil
}

// turnOffAndOn shows the switch for writing.
func (s *stage) turnOffAndOn(ctx context.Context) error {
	s.step("Turning writing off and on again")
	if err := s.account.write(ctx, false); err != nil {
		return err
	}
	took, ok, err := s.until(ctx, "off", func(now shop.State) bool { return now.Equal(shop.State{}) })
	if err != nil {
		return err
	}
	s.check(ok, "a new bucket is left alone %.0f s after writing was turned off", took.Seconds())
	if err := s.account.write(ctx, true); err != nil {
		return err
	}
	took, ok, err = s.until(ctx, "on", tagged)
	if err != nil {
		return err
	}
	s.check(ok, "a new bucket is tagged again %.0f s after it was turned on", took.Seconds())
	return nil
}

// tagged reports whether a bucket is as both functions leave it.
func tagged(now shop.State) bool { return len(now.Tags) == 2 && now.CORS == shop.CORSByDefault }

// until creates buckets until both functions have handled one in the way that is
// asked for, and returns how long that took.
func (s *stage) until(ctx context.Context, name string, so func(shop.State) bool) (took time.Duration, ok bool, err error) {
	cfg := s.cloud.Config()
	start := time.Now()
	for n := 0; ; n++ {
		bucket := fmt.Sprintf("shop-%s-%d", name, n)
		r := shop.Bucket(cfg, bucket, shop.State{})
		event, _, err := r.Create(ctx, cfg, s.events())
		if err != nil {
			return 0, false, err
		}
		if err := s.cloud.Deliver(ctx, event); err != nil {
			return 0, false, err
		}
		if err := s.handled(ctx, bucket); err != nil {
			return 0, false, err
		}
		now, err := r.Look(ctx)
		if err != nil {
			return 0, false, err
		}
		if took = time.Since(start); so(now) || took > switchTime {
			return took, so(now), nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return 0, false, err
		}
	}
}

// handled waits until both functions have logged an event that names something.
func (s *stage) handled(ctx context.Context, name string) error {
	for start := time.Now(); ; {
		log, err := s.account.log(ctx)
		if err != nil {
			return err
		}
		if strings.Count(log, "arn:aws:s3:::"+name) >= 2 {
			return nil
		}
		if time.Since(start) > patience {
			return fmt.Errorf("waiting for the event of %s: the functions have logged nothing of it", name)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// checkQueues shows that every event was handled but the one that waits, for both
// functions, and the one that can't be read.
func (s *stage) checkQueues(ctx context.Context) error {
	s.step("What the queues hold")
	held, err := s.account.queues(ctx)
	if err != nil {
		return err
	}
	s.check(len(held) == 5, "%d queues", len(held))
	for _, name := range slices.Sorted(maps.Keys(held)) {
		want := 0
		for _, one := range []string{"TaggerQueue", "CorsQueue", "TaggerDeadLetters"} {
			if strings.Contains(name, one) {
				want = 1
			}
		}
		s.check(held[name] == want, "%d in %s", held[name], name)
	}
	return nil
}

// update deploys another configuration over the first.
func (s *stage) update(ctx context.Context) error {
	s.step("Deploying another configuration over it: another cost center, cors: off, and a ledger")
	costCenters, _, _ := strings.Cut(shop.Config, "cors:")
	if err := s.cdk.configure(strings.Replace(costCenters, `"1001"`, `"`+newCostCenter+`"`, 1) + "cors: off\n" + ledgerConfig); err != nil {
		return err
	}
	if err := s.cloud.EnforceIAM(ctx, false); err != nil {
		return err
	}
	if err := s.cdk.run(ctx, "deploy", "--all", "--require-approval", "never"); err != nil {
		return err
	}
	if err := s.cloud.EnforceIAM(ctx, true); err != nil {
		return err
	}
	left, err := s.account.remains(ctx)
	if err != nil {
		return err
	}
	s.check(!strings.Contains(strings.Join(left, " "), "cors"), "the function cors is gone, with its queues, rules, role and log group")
	cfg := s.cloud.Config()
	r := shop.Bucket(cfg, "shop-updated", shop.State{Tags: map[string]string{"creator": shop.Alice, "cost-center": newCostCenter}})
	event, _, err := r.Create(ctx, cfg, s.events())
	if err != nil {
		return err
	}
	now, took, err := s.deliver(ctx, r, event)
	if err != nil {
		return err
	}
	s.check(now.Equal(r.Want), "a new bucket: %s, after %d ms", now, took.Milliseconds())
	if err := s.follow(ctx, newCostCenter, ""); err != nil {
		return err
	}
	for {
		now, err := s.waiting.resource.Look(ctx)
		if err != nil {
			return err
		}
		if took := time.Since(s.waiting.since); now.Equal(s.waiting.resource.Want) || took > retry {
			s.check(now.Equal(s.waiting.resource.Want), "the bucket that came after its event: %s, after %.0f s", now, took.Seconds())
			break
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return s.cloud.EnforceIAM(ctx, false)
}

// destroy removes the deployment, and looks for what is left of it.
func (s *stage) destroy(ctx context.Context) error {
	s.step("Destroying it")
	if err := s.cdk.run(ctx, "destroy", "--all", "--force"); err != nil {
		return err
	}
	left, err := s.account.remains(ctx)
	if err != nil {
		return err
	}
	s.check(len(left) == 0, "nothing of it is left: %d names %s", len(left), strings.Join(left, " "))
	return nil
}

// checkLoopback shows that the cloud can't be reached from another machine.
func (s *stage) checkLoopback(context.Context) error {
	s.step("Where it listens")
	at, err := s.cloud.Listening()
	if err != nil {
		return err
	}
	ok := len(at) > 0
	var text []string
	for _, a := range at {
		ok = ok && a.Addr().IsLoopback()
		text = append(text, a.String())
	}
	s.check(ok, "on loopback only: %s", strings.Join(text, " "))
	return nil
}

// follow shows that what a role makes is its who has taken it.
func (s *stage) follow(ctx context.Context, costCenter, cors string) error {
	const key, name = "ASIA3XLOCALSESSION01", "botocore-session-1795255500"
	cfg := s.cloud.Config()
	began := time.Now().Add(-2 * time.Minute)
	event, err := sample.Read(s.events(), "ledger/AssumeRole_chain.json").Place(emulator.Account, region).At(began).
		By(sample.Person(emulator.Account, shop.Alice)).Set("responseElements.credentials.accessKeyId", key).JSON()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := s.cloud.Deliver(ctx, event); err != nil {
		return err
	}
	table := ledger.New(cfg, deployment.Table, ledger.Options{Now: time.Now})
	for {
		session, err := table.Session(ctx, key)
		if err != nil {
			return err
		}
		if took := time.Since(start); session != nil || took > patience {
			s.check(session != nil, "a role that alice takes is in the ledger after %d ms", took.Milliseconds())
			break
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	role := "arn:aws:iam::" + emulator.Account + ":role/Deploy"
	r := shop.Bucket(cfg, "shop-by-role", shop.State{Tags: map[string]string{"creator": shop.Alice, "cost-center": costCenter}, CORS: cors}).By(map[string]any{
		"type": "AssumedRole", "principalId": "AROAEXAMPLE:" + name, "arn": "arn:aws:sts::" + emulator.Account + ":assumed-role/Deploy/" + name,
		"accountId": emulator.Account, "accessKeyId": key,
		"sessionContext": map[string]any{
			"sessionIssuer": map[string]any{"type": "Role", "principalId": "AROAEXAMPLE", "arn": role, "accountId": emulator.Account, "userName": "Deploy"},
			"attributes":    map[string]any{"creationDate": began.UTC().Format(time.RFC3339), "mfaAuthenticated": "false"},
		},
	})
	event, _, err = r.Create(ctx, cfg, s.events())
	if err != nil {
		return err
	}
	now, took, err := s.deliver(ctx, r, event)
	if err != nil {
		return err
	}
	s.check(now.Equal(r.Want), "a bucket that the role makes: %s, after %d ms", now, took.Milliseconds())
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
