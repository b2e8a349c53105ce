package apply

import (
	"strings"

	"autotagger/internal/awsapi"
)

// iamService is IAM, one endpoint a partition, signed for one region
// (https://docs.aws.amazon.com/general/latest/gr/iam-service.html).
const iamService = `client: iam
id: IAM
protocol: query 2010-05-08
endpoint: aws iam.{suffix} us-east-1
endpoint: aws-cn iam.cn-north-1.{suffix} cn-north-1
endpoint: aws-us-gov iam.us-gov.{suffix} us-gov-west-1
endpoint: aws-iso iam.us-iso-east-1.{suffix} us-iso-east-1
endpoint: aws-iso-b iam.us-isob-east-1.{suffix} us-isob-east-1
endpoint: aws-iso-f iam.us-isof-south-1.{suffix} us-isof-south-1
`

// iamRow is one kind of IAM resource.
type iamRow struct {
	calls string
	// fold: the keys of users' and roles' tags differ in more than case, so that
	// writing "creator" replaces "Creator"; those of other kinds don't
	// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#case-sensitivity).
	fold  bool
	place func(*awsapi.Caller, target) (place, error)
}

// iamRows are the kinds by the first word of their ARNs: each has a pair of
// operations of its own
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html). A
// name is what stands behind the path
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
//
// A service-linked role (path /aws-service-role/) is tagged like any other:
// TagRole, unlike UpdateRole, has no UnmodifiableEntity among its errors
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html).
func iamRows() map[string]iamRow {
	pair := func(write, read, name string) string {
		return "write: " + write + " " + name + " Tags.member=[Key,Value]\n" +
			"read: " + read + " " + name + " Marker={next} -> Tags=[Key,Value] Marker={next}\n"
	}
	return map[string]iamRow{
		"user":          {calls: pair("TagUser", "ListUserTags", "UserName={id}"), fold: true},
		"role":          {calls: pair("TagRole", "ListRoleTags", "RoleName={id}"), fold: true},
		"policy":        {calls: pair("TagPolicy", "ListPolicyTags", "PolicyArn={arn}"), place: customerPolicy},
		"oidc-provider": {calls: pair("TagOpenIDConnectProvider", "ListOpenIDConnectProviderTags", "OpenIDConnectProviderArn={arn}")},
		"saml-provider": {calls: pair("TagSAMLProvider", "ListSAMLProviderTags", "SAMLProviderArn={arn}")},
		"mfa":           {calls: pair("TagMFADevice", "ListMFADeviceTags", "SerialNumber={arn}")},
		"server-certificate": {
			calls: pair("TagServerCertificate", "ListServerCertificateTags", "ServerCertificateName={id}"),
		},
		// GetInstanceProfile has the tags too, and emulators know it.
		"instance-profile": {calls: "write: TagInstanceProfile InstanceProfileName={id} Tags.member=[Key,Value]\n" +
			"read: GetInstanceProfile InstanceProfileName={id} -> InstanceProfile.Tags=[Key,Value]\n"},
	}
}

// customerPolicy lets only customer managed policies through: AWS's own have
// "aws" where the account stands
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html).
func customerPolicy(c *awsapi.Caller, t target) (place, error) {
	if parts := strings.SplitN(t.arn, ":", 6); len(parts) == 6 && parts[4] == "aws" {
		return place{}, skip(WhyManaged)
	}
	return placeOf(c, t)
}
