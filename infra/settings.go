package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"autotagger/internal/catalogue"
	"autotagger/internal/deployment"
	"autotagger/internal/policy"
	"autotagger/internal/resolve"
)

// Settings are what a deployment may choose.
type Settings struct {
	// Policy is the configuration, and File its text as the functions get it.
	Policy *policy.Policy
	File   []byte
	// Build is the folder of the built functions, by architecture.
	Build string
	// Architecture is the functions', as Lambda writes it.
	Architecture string
	// LogDays is how long logs are kept.
	LogDays int
	// Account and Region are where the hub goes, or in an app of spokes these;
	// empty if the command line doesn't know, as without credentials.
	Account, Region string

	// Organization is the id of the organisation that the hub serves; empty: it
	// serves its own account.
	Organization string
	// Units are the roots and organizational units that get spokes by stack sets;
	// none: spokes are deployed by hand.
	Units []string
	// CallAs is as whom the stack sets are administered.
	CallAs string
	// Hub makes an app of spokes only: the ARN of the hub's bus.
	Hub string
	// Regions are further regions whose events are wanted; Region always is.
	Regions []string
	// Companions adds the regions in which the events of global services arrive.
	Companions bool

	// ConfigBucket is a bucket that the functions may read a configuration from.
	ConfigBucket string
	// CustomerKey encrypts the queues and the alarm topic under a key of its own.
	CustomerKey bool
	// AlarmTopic is the ARN of a topic that gets the alarms, AlarmEmail an address
	// for a new one.
	AlarmTopic, AlarmEmail string
	// Tracing sends the functions' traces to X-Ray.
	Tracing bool

	// Warnings are what a person should look at and doesn't prevent a deployment.
	Warnings []string
}

// The context keys of the command line: npx cdk deploy -c config=other.yaml
const (
	contextConfig       = "config"
	contextLogDays      = "log-retention-days"
	contextArchitecture = "architecture"
	contextOrganization = "organization"
	contextUnits        = "organizational-units"
	contextCallAs       = "call-as"
	contextHub          = "hub"
	contextRegions      = "regions"
	contextCompanions   = "companions"
	contextConfigBucket = "config-bucket"
	contextEncryption   = "encryption"
	contextAlarmTopic   = "alarm-topic"
	contextAlarmEmail   = "alarm-email"
	contextTracing      = "tracing"
)

// contextKeys are all keys that [settings] reads.
func contextKeys() []string {
	return []string{
		contextConfig, contextLogDays, contextArchitecture, contextOrganization, contextUnits, contextCallAs, contextHub,
		contextRegions, contextCompanions, contextConfigBucket, contextEncryption, contextAlarmTopic, contextAlarmEmail, contextTracing,
	}
}

const (
	defaultConfig  = "autotagger.yaml"
	defaultLogDays = "90"
)

const (
	arm64  = "arm64"
	x86_64 = "x86_64"
)

// What values look like.
const (
	// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
	organizationForm = `o-[a-z0-9]{10,32}`
	// https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html
	unitForm   = `r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}`
	regionForm = `[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}`
	hubForm    = `arn:(aws[a-z-]*):events:(` + regionForm + `):([0-9]{12}):event-bus/` + deployment.Bus
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	bucketForm = `[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]`
	topicForm  = `arn:aws[a-z-]*:sns:` + regionForm + `:[0-9]{12}:[A-Za-z0-9_-]{1,256}`
	emailForm  = `[^@\s]+@[^@\s]+`
)

// settings reads what the context and the environment of a CDK app say. The
// error lists every fault.
func settings(node constructs.Node) (Settings, error) {
	r := reader{node: node}
	s := Settings{
		Build:        "build",
		Account:      os.Getenv("CDK_DEFAULT_ACCOUNT"),
		Region:       os.Getenv("CDK_DEFAULT_REGION"),
		Architecture: r.choice(contextArchitecture, arm64, x86_64),
		Organization: r.formed(contextOrganization, organizationForm, "an organisation's id looks like o-a1b2c3d4e5"),
		Units:        r.list(contextUnits, unitForm, "units look like ou-ab12-c3d4e5f6, a root like r-ab12, with commas between them"),
		CallAs:       r.choice(contextCallAs, "DELEGATED_ADMIN", "SELF"),
		Hub:          r.formed(contextHub, hubForm, "it is the ARN of the hub's bus, arn:aws:events:REGION:ACCOUNT:event-bus/"+deployment.Bus+", which the hub's stack outputs"),
		Regions:      r.list(contextRegions, regionForm, "regions look like eu-west-1, with commas between them"),
		Companions:   r.choice(contextCompanions, "true", "false") == "true",
		ConfigBucket: r.formed(contextConfigBucket, bucketForm, "it is the name of a bucket"),
		CustomerKey:  r.choice(contextEncryption, "sqs", "customer-key") == "customer-key",
		AlarmTopic:   r.formed(contextAlarmTopic, topicForm, "it is the ARN of an SNS topic"),
		AlarmEmail:   r.formed(contextAlarmEmail, emailForm, "it is an e-mail address"),
		Tracing:      r.choice(contextTracing, "false", "true") == "true",
	}
	var errConfig, errDays error
	s.Policy, s.File, errConfig = readConfig(r.text(contextConfig, defaultConfig))
	s.LogDays, errDays = logDays(r.text(contextLogDays, defaultLogDays))
	r.faults = append([]error{errConfig, errDays}, r.faults...)
	r.refuseUnknown()
	// Empty, as of a variable that isn't set, these would deploy something else.
	for _, key := range []string{contextOrganization, contextUnits, contextHub} {
		if r.there(key) && !r.given(key) {
			r.faults = append(r.faults, fmt.Errorf("%s is empty: give its value, or leave it out", key))
		}
	}
	s.Warnings = append(r.idle(s), s.blind()...)
	if r.given(contextCallAs) && s.Organization == "" {
		r.faults = append(r.faults, fmt.Errorf("%s is given: it needs %s=o-…", contextCallAs, contextOrganization))
	}
	return s, errors.Join(append(r.faults, s.agree())...)
}

// agree finds settings that don't go together.
func (s Settings) agree() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Region != "" && !fits(regionForm, s.Region) {
		fault("the region to deploy to is %q; regions look like eu-west-1: set AWS_REGION", s.Region)
	}
	missing := s.missing()
	switch {
	case s.Organization != "" && missing != "":
		fault("%s is %q, and %s", contextOrganization, s.Organization, missing)
	case s.Hub != "" && missing != "":
		fault("%s is %q, and %s", contextHub, s.Hub, missing)
	case s.Hub != "" && s.Organization == "" && busAccount(s.Hub) != s.Account:
		fault("%s is in the account %s and this one is %s: spokes of another account need %s=o-…", contextHub, busAccount(s.Hub), s.Account, contextOrganization)
	}
	if len(s.Units) > 0 && s.Organization == "" {
		fault("%s is %q: it needs %s=o-…", contextUnits, strings.Join(s.Units, ","), contextOrganization)
	}
	if len(s.Units) > 0 && s.Hub != "" {
		fault("%s belongs to the hub's own deployment, not to one with %s", contextUnits, contextHub)
	}
	if bucket := costCenterBucket(s.Policy); bucket != "" && bucket != s.ConfigBucket && s.Hub == "" {
		fault("the configuration has cost-centers.object in the bucket %s, which the functions may read only as %s=%[1]s", bucket, contextConfigBucket)
	}
	if s.AlarmTopic != "" && s.AlarmEmail != "" {
		fault("%s and %s are both given: choose one", contextAlarmTopic, contextAlarmEmail)
	}
	if s.Region == "" {
		return errors.Join(faults...)
	}
	if !fits(regionForm, s.Region) {
		return errors.Join(faults...) // its partition isn't known
	}
	// The regions of an account are all of one partition.
	partition := resolve.Partition(s.Region)
	for _, region := range s.Regions {
		if p := resolve.Partition(region); p != partition {
			fault("%s has %s of the partition %s; %s is of %s, whose credentials these are", contextRegions, region, p, s.Region, partition)
		}
	}
	if p := arnPart(s.Hub, 1); s.Hub != "" && p != partition {
		fault("%s is in the partition %s; %s is of %s", contextHub, p, s.Region, partition)
	}
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
	if region := arnPart(s.AlarmTopic, 3); s.AlarmTopic != "" && s.Hub == "" && region != s.Region {
		fault("%s is in %s: alarms reach topics of their own region only, %s", contextAlarmTopic, region, s.Region)
	}
	return errors.Join(faults...)
}

// missing says what isn't known of where to deploy to, and how to give it; "" if all
// is. The CDK's command line learns the account from the credentials.
func (s Settings) missing() string {
	const account = "the account to deploy to isn't known: set AWS_PROFILE, or without credentials CDK_DEFAULT_ACCOUNT"
	const region = "the region to deploy to isn't known: set AWS_REGION"
	switch {
	case s.Account == "" && s.Region == "":
		return account + "; " + region
	case s.Account == "":
		return account
	case s.Region == "":
		return region
	}
	return ""
}

// arnPart returns a part of an ARN, counted from 0; "" if there is none.
func arnPart(arn string, i int) string {
	parts := strings.Split(arn, ":")
	if i >= len(parts) {
		return ""
	}
	return parts[i]
}

// busAccount and busRegion are where a bus is, by its ARN.
func busAccount(arn string) string { return arnPart(arn, 4) }
func busRegion(arn string) string  { return arnPart(arn, 3) }

// reader reads context values and gathers what is wrong with them.
type reader struct {
	node   constructs.Node
	faults []error
}

// text returns a context value: a string from the command line, a string,
// number, boolean or list from cdk.json.
func (r *reader) text(key, fallback string) string {
	switch v := r.node.TryGetContext(jsii.String(key)).(type) {
	case nil:
		return fallback
	case []any:
		var parts []string
		for _, part := range v {
			parts = append(parts, fmt.Sprint(part))
		}
		return strings.Join(parts, ",")
	default:
		return fmt.Sprint(v)
	}
}

func (r *reader) given(key string) bool { return r.text(key, "") != "" }

// there reports whether a key has a value at all, be it empty.
func (r *reader) there(key string) bool { return r.node.TryGetContext(jsii.String(key)) != nil }

func (r *reader) fault(key, value, want string) {
	r.faults = append(r.faults, fmt.Errorf("%s is %q; %s", key, value, want))
}

// choice returns one of the values, the first by default.
func (r *reader) choice(key string, values ...string) string {
	value := r.text(key, values[0])
	if !slices.Contains(values, value) {
		r.fault(key, value, "it is one of "+strings.Join(values, ", "))
	}
	return value
}

// formed returns a value of a form, or nothing.
func (r *reader) formed(key, form, want string) string {
	value := r.text(key, "")
	if value != "" && !fits(form, value) {
		r.fault(key, value, want)
		return ""
	}
	return value
}

// list returns the values of a list of a form.
func (r *reader) list(key, form, want string) []string {
	text := r.text(key, "")
	if text == "" {
		return nil
	}
	var values []string
	for value := range strings.SplitSeq(text, ",") {
		value = strings.TrimSpace(value)
		switch {
		case !fits(form, value):
			r.fault(key, text, want)
			return nil
		case slices.Contains(values, value):
			r.fault(key, text, value+" is there twice")
			return nil
		}
		values = append(values, value)
	}
	return values
}

func fits(form, value string) bool {
	ok, err := regexp.MatchString(`^(`+form+`)$`, value)
	return err == nil && ok
}

// refuseUnknown finds keys that look like settings and aren't: a misspelt one would
// deploy something else than was meant. The CDK's own have a colon or a slash, but
// for a few.
func (r *reader) refuseUnknown() {
	all, _ := r.node.GetAllContext(nil).(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if strings.ContainsAny(key, ":/@") || slices.Contains(contextKeys(), key) || slices.Contains([]string{"cli-telemetry", "acknowledged-issue-numbers", "tree-metadata"}, key) {
			continue
		}
		hint := ""
		if near := policy.Nearest(key, contextKeys()); near != "" {
			hint = "did you mean " + near + "? "
		}
		r.faults = append(r.faults, fmt.Errorf("the context %s isn't known; %sknown are %s", key, hint, strings.Join(contextKeys(), ", ")))
	}
}

// idle warns of what is given and has no effect. It isn't refused: cdk.json may keep
// the settings of the hub where spokes are deployed, too.
func (r *reader) idle(s Settings) []string {
	var keys []string
	var why string
	switch {
	case s.Hub != "":
		keys = []string{contextLogDays, contextArchitecture, contextConfigBucket, contextEncryption, contextAlarmTopic, contextAlarmEmail, contextTracing}
		why = "with " + contextHub + ": it belongs to the hub's own deployment"
	case s.Organization != "" && len(s.Units) == 0:
		keys = []string{contextCallAs, contextRegions, contextCompanions}
		why = "without " + contextUnits + ": it is the stack sets'"
	}
	var warnings []string
	for _, key := range keys {
		if r.given(key) {
			warnings = append(warnings, key+" has no effect "+why)
		}
	}
	return warnings
}

// costCenterBucket is the bucket of a configuration's list of cost centers; "" if there is
// none, or no configuration.
func costCenterBucket(p *policy.Policy) string {
	if p == nil {
		return ""
	}
	bucket, _, _ := strings.Cut(strings.TrimPrefix(p.CostCenters.Object, "s3://"), "/")
	return bucket
}

// blind warns of look-ups that may not work from where the hub is.
func (s Settings) blind() []string {
	if s.Policy == nil || s.Hub != "" {
		return nil
	}
	var all []string
	// Whoever administers service-managed stack sets may read the organisation.
	// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
	if (s.Policy.AsksAccounts() || s.Policy.AsksOUs()) && len(s.Units) == 0 {
		all = append(all, "the configuration asks Organizations, which answers the management account and delegated administrators only: see that this account is one, autotagger doctor tells")
	}
	if store := s.Policy.LookUps.IdentityStore; store != nil && store.Account != "" && s.Organization == "" && store.Account != s.Account {
		all = append(all, fmt.Sprintf("the configuration has an identity store in the account %s, of which a deployment for one account can ask nothing", store.Account))
	}
	return all
}

// readConfig reads a configuration that is fit to be deployed. The error lists
// every fault.
func readConfig(name string) (*policy.Policy, []byte, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no configuration %s: copy autotagger.example.yaml to it, or name another file with -c %s=FILE", name, contextConfig)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	rows, err := catalogue.Default().All()
	if err != nil {
		return nil, nil, err
	}
	p, err := policy.ParseForDeployment(name, data, rows)
	if err != nil {
		return nil, nil, fmt.Errorf("the configuration has faults:\n%w", err)
	}
	return p, data, nil
}

// retentions are the days that CloudWatch Logs can keep logs.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
func retentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

func logDays(text string) (int, error) {
	days, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(retentions(), days) {
		allowed := strings.Trim(fmt.Sprint(retentions()), "[]")
		return 0, fmt.Errorf("%s is %q; CloudWatch Logs knows %s", contextLogDays, text, strings.ReplaceAll(allowed, " ", ", "))
	}
	return days, nil
}
