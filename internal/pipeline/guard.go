package pipeline

import (
	"autotagger/internal/cloudtrail"
	"autotagger/internal/plan"
)

// Guard keeps a deployed function from acting in an account that an event doesn't
// come from. EventBridge sets the account of an envelope; the record inside and the
// ARNs in it are data. Only where all of them name one account are that account's
// credentials used.
type Guard struct {
	// Account is the only account to act for; "" acts for every account.
	Account string
}

// Refuses says why nothing may be written to a resource of an event, "" where it
// may. A nil Guard, as on the command line, refuses nothing.
func (g *Guard) Refuses(e *cloudtrail.Event, r plan.Resource) (why string) {
	switch {
	case g == nil:
		return ""
	case e.Delivered == "":
		return "the event came without EventBridge's envelope"
	case g.Account != "" && e.Delivered != g.Account:
		return "the event is of account " + e.Delivered + ", this deployment acts for " + g.Account
	case e.Recipient != e.Delivered:
		return "the event was delivered for account " + e.Delivered + ", its recipientAccountId is " + quoted(e.Recipient)
	case r.Account != e.Delivered:
		return "the event is of account " + e.Delivered + ", the resource of " + quoted(r.Account)
	}
	return ""
}

func quoted(account string) string {
	if account == "" {
		return "missing"
	}
	return account[:min(len(account), 40)]
}
