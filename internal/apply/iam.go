package apply

import "strings"

// iamRow is a row for one kind of IAM resource: the query protocol of one
// service, with an operation pair for each kind
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html).
//
// fold: the keys of users' and roles' tags differ in more than case, so that
// writing "creator" replaces "Creator"; those of other kinds don't
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#case-sensitivity).
func iamRow(tag, list, field string, name func(*caller, target) (string, error), fold bool) *own {
	return &own{
		service: service{id: "IAM", host: "iam", signing: "iam", protocol: query, version: "2010-05-08", global: true},
		tag:     tag, list: list, field: field, tags: "Tags.member", pair: "Key Value",
		next: "Marker", marker: "Marker", name: name, fold: fold,
	}
}

// iamName is the friendly name in an ARN: what stands behind the path
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
// A service-linked role (path /aws-service-role/) is tagged like any other:
// TagRole, unlike UpdateRole, has no UnmodifiableEntity among its errors
// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html).
func iamName(_ *caller, t target) (string, error) {
	i := strings.LastIndexByte(t.arn, '/')
	if i < 0 || i == len(t.arn)-1 {
		return "", bad(WhyBadARN)
	}
	return t.arn[i+1:], nil
}

// customerPolicy lets only customer managed policies through: AWS's own have
// "aws" where the account stands
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html).
func customerPolicy(_ *caller, t target) (string, error) {
	if parts := strings.SplitN(t.arn, ":", 6); len(parts) == 6 && parts[4] == "aws" {
		return "", skip(WhyManaged)
	}
	return t.arn, nil
}
