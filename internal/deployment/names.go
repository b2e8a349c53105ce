// Package deployment holds the names by which the parts of a deployment know
// each other: the CDK app that makes them, the functions that run among them, the
// policy that recognises their calls, and the doctor that looks at them from
// outside. It is names only.
//
// # The parts
//
// A hub, one stack in one account and region, has the queues, the functions and
// the bus [Bus]. A spoke, in any account and region, forwards events to that bus
// ([RulesStackSet], or [CompanionStackSet] where only events of global services
// are wanted) and has, once for each account, the roles that the hub's functions
// assume there ([RolesStackSet]). A deployment for one account has no spokes' roles:
// its functions tag as themselves.
package deployment

import "strings"

const (
	// Stack is the hub's CloudFormation stack.
	Stack = "Autotagger"
	// TagKey and TagValue are on everything that a deployment makes and that takes tags.
	TagKey, TagValue = "Application", "autotagger"
	// Prefix begins the names of rules, alarms, roles, functions, saved queries.
	Prefix = "autotagger-"
	// Bus is the hub's event bus.
	Bus = "autotagger"
	// Metrics is the CloudWatch namespace of the functions' metrics.
	Metrics = "Autotagger"

	// The stack sets of an organisation's spokes. The same templates deployed as
	// plain stacks, as in the management account, have the names of [SpokeStack].
	RolesStackSet     = "autotagger-roles"
	RulesStackSet     = "autotagger-rules"
	CompanionStackSet = "autotagger-companion"

	// ParameterWriting is the SSM parameter that turns writing on and off: "on" or
	// "off". ParameterConfiguration is where the configuration comes from:
	// [Deployed], or an object as "s3://bucket/key".
	ParameterWriting       = "/autotagger/writing"
	ParameterConfiguration = "/autotagger/configuration"

	// WritingOn and WritingOff are the values of ParameterWriting.
	WritingOn  = "on"
	WritingOff = "off"
	// Deployed stands for the configuration in the function's own package.
	Deployed = "deployed"
)

// The functions' names.
const (
	Tagger = "tagger"
	CORS   = "cors"
	Ledger = "ledger"
)

// Table is the name of the ledger's table in DynamoDB.
const Table = Prefix + "ledger"

// Forward names a spoke's rules, as a function's name does its own.
const Forward = "forward"

// OutputUndelivered is the output of [Stack] with the URL of the queue for what
// EventBridge could not deliver.
const OutputUndelivered = "UndeliveredQueueUrl"

// OutputQueue and OutputDeadLetters are the outputs of [Stack] with the URLs of a
// function's queues.
func OutputQueue(function string) string       { return title(function) + "QueueUrl" }
func OutputDeadLetters(function string) string { return title(function) + "DeadLetterQueueUrl" }

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// The functions' environment.
const (
	// EnvConfig names the configuration file, beside the binary.
	EnvConfig = "AUTOTAGGER_CONFIG"
	// EnvParameters is "on" where the functions are to look at the parameters of
	// this package; unset, the file alone counts.
	EnvParameters = "AUTOTAGGER_PARAMETERS"
	// EnvAccount is the one account whose events a function takes, tagging as
	// itself. EnvSpokeRole is, of a hub for many accounts, the name of the role that
	// it assumes in an event's account.
	EnvAccount   = "AUTOTAGGER_ACCOUNT"
	EnvSpokeRole = "AUTOTAGGER_SPOKE_ROLE"
	// EnvQueue and EnvDeadLetters are the URLs of the function's queue and of its
	// dead letters.
	EnvQueue       = "AUTOTAGGER_QUEUE_URL"
	EnvDeadLetters = "AUTOTAGGER_DEAD_LETTERS_URL"
	// EnvTable is the name of the ledger's table, unset where there is none.
	EnvTable = "AUTOTAGGER_TABLE"
)

// FunctionName is the name that Lambda has for a function.
func FunctionName(function string) string { return Prefix + function }

// RulePrefix begins the names of the rules that send to a function, or that
// [Forward].
func RulePrefix(kind string) string { return Prefix + kind + "-" }

// FunctionRole is the name of the role that a function runs under. IAM is global,
// so that the region keeps two deployments apart.
func FunctionRole(function, region string) string { return Prefix + function + "-" + region }

// SpokeRole is the name of the role that the hub's function assumes in each account.
func SpokeRole(function string) string { return Prefix + function + "-spoke" }

// SessionName is what the functions' sessions of those roles are called.
const SessionName = "autotagger"

// ForwardRole is the name of the role under which a region's rules put events on
// the hub's bus.
func ForwardRole(region string) string { return Prefix + "forward-" + region }

// StateReadOnly is the state of rules that get events of read-only calls, too.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
const StateReadOnly = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

// SpokeStack is the name of a plain stack with the template of one of the stack
// sets, in a region: Autotagger-rules-eu-west-1.
func SpokeStack(stackSet, region string) string {
	return Stack + "-" + strings.TrimPrefix(stackSet, Prefix) + "-" + region
}

// OwnRoles are globs over the names of all roles here: calls made under them are
// our own.
func OwnRoles() []string { return []string{Prefix + "tagger-*", Prefix + "cors-*"} }
