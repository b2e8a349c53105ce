// Package doctor looks at a deployment from outside, before and after it is made,
// and says what is missing and what to do about it. It only reads.
//
//	findings := doctor.Examine(ctx, cfg, doctor.Options{File: "autotagger.yaml"})
//	if !doctor.Healthy(findings) { … }
//
// # How it goes
//
// First come the questions that all others build on: the configuration, whose
// credentials these are, the hub's stack and functions, the account's regions. Then
// the checks run at the same time, each with a time limit of its own. A check asks AWS
// and returns findings; what AWS refuses to tell is a finding too, [Unknown], with
// the permission that is missing, and keeps no other check from its answer.
//
// Before a deployment there is no stack, and the checks of its parts say nothing.
// What can't be seen from an account at all, such as an organisation's policies from
// a member, is [Info] and says where to look.
//
// docs/doctor.md describes each check.
package doctor
