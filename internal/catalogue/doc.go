// Package catalogue knows what each create call makes: which resources, how to
// name them from the record, which API tags them and what that must be allowed
// to do. It is data and the code that reads it; nothing here looks at an event.
//
// # The data
//
// The folder data holds one text file for each event source. It begins with
// what its rows share, then come the rows, one for each event name, separated
// by blank lines and sorted by name:
//
//	source: rds.amazonaws.com
//	service: rds
//	api: tagging
//	permissions: rds:AddTagsToResource rds:ListTagsForResource
//	tags: request.tags
//
//	event: CreateDBInstance
//	type: AWS::RDS::DBInstance
//	arn: arn:{partition}:rds:{region}:{account}:db:{id}
//	from: response.dBInstanceArn
//	from: lower(request.dBInstanceIdentifier)
//	evidence: AWS Service Authorization Reference; recorded shape
//
// A row may make several kinds of resources: each further "type:" begins one.
// The keys:
//
//   - service: the service that has the call, by botocore's name; several may log
//     under one source.
//   - type: the CloudFormation type name, else the service:resource of the
//     Service Authorization Reference.
//   - arn: the template of the type's ARNs. {partition}, {region} and {account}
//     come from the event unless a locator has them, other names from a locator.
//     For a value that is itself an ARN the template is the test that it must
//     pass.
//   - from: a locator; they are tried in order and the first that yields
//     decides. It is a path into the record (see [Path]), or several
//     assignments such as "cluster=request.cluster id=request.serviceName". A
//     path without a name fills {id}. Where paths go through lists, each member
//     gives an ARN: "region=request.replicas[].region id=request.name" is one in
//     each of the regions. An ARN that doesn't fit the template ends
//     the search: what another locator would yield is something else's. lower(path) puts a
//     value into lower case, last(path) takes what follows its last slash and
//     unslash(path) what follows a slash that it begins with. "always" is
//     for an ARN that needs nothing from the record.
//   - when: a condition "path" (there is a value), "!path" (there is none) or
//     "path=text" (it is that), or "path?=text" (it is, or there is none);
//     {account} is the event's, {time} a time close to the event's. All must hold for the resource to have been
//     made.
//   - arrives and ended (in the head): the only region in which a global
//     service's events arrive; yes where AWS has ended the service, whose rows
//     are for old records.
//   - region: a path to the resource's region, where that is not the event's.
//   - api: what tags it: tagging (the Resource Groups Tagging API), the
//     service's own name, or none for what is reported but never written to.
//   - permissions: the IAM actions that reading and writing its tags takes,
//     beside those of the tag API itself.
//   - calls: the service whose own tag calls serve the type, by the name of its
//     client; the blocks of clients end the head (see [Calls]). none takes back
//     what the head says.
//   - keys and values: what the service takes less of a tag than others do (see
//     [Limits]), where it has no client's block that says it.
//   - tags: the path to the tags of the create request, which count as
//     existing. "tags: path for kind" takes them from EC2's specification for
//     that kind of resource.
//   - upsert: yes where the call may also answer with what exists already, so
//     that an event's age says nothing about the resource's tags.
//   - dated: yes (in the head) where event names end in the API's version, as
//     CreateFunction20150331.
//   - off: why the row isn't used unless the configuration turns it on. It begins
//     with its class: job (what it starts ends by itself), upsert (what it
//     answers with may have been there before) or grant (tagging it takes
//     permission to change more than tags) or weak (what it makes isn't certain
//     enough).
//   - untaggable: why what the call makes can't be tagged. The row then has no
//     resources and the event is skipped as not-taggable.
//   - evidence: what the row stands on.
//
// EventBridge patterns ([Patterns]), IAM actions ([Actions]) and the listing of
// `autotagger catalog` are derived from the rows, so that one more resource is
// one more row.
//
// The text is parsed file by file when the first event of a source arrives: a
// cold start pays nothing for the services it doesn't meet.
package catalogue
