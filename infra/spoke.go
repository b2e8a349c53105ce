package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/resolve"
)

// maxTemplate is how many bytes a template may have that isn't in a bucket. The
// spokes' templates are kept below it, so that a region needs no bucket for them.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maxTemplate = 51200

// spoke is one kind of spoke. Of each there is one template, whether a stack set
// has it or a plain stack.
type spoke struct {
	set         string // the stack set's name
	description string
	// add fills a stack. The bus is the ARN of the hub's.
	add func(stack awscdk.Stack, bus *string) error
}

// rolesSpoke is what an account has once.
func rolesSpoke(s Settings, rows []*catalogue.Row) spoke {
	return spoke{
		set: deployment.RolesStackSet, description: "Roles that the hub of autotagger assumes",
		add: func(stack awscdk.Stack, bus *string) error {
			for _, j := range newJobs(s, rows) {
				if !j.writes() {
					continue
				}
				if err := j.addSpokeRole(stack, bus, s.Organization); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// rulesSpoke is what a region has whose events are wanted, companionSpoke one of
// which only the events of global services are.
func rulesSpoke(s Settings, rows []*catalogue.Row) spoke {
	return spoke{
		set: deployment.RulesStackSet, description: "Forwards events to the hub of autotagger",
		add: func(stack awscdk.Stack, bus *string) error { return addForwarding(stack, bus, s, rows) },
	}
}

func companionSpoke(s Settings, rows []*catalogue.Row) spoke {
	return spoke{
		set: deployment.CompanionStackSet, description: "Forwards events of global services to the hub of autotagger",
		add: func(stack awscdk.Stack, bus *string) error {
			return addForwarding(stack, bus, s, catalogue.Global(rows))
		},
	}
}

// places are the regions whose events are wanted, the hub's first, and those of
// which only events of global services are. Without the hub's region there are
// none. The warnings say what isn't covered.
func places(s Settings, rows []*catalogue.Row) (all, global, warnings []string) {
	if s.Region == "" {
		return nil, nil, []string{"the region isn't known (no credentials, no AWS_REGION): only the hub is made, without the stacks of other regions"}
	}
	all = []string{s.Region}
	for _, region := range s.Regions {
		if region != s.Region {
			all = append(all, region)
		}
	}
	if !s.Companions {
		return all, nil, nil
	}
	partition := resolve.Partition(s.Region)
	companions, known := catalogue.Companions(rows, partition)
	if region := catalogue.GlobalSessions(partition); s.Policy.LookUps.Ledger && region != "" && !slices.Contains(companions, region) {
		companions = append(companions, region)
	}
	if !known {
		warnings = append(warnings, fmt.Sprintf("where the events of global services arrive in the partition %s isn't known: name that region in %s", partition, contextRegions))
	}
	global = slices.DeleteFunc(companions, func(region string) bool { return slices.Contains(all, region) })
	return all, global, warnings
}

// addForwarding adds rules that forward the functions' events to the hub's bus, and the
// alarms of this region. Each bus passes an event on once only, so that the hub's bus is
// no way to another.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
func addForwarding(stack awscdk.Stack, bus *string, s Settings, rows []*catalogue.Row) error {
	patterns, err := forwardedPatterns(s, rows)
	if err != nil {
		return err
	}
	ours := ruleArn(stack, deployment.RulePrefix(deployment.Forward)+"*")
	undelivered := newQueue(stack, "Undelivered", deadDays, nil, nil)
	excuse(undelivered, "AwsSolutions-SQS3", lastQueue)
	letRulesSend(undelivered, ours)
	// The conditions are those that the console writes for such a role.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
	role := awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
		RoleName: jsii.String(deployment.ForwardRole(*stack.Region())),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{
				"ArnLike":      map[string]any{"aws:SourceArn": ours},
				"StringEquals": map[string]any{"aws:SourceAccount": stack.Account()},
			},
		}),
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"PutEvents": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
				awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
					Actions: jsii.Strings("events:PutEvents"), Resources: &[]*string{bus},
				}),
			}}),
		},
	})
	// Every rule repeats these ids.
	for id, construct := range map[string]constructs.IConstruct{"Queue": undelivered, "QueuePolicy": undelivered.Node().FindChild(jsii.String("Policy")), "Role": role} {
		construct.Node().DefaultChild().(awscdk.CfnElement).OverrideLogicalId(jsii.String(id))
	}
	to := target{
		arn: bus, role: role.RoleArn(), undelivered: undelivered.QueueArn(),
		first: []constructs.IDependable{undelivered.Node().FindChild(jsii.String("Policy"))},
	}
	for _, p := range patterns {
		name, err := ruleName(deployment.Forward, p)
		if err != nil {
			return err
		}
		rule := to.newRule(stack, "Rule-"+p.Label, name, "", nil, nil)
		// CloudFormation takes the pattern as text too, the CDK only as an object,
		// which its command line writes in YAML with a line for each name.
		// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
		takeReadOnly(p, rule).AddPropertyOverride(jsii.String("EventPattern"), p.JSON())
	}
	to.newRule(stack, "Rule-alarms", deployment.RulePrefix(deployment.Forward)+"alarms", "", alarmChanges(), nil)
	addSpokeAlarm(stack, undelivered)
	return nil
}

// addSpokeRole makes the role that the hub's function of a job assumes. It trusts
// the hub's account and asks for the function's role by its name: a role that is
// itself the principal is lost to the policy when it is made anew.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
func (j *job) addSpokeRole(stack awscdk.Stack, bus *string, organization string) error {
	part := func(i float64) *string {
		return awscdk.Fn_Select(jsii.Number(i), awscdk.Fn_Split(jsii.String(":"), bus, nil))
	}
	region, account := part(3), part(4)
	role := awsiam.NewRole(stack, jsii.String(j.id), &awsiam.RoleProps{
		RoleName:    jsii.String(deployment.SpokeRole(j.name)),
		Description: jsii.String("What autotagger's " + j.name + " may do in this account"),
		AssumedBy: awsiam.NewPrincipalWithConditions(awsiam.NewAccountPrincipal(account), &map[string]any{
			"ArnEquals": map[string]any{"aws:PrincipalArn": stack.FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("iam"), Region: jsii.String(""), Account: account,
				Resource: jsii.String("role"), ResourceName: jsii.String(deployment.FunctionRole(j.name, *region)),
			})},
			"StringEquals": map[string]any{"aws:PrincipalOrgID": organization},
		}),
	})
	return j.allow(role)
}

// newStack makes a stack of a spoke, whose template is small enough to need
// nothing in its region beforehand.
func (sp spoke) newStack(scope constructs.Construct, name string, env *awscdk.Environment) awscdk.Stack {
	stack := awscdk.NewStack(scope, jsii.String(name), &awscdk.StackProps{
		Description:        jsii.String(sp.description),
		Env:                env,
		Synthesizer:        awscdk.NewBootstraplessSynthesizer(nil),
		AnalyticsReporting: jsii.Bool(false),
	})
	stack.Node().SetContext(jsii.String("aws:cdk:enable-path-metadata"), false)
	return stack
}

// addPlain adds the spoke to an app as a stack of its own.
func (sp spoke) addPlain(app awscdk.App, s Settings, region string, bus *string) (awscdk.Stack, error) {
	stack := sp.newStack(app, deployment.SpokeStack(sp.set, region), environment(s.Account, region))
	awscdk.Tags_Of(stack).Add(jsii.String(deployment.TagKey), jsii.String(deployment.TagValue), &awscdk.TagProps{
		ExcludeResourceTypes: jsii.Strings("AWS::Events::Rule"), // for the template's size
	})
	return stack, sp.add(stack, bus)
}

// addSpokes adds the spokes of one account as plain stacks, for an account that
// stack sets don't reach.
func addSpokes(app awscdk.App, s Settings, rows []*catalogue.Row, all, global, warnings []string) error {
	// The hub of one account takes its own region's events by itself, and acts as
	// itself.
	if s.Organization == "" {
		taken := func(region string) bool { return region == busRegion(s.Hub) }
		all, global = slices.DeleteFunc(all, taken), slices.DeleteFunc(global, taken)
	}
	var stacks []awscdk.Stack
	add := func(sp spoke, regions []string) error {
		for _, region := range regions {
			stack, err := sp.addPlain(app, s, region, jsii.String(s.Hub))
			if err != nil {
				return err
			}
			stacks = append(stacks, stack)
		}
		return nil
	}
	var errRoles error
	if s.Organization != "" {
		errRoles = add(rolesSpoke(s, rows), []string{s.Region})
	}
	if err := errors.Join(errRoles, add(rulesSpoke(s, rows), all), add(companionSpoke(s, rows), global)); err != nil {
		return err
	}
	if len(stacks) == 0 {
		return fmt.Errorf("there is nothing to deploy: the hub takes the events of %s by itself; name other regions in %s", busRegion(s.Hub), contextRegions)
	}
	warn(stacks[0], warnings)
	return nil
}

// addRegions adds the account's other regions, each as a stack that forwards to the
// hub. They come after it and go before it.
func (h *hub) addRegions(app awscdk.App, all, global []string) error {
	account := h.settings.Account
	if account == "" {
		account = *awscdk.Aws_ACCOUNT_ID()
	}
	bus := jsii.String(fmt.Sprintf("arn:%s:events:%s:%s:event-bus/%s", resolve.Partition(h.settings.Region), h.settings.Region, account, deployment.Bus))
	add := func(sp spoke, regions []string) error {
		for _, region := range regions {
			stack, err := sp.addPlain(app, h.settings, region, bus)
			if err != nil {
				return err
			}
			stack.AddStackDependency(h.stack, nil)
		}
		return nil
	}
	return errors.Join(add(rulesSpoke(h.settings, h.rows), all), add(companionSpoke(h.settings, h.rows), global))
}

// template returns the spoke as a template for any account and region, with the
// ARN of the hub's bus as its parameter.
func (sp spoke) template() (string, error) {
	dir, err := os.MkdirTemp("", "spoke-")
	if err != nil {
		return "", fmt.Errorf("making a folder for a template: %w", err)
	}
	defer os.RemoveAll(dir)
	// An app of its own, since it isn't to be deployed: without the folder it
	// would write where the CDK's command line looks for the other's stacks.
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(dir), AutoSynth: jsii.Bool(false), TreeMetadata: jsii.Bool(false)})
	stack := sp.newStack(app, sp.set, nil)
	bus := awscdk.NewCfnParameter(stack, jsii.String(hubParameter), &awscdk.CfnParameterProps{
		Description: jsii.String("ARN of the hub's bus"), AllowedPattern: jsii.String("^" + hubForm + "$"),
	})
	if err := sp.add(stack, bus.ValueAsString()); err != nil {
		return "", fmt.Errorf("making the template of %s: %w", sp.set, err)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(app.Synth(nil).GetStackByName(jsii.String(sp.set)).Template()); err != nil {
		return "", fmt.Errorf("writing the template of %s: %w", sp.set, err)
	}
	body := string(bytes.TrimSpace(text.Bytes()))
	if n := len(body); n > maxTemplate {
		return "", fmt.Errorf("the template of %s has %d bytes, %d more than CloudFormation takes: turn services off in the configuration", sp.set, n, n-maxTemplate)
	}
	return body, nil
}
