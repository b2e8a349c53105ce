package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"autotagger/internal/attribute"
	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/pipeline"
	"autotagger/internal/redrive"
)

// redriving is what the arguments of redrive say.
type redriving struct {
	replay, dryRun bool
	writing        bool // whatever the switch says, where that can't be told
	max            int
	filter         redrive.Filter
	after, before  string
	undelivered    string
	work, dead     map[string]*string // by function
}

func newRedrive(a *app) *cobra.Command {
	r := redriving{work: map[string]*string{}, dead: map[string]*string{}}
	c := &cobra.Command{
		Use:   "redrive",
		Short: "List the events that were given up on, and send them back",
		Long: `Redrive lists the dead letters of the deployment in the region of the environment:
events that a function gave up on, or that EventBridge could not deliver. With
--replay it sends them back to their function's queue, where they are handled like
new ones. A letter is deleted only once that queue has it.

A letter's reason is one of
  failed: CODE             AWS refused for good
  retries-exhausted: CODE  it was tried for twelve hours
  receive-count-exceeded   the function died of it, or didn't come to it
  undelivered              EventBridge could not put it into the function's queue
  malformed                no function can read it; not replayed unless asked for
docs/redrive.md says what to do for each, and what permissions it takes.

With --replay a row says what became of the letter:
  replayed      its queue has it
  copied        its queue has it, and it could not be deleted here: it may be
                handled twice, which does no harm
  kept          it was left here (see why)
  failed        it could not be sent, and is still here
  would-replay  with --dry-run

While letters are looked at, others don't see them. It exits with 1 if a queue could
not be read, or any is failed or copied.`,
		Example: "  autotagger redrive\n  autotagger redrive --reason 'failed: AccessDenied*' --account 111122223333 --replay --dry-run\n  autotagger redrive --service rds --after 2026-11-21T08:00:00Z --replay --max 1",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			table, err := a.table()
			if err != nil {
				return err
			}
			if err := r.check(); err != nil {
				return err
			}
			// The first interrupt lets calls that are under way end, and lets letters
			// be seen again; the next one kills.
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer context.AfterFunc(ctx, stop)()
			return a.redrive(ctx, &r, table)
		},
	}
	f := c.Flags()
	f.BoolVar(&r.replay, "replay", false, "send the letters back")
	f.BoolVar(&r.dryRun, "dry-run", false, "with --replay: say what would be sent back")
	f.BoolVar(&r.writing, "assume-writing", false, "with --replay: go on where "+deployment.ParameterWriting+" can't be read, because it is known to be "+deployment.WritingOn)
	f.StringSliceVar(&r.filter.Functions, "function", nil, "only letters of this function: "+strings.Join(redrive.Functions(), ", "))
	f.StringArrayVar(&r.filter.Reasons, "reason", nil, "only letters with this reason; * and ? are wild, and what follows a colon may be left out")
	f.StringSliceVar(&r.filter.Services, "service", nil, "only events of this service: s3, or s3.amazonaws.com")
	f.StringSliceVar(&r.filter.Accounts, "account", nil, "only events of this account")
	f.StringVar(&r.after, "after", "", "only events from this time on: 2026-11-21, or 2026-11-21T08:00:00Z")
	f.StringVar(&r.before, "before", "", "only events before this time")
	f.IntVar(&r.max, "max", 0, "list or send back this many at most, the oldest first (default: all)")
	f.BoolVar(&r.filter.All, "all", false, "with --replay: malformed letters, too")
	f.StringVar(&r.undelivered, "undelivered", "", "URL of the queue of undelivered events; with any of these URLs, the stack isn't asked")
	for _, name := range redrive.Functions() {
		r.work[name] = f.String(name+"-queue", "", "URL of the queue of "+name)
		r.dead[name] = f.String(name+"-dead-letters", "", "URL of the dead-letter queue of "+name)
	}
	c.RegisterFlagCompletionFunc("function", cobra.FixedCompletions(redrive.Functions(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// check refuses arguments that can't be used.
func (r *redriving) check() (err error) {
	for _, name := range r.filter.Functions {
		if !slices.Contains(redrive.Functions(), name) {
			return fmt.Errorf("--function %s: there are %s", name, strings.Join(redrive.Functions(), " and "))
		}
	}
	for _, account := range r.filter.Accounts {
		if len(account) != 12 || strings.Trim(account, "0123456789") != "" {
			return fmt.Errorf("--account %s: an account's id has twelve digits", account)
		}
	}
	if len(r.filter.Services) > 0 {
		rows, err := catalogue.Default().All()
		if err != nil {
			return failure{err}
		}
		for _, service := range r.filter.Services {
			if len(ofService(rows, service)) == 0 {
				return fmt.Errorf("--service %s: the catalogue has no such service", service)
			}
		}
	}
	switch {
	case r.dryRun && !r.replay:
		return errors.New("--dry-run: it goes with --replay; without that nothing is changed")
	case r.writing && (!r.replay || r.dryRun):
		return errors.New("--assume-writing: it goes with --replay that sends")
	case r.filter.All && !r.replay:
		return errors.New("--all: it goes with --replay; without that all are listed")
	case r.max < 0:
		return fmt.Errorf("--max %d: it can't be negative", r.max)
	}
	if q, ok := r.named(); ok && len(q.DeadLetters) == 0 && q.Undelivered == "" {
		return errors.New("the URLs name no queue of dead letters")
	}
	if r.filter.After, err = moment("--after", r.after); err != nil {
		return err
	}
	r.filter.Before, err = moment("--before", r.before)
	return err
}

// moment reads a day, in UTC, or a time.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %s: it is a day, as 2026-11-21, or a time, as 2026-11-21T08:00:00Z", flag, text)
}

// named are the queues that the arguments name, if any.
func (r *redriving) named() (q redrive.Queues, any bool) {
	q = redrive.Queues{Work: given(r.work), DeadLetters: given(r.dead), Undelivered: r.undelivered}
	return q, len(q.Work)+len(q.DeadLetters) > 0 || q.Undelivered != ""
}

func given(flags map[string]*string) map[string]string {
	urls := map[string]string{}
	for name, url := range flags {
		if *url != "" {
			urls[name] = *url
		}
	}
	return urls
}

// queues are those of the arguments, or of the stack. Where the functions are
// switched off, nothing may be sent to them.
func (a *app) queues(ctx context.Context, cfg aws.Config, r *redriving) (redrive.Queues, error) {
	q, err := a.find(ctx, cfg, r)
	if err != nil || !r.replay || r.dryRun {
		return q, err
	}
	switch err := q.Writing(ctx, cfg); {
	case err == nil:
	case errors.Is(err, redrive.ErrOff):
		return q, fmt.Errorf("%w: the functions would only look at the events, and they would be gone; turn it on first", err)
	case r.writing:
		fmt.Fprintf(a.stderr, "autotagger: %s; going on, as told\n", oneLine(err))
	default:
		return q, fmt.Errorf("%w: if the functions only look at events, the letters would be gone; if you know that it is %s, --assume-writing goes on", err, deployment.WritingOn)
	}
	return q, nil
}

func (a *app) find(ctx context.Context, cfg aws.Config, r *redriving) (redrive.Queues, error) {
	if q, ok := r.named(); ok {
		return q, nil
	}
	if cfg.Region == "" {
		return redrive.Queues{}, errors.New("there is no region: set AWS_REGION to that of the hub")
	}
	q, err := redrive.Find(ctx, cfg)
	if errors.Is(err, redrive.ErrNoStack) {
		return q, fmt.Errorf("%w in %s: set AWS_REGION to the region of the hub, or give the queues' URLs", err, cfg.Region)
	}
	return q, err
}

func (a *app) redrive(ctx context.Context, r *redriving, table bool) (err error) {
	cfg, err := loadAWS(ctx)
	if err != nil {
		return failure{err}
	}
	if err := requireCredentials(ctx, cfg); err != nil {
		return failure{err}
	}
	queues, err := a.queues(ctx, cfg, r)
	if err != nil {
		return failure{err}
	}
	desk := redrive.Open(ctx, cfg, queues, redrive.Options{})
	failed := len(desk.Errors) > 0
	for _, err := range desk.Errors {
		fmt.Fprintf(a.stderr, "autotagger: %s\n", oneLine(err))
	}
	letters, more := a.take(ctx, r, desk)
	if err := desk.Close(context.WithoutCancel(ctx)); err != nil {
		failed = true
		fmt.Fprintf(a.stderr, "autotagger: %s\n", oneLine(err))
	}
	if err := a.printLetters(letters, r.replay, table); err != nil {
		return failure{fmt.Errorf("writing the output: %w", err)}
	}
	for _, l := range letters {
		failed = failed || l.Outcome == redrive.Failed || l.Outcome == redrive.Copied
	}
	if more > 0 {
		fmt.Fprintf(a.stderr, "autotagger: --max left out %d more that fit\n", more)
	}
	for _, left := range desk.Left {
		fmt.Fprintf(a.stderr, "autotagger: %s\n", left)
	}
	switch {
	case ctx.Err() != nil:
		return failure{errors.New("interrupted: there may be more letters")}
	case failed:
		return errFailed
	}
	return nil
}

// take returns the letters that the arguments ask for, replayed if they are to be, and
// how many more there would have been.
func (a *app) take(ctx context.Context, r *redriving, desk *redrive.Desk) (taken []*redrive.Letter, more int) {
	var sent []*redrive.Letter
	for _, l := range r.filter.Of(desk.Letters()) {
		why := ""
		if r.replay {
			why = r.filter.Spares(l)
		}
		switch {
		case why != "":
			l.Outcome, l.Why = redrive.Kept, why
		case r.max > 0 && len(sent) == r.max:
			more++
			continue
		default:
			sent = append(sent, l)
		}
		taken = append(taken, l)
	}
	switch {
	case r.dryRun:
		for _, l := range sent {
			l.Outcome = redrive.WouldReplay
		}
	case r.replay:
		desk.Replay(ctx, sent)
	}
	return taken, more
}

// letterRow is a letter as it is printed, one JSON object a line.
type letterRow struct {
	Event    pipeline.EventRow   `json:"event"`
	Creator  pipeline.CreatorRow `json:"creator"`
	Function string              `json:"function"`
	Reason   string              `json:"reason"`
	Error    string              `json:"error"`
	Since    string              `json:"since"`
	Message  string              `json:"message"` // SQS's id
	Outcome  string              `json:"outcome,omitempty"`
	Why      string              `json:"why,omitempty"`
}

func newLetterRow(l *redrive.Letter) letterRow {
	row := letterRow{
		Function: strings.Join(l.Functions, ","), Reason: l.Reason, Error: l.Error,
		Since: l.Since.Format(time.RFC3339), Message: l.ID, Outcome: string(l.Outcome), Why: l.Why,
	}
	if e := l.Event; e != nil {
		row.Event = pipeline.EventRow{ID: e.ID, Source: e.Source, Name: e.Name, Time: e.TimeText, Region: e.Region, Account: e.Account}
		c := attribute.Of(e.Identity)
		row.Creator = pipeline.CreatorRow{Name: c.Name, Kind: c.Kind, ARN: c.ARN, Via: c.Via}
	}
	return row
}

// printLetters prints an object a letter, or a table.
func (a *app) printLetters(letters []*redrive.Letter, replay, table bool) error {
	if !table {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		for _, l := range letters {
			if err := enc.Encode(newLetterRow(l)); err != nil {
				return err
			}
		}
		return nil
	}
	out := &rows{tab: tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0), color: isTerminal(a.stdout) && os.Getenv("NO_COLOR") == ""}
	head := []string{"SINCE", "FUNCTION", "EVENT", "ACCOUNT", "REGION", "CREATOR", "REASON", "ERROR"}
	if replay {
		head = append([]string{"RESULT"}, head...)
	}
	if err := out.line("", head[0], head[1:]...); err != nil {
		return err
	}
	colors := map[redrive.Outcome]string{redrive.Replayed: "32", redrive.Copied: "31", redrive.Failed: "31", redrive.Kept: "2"}
	for _, l := range letters {
		row := newLetterRow(l)
		service, _, _ := strings.Cut(row.Event.Source, ".")
		cells := []string{row.Since, row.Function, strings.Trim(service+":"+row.Event.Name, ":"), row.Event.Account, row.Event.Region, row.Creator.Name, row.Reason, row.Error}
		if replay {
			cells = append([]string{row.Outcome}, cells...)
			if row.Why != "" {
				cells[len(cells)-1] = strings.TrimPrefix(cells[len(cells)-1]+" ("+row.Why+")", " ")
			}
		}
		if err := out.line(colors[l.Outcome], cells[0], cells[1:]...); err != nil {
			return err
		}
	}
	return out.flush()
}
