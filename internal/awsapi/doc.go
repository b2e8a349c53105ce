// Package awsapi sends calls to AWS services that are described by data
// ([catalogue.Service]) rather than by a client of the SDK: the SDK's signature,
// retries, transport and error types, and the six protocols that services speak.
//
// A service client costs some 0.7 ms at a Lambda's start and a megabyte or more, and
// the functions need two or three calls of each of three hundred services.
//
//   - caller.go: a call, from its data to a signed request.
//   - answer.go: what comes back; a refusal is a smithy.APIError with AWS's code.
//   - errors.go: what an error says, whichever client it comes from.
//   - observe.go: telling someone of every attempt, the SDK's own clients' too.
package awsapi
