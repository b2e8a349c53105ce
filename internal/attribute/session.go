package attribute

import (
	"strings"

	"autotagger/internal/deployment"
)

// machine reports whether a role session's name was made up by a program, so
// that the role's name says more. Names that pipelines choose for themselves
// (GitHubActions, a build's name) are not among them.
func machine(session string) bool {
	return instanceID(session) || strings.Trim(session, "0123456789.-_") == "" || hasUUID(session) || random(session) || sdkDefault(session)
}

// sdkDefault reports whether the name is one that an AWS SDK, tool or service
// gives where its user chose none.
//   - botocore-session-…: https://docs.aws.amazon.com/cli/latest/topic/config-vars.html
//   - aws-sdk-…: Java and JavaScript; aws-go-sdk-… and aws-sdk-go…: Go
//   - CognitoIdentityCredentials: whoever signed in to an identity pool,
//     https://docs.aws.amazon.com/cognito/latest/developerguide/role-based-access-control.html
//   - AWSCloudFormation: the session of CloudFormation under a service role
//
// Our own functions' is one of them, too: what is called so stays out of the ledger.
func sdkDefault(session string) bool {
	for _, prefix := range []string{
		"AWSCLI-Session", "aws-dotnet-sdk-session", "aws-go-sdk-", "aws-sdk-", "awscli-session", "boto3-session", "boto3session",
		"botocore-session-", "dotnet-sdk-", "CognitoIdentityCredentials",
	} {
		if strings.HasPrefix(session, prefix) {
			return true
		}
	}
	return session == "AWSCloudFormation" || session == deployment.SessionName
}

// instanceID reports whether the name is that of an instance: i- and 8 or 17
// hexadecimal digits. Case and length vary in records that were anonymised.
func instanceID(session string) bool {
	id, ok := strings.CutPrefix(session, "i-")
	return ok && len(id) >= 8 && hex(id) && strings.ContainsAny(id, "0123456789")
}

// hasUUID reports whether 8-4-4-4-12 hexadecimal digits stand in the name.
func hasUUID(s string) bool {
	for ; len(s) >= 36; s = s[1:] {
		if s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && hex(s[:8]) && hex(s[9:13]) && hex(s[14:18]) && hex(s[19:23]) && hex(s[24:36]) {
			return true
		}
	}
	return false
}

// random reports whether the name is a task id: 32 hexadecimal digits, as
// containers of ECS have.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
func random(session string) bool { return len(session) == 32 && hex(session) }

func hex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }
