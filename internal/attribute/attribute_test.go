package attribute_test

import (
	"testing"

	"autotagger/internal/attribute"
	"autotagger/internal/cloudtrail"
	"autotagger/internal/deployment"
)

func assumed(role, session string) cloudtrail.Identity {
	return cloudtrail.Identity{
		Type: "AssumedRole", PrincipalID: "AROAEXAMPLE:" + session, ARN: "arn:aws:sts::111122223333:assumed-role/" + role + "/" + session,
		AccountID: "111122223333", IssuerName: role, IssuerARN: "arn:aws:iam::111122223333:role/" + role,
	}
}

func with(id cloudtrail.Identity, change func(*cloudtrail.Identity)) cloudtrail.Identity {
	change(&id)
	return id
}

func TestOf(t *testing.T) {
	t.Parallel()
	type identity = cloudtrail.Identity
	const uuid = "80ab9ef6-3b36-4dcb-8b8f-fe6b4b783856"
	for name, c := range map[string]struct {
		id   identity
		want string
	}{
		"IAM user":                {identity{Type: "IAMUser", UserName: "alice", ARN: "arn:aws:iam::111122223333:user/dev/alice"}, "alice"},
		"IAM user by ARN":         {identity{Type: "IAMUser", ARN: "arn:aws:iam::111122223333:user/dev/alice"}, "alice"},
		"IAM user, redacted":      {identity{Type: "IAMUser", UserName: "HIDDEN_DUE_TO_SECURITY_REASONS", ARN: "..."}, "unknown"},
		"IAM user through a tool": {identity{Type: "IAMUser", UserName: "alice", InvokedBy: "cloudformation.amazonaws.com"}, "alice"},

		"person's session":          {assumed("Dev", "alice@example.com"), "alice@example.com"},
		"Identity Center's session": {assumed("AWSReservedSSO_Admin_0123456789abcdef", "alice"), "alice"},
		"Identity Center's digits":  {assumed("AWSReservedSSO_Admin_0123456789abcdef", "004711"), "004711"},
		"pipeline's session":        {assumed("deploy", "GitHubActions"), "GitHubActions"},
		"instance's session":        {assumed("web", "i-0abcdef1234567890"), "web"},
		"digits":                    {assumed("openshift", "1234567789"), "openshift"},
		"UUID":                      {assumed("StackSetExecution", uuid), "StackSetExecution"},
		"UUID with a prefix":        {assumed("build", "AWSCodeBuild-"+uuid), "build"},
		"person like an instance":   {assumed("Dev", "i-anderson"), "i-anderson"},
		"person like hexadecimal":   {assumed("Dev", "i-deadbeef"), "i-deadbeef"},
		"identity pool":             {assumed("app-users", "CognitoIdentityCredentials"), "app-users"},
		"ECS task":                  {assumed("task", "0123456789abcdef0123456789abcdef"), "task"},
		"SDK's default, Python":     {assumed("etl", "botocore-session-1700000000"), "etl"},
		"SDK's default, Go":         {assumed("etl", "aws-go-sdk-1688990082523310002"), "etl"},
		"SDK's default, Java":       {assumed("etl", "aws-sdk-java-1700000000"), "etl"},
		"CloudFormation's role":     {with(assumed("cfn", "AWSCloudFormation"), func(i *identity) { i.InvokedBy = "cloudformation.amazonaws.com" }), "cfn"},
		"our own sessions' name":    {assumed("Dev", deployment.SessionName), "Dev"},
		"function's session":        {with(assumed("fn-role", "my-function"), func(i *identity) { i.InScopeOf = true }), "fn-role"},
		"instance's delivery":       {with(assumed("web", "alice"), func(i *identity) { i.EC2RoleDelivery = "2.0" }), "web"},
		"source identity":           {with(assumed("web", "i-0abcdef1234567890"), func(i *identity) { i.SourceIdentity = "ada" }), "ada"},
		"session by the principal":  {identity{Type: "AssumedRole", PrincipalID: "AROA:alice", IssuerName: "Dev"}, "alice"},
		"no session":                {identity{Type: "AssumedRole", ARN: "arn:aws:iam::111122223333:role/Dev", PrincipalID: "AROA:x"}, "Dev"},
		"a role's ARN is a user's":  {identity{Type: "AssumedRole", ARN: "arn:aws:iam::111122223333:user/tester"}, "tester"},
		"nothing":                   {identity{Type: "AssumedRole"}, "unknown"},
		"service-linked role":       {with(assumed("AWSServiceRoleForConfig", "x"), func(i *identity) { i.InvokedBy = "config.amazonaws.com" }), "config.amazonaws.com"},
		"service-linked role, by path": {with(assumed("AWSServiceRoleForConfig", "x"), func(i *identity) {
			i.IssuerARN = "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
		}), "config.amazonaws.com"},

		"root":                       {identity{Type: "Root", ARN: "arn:aws:iam::111122223333:root", UserName: "account-alias"}, "root"},
		"root in the console":        {identity{Type: "Root", InvokedBy: "signin.amazonaws.com"}, "root"},
		"service as root":            {identity{Type: "Root", ARN: "arn:aws:iam::111122223333:root", InvokedBy: "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com"},
		"assumed root":               {identity{Type: "Root", ARN: "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_X_0/ada@example.com"}, "ada@example.com"},
		"federated user":             {identity{Type: "FederatedUser", ARN: "arn:aws:sts::111122223333:federated-user/ada", PrincipalID: "111122223333:ada"}, "ada"},
		"federated, no ARN":          {identity{Type: "FederatedUser", PrincipalID: "111122223333:ada"}, "ada"},
		"web identity":               {identity{Type: "WebIdentityUser", UserName: "repo:org/app:ref:refs/heads/main", PrincipalID: "arn:…:x"}, "repo:org/app:ref:refs/heads/main"},
		"web identity, no name":      {identity{Type: "WebIdentityUser", PrincipalID: "accounts.google.com:app.apps.googleusercontent.com:12345"}, "12345"},
		"SAML user":                  {identity{Type: "SAMLUser", UserName: "ada@example.com"}, "ada@example.com"},
		"Identity Center":            {identity{Type: "IdentityCenterUser", OnBehalfOf: "544894e8-80c1-707f-60e3-3ba6510dfac1"}, "544894e8-80c1-707f-60e3-3ba6510dfac1"},
		"another account":            {identity{Type: "AWSAccount", AccountID: "444455556666", PrincipalID: "AROA:ada"}, "ada"},
		"another account's instance": {identity{Type: "AWSAccount", AccountID: "444455556666", PrincipalID: "AROA:i-0123456789abcdef0"}, "444455556666"},
		"another account's SDK":      {identity{Type: "AWSAccount", AccountID: "444455556666", PrincipalID: "AROA:botocore-session-1700000000"}, "444455556666"},
		"nobody":                     {identity{Type: "AWSAccount", AccountID: "ANONYMOUS_PRINCIPAL"}, "unknown"},
		"another account, plain":     {identity{Type: "AWSAccount", AccountID: "444455556666", PrincipalID: "444455556666"}, "444455556666"},
		"service":                    {identity{Type: "AWSService", InvokedBy: "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com"},
		"directory":                  {identity{Type: "Directory", PrincipalID: "d-90670a5d3b", UserName: "ada"}, "ada"},
		"unknown":                    {identity{Type: "Unknown"}, "unknown"},
		"none":                       {identity{}, "unknown"},
		"no type, but a session":     {identity{ARN: "arn:aws:sts::111122223333:assumed-role/Dev/ada"}, "ada"},
		"no type, but a service":     {identity{InvokedBy: "s3.amazonaws.com"}, "s3.amazonaws.com"},
		"a type that is new":         {identity{Type: "Robot", UserName: "r2d2"}, "r2d2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := attribute.Of(c.id)
			if got.Name != c.want {
				t.Errorf("the creator is %q, want %q", got.Name, c.want)
			}
			if c.id.Type == "" && got.Kind != "Unknown" || c.id.Type != "" && got.Kind != c.id.Type {
				t.Errorf("the kind is %q", got.Kind)
			}
		})
	}
}

// TestAsRole: without its session's name a creator is the role, or where the record names
// none the account.
func TestAsRole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id   cloudtrail.Identity
		want string
		by   attribute.Basis
	}{
		"session":         {assumed("Dev", "ceo@example.com"), "Dev", attribute.ByRole},
		"another account": {cloudtrail.Identity{Type: "AWSAccount", AccountID: "444455556666", PrincipalID: "AROA:ceo@example.com"}, "444455556666", attribute.ByAccount},
		"no role":         {cloudtrail.Identity{Type: "AssumedRole", AccountID: "444455556666", PrincipalID: "AROA:ceo@example.com"}, "444455556666", attribute.ByAccount},
		"user":            {cloudtrail.Identity{Type: "IAMUser", AccountID: "444455556666", UserName: "ada"}, "ada", attribute.ByUser},
		"source identity": {with(assumed("Dev", "ceo@example.com"), func(i *cloudtrail.Identity) { i.SourceIdentity = "ada" }), "ada", attribute.BySourceIdentity},
	} {
		if got := attribute.Of(c.id).AsRole(); got.Name != c.want || got.By != c.by {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// FuzzOf: there is always a name.
func FuzzOf(f *testing.F) {
	f.Add("AssumedRole", "AROA:x", "arn:aws:sts::1:assumed-role/r/s", "u", "cloudformation.amazonaws.com", "arn:aws:iam::1:role/r", "r")
	f.Add("Root", "", "arn:", "", "", "", "")
	f.Fuzz(func(t *testing.T, kind, principal, arn, user, by, issuerARN, issuer string) {
		c := attribute.Of(cloudtrail.Identity{Type: kind, PrincipalID: principal, ARN: arn, UserName: user, InvokedBy: by, IssuerARN: issuerARN, IssuerName: issuer})
		if c.Name == "" || c.Kind == "" {
			t.Errorf("%+v", c)
		}
	})
}
