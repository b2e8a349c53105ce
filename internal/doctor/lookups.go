package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"autotagger/internal/awsapi"
	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
)

// lookUps looks at what the look-ups of the configuration rest on.
func (v *visit) lookUps(ctx context.Context) []Finding {
	var findings []Finding
	if v.policy.LookUps.Ledger {
		findings = append(findings, v.ledger(ctx)...)
	}
	if v.policy.AsksAccounts() || v.policy.AsksOUs() {
		findings = append(findings, v.organizations(ctx))
	}
	return findings
}

// ledger looks at the ledger's table: that it is there, and loses what has expired.
func (v *visit) ledger(ctx context.Context) []Finding {
	const name = deployment.Table
	if v.hub.output("LedgerFunctionName") == "" {
		return []Finding{{"", Fail, "ledger", "the configuration asks for it and the deployment has none", "make deploy"}}
	}
	var described struct{ Table struct{ TableStatus string } }
	err := v.dynamodb(ctx, "DescribeTable", name, &described)
	switch status := described.Table.TableStatus; {
	case hasCode(err, "ResourceNotFoundException"):
		return []Finding{{"", Fail, name, "the table is gone: no chain of roles can be followed", restore}}
	case err != nil:
		return []Finding{unseen(name, err)}
	case status != "ACTIVE" && status != "UPDATING":
		return []Finding{{"", Warn, name, "the table is " + strings.ToLower(status), "look again in a minute"}}
	}
	findings := []Finding{{"", OK, name, "the table is there", ""}}
	var expiry struct {
		TimeToLiveDescription struct{ AttributeName, TimeToLiveStatus string }
	}
	err = v.dynamodb(ctx, "DescribeTimeToLive", name, &expiry)
	switch d := expiry.TimeToLiveDescription; {
	case err != nil:
		findings = append(findings, unseen(name+" expiry", err))
	case !strings.HasPrefix(d.TimeToLiveStatus, "ENABL") || d.AttributeName != "expires":
		findings = append(findings, Finding{"", Warn, name, "nothing expires in it: sessions pile up, and are paid for",
			"aws dynamodb update-time-to-live --region " + v.region + " --table-name " + name + " --time-to-live-specification Enabled=true,AttributeName=expires"})
	}
	return findings
}

// dynamodb makes a call about a table.
func (v *visit) dynamodb(ctx context.Context, op, table string, out any) error {
	body, err := awsapi.New(v.cfg, nil).Do(ctx, awsapi.Call{
		Service: &catalogue.Service{ID: "DynamoDB", Signing: "dynamodb", Protocol: catalogue.JSON10, Version: "DynamoDB_20120810"},
		Op:      op, Region: v.region, ARN: "arn:" + v.partition + ":", Fields: map[string]any{"TableName": table},
	})
	if err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

// organizations asks what the tagger asks, of the account itself.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
func (v *visit) organizations(ctx context.Context) Finding {
	const subject = "organisation"
	var err error
	if v.policy.AsksOUs() {
		_, err = v.org().ListParents(ctx, &organizations.ListParentsInput{ChildId: &v.account})
	}
	if err == nil && v.policy.AsksAccounts() {
		_, err = v.org().ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &v.account})
	}
	switch {
	case hasCode(err, "AWSOrganizationsNotInUseException"):
		return Finding{"", Warn, subject, "the account is in none: no account has tags or units, and that source of cost centers never answers", "take it out of cost-center"}
	case denied(err):
		return Finding{"", Warn, subject, "Organizations doesn't answer: " + reason(err) + "; then that source of cost centers never answers",
			"deploy to the management account or to a delegated administrator, which alone may ask; or allow " + actionOf(err) + " to the credentials in use"}
	case err != nil:
		return unseen(subject, err)
	}
	return Finding{"", OK, subject, "the account may ask for accounts' tags and units", ""}
}

// sessions judges the rules of a region and bus that are for sessions: they have to get
// read-only calls, too.
func (v *visit) sessions(region, bus string, rules []types.Rule) []Finding {
	if !v.policy.LookUps.Ledger {
		return nil
	}
	wanted := map[string]bool{} // by label: whether there is a rule
	for _, p := range catalogue.Ledger() {
		if p.ReadOnly {
			wanted[p.Label] = false
		}
	}
	var findings []Finding
	for _, r := range rules {
		name := aws.ToString(r.Name)
		label := name[strings.LastIndexByte(name, '-')+1:]
		if _, ours := wanted[label]; !ours {
			continue
		}
		wanted[label] = true
		if r.State == types.RuleStateEnabled {
			findings = append(findings, Finding{"", Warn, region + " " + bus, "the rule " + name + " gets no read-only calls: sessions aren't recorded, and chains of roles end there",
				"its state has to be " + deployment.StateReadOnly + ": " + restore})
		}
	}
	var missing []string
	for label, there := range wanted {
		if !there {
			missing = append(missing, label)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		findings = append(findings, Finding{"", Warn, region + " " + bus, fmt.Sprintf("there are no rules for %s: sessions that begin there aren't recorded", strings.Join(missing, ", ")), "make deploy"})
	}
	return findings
}
