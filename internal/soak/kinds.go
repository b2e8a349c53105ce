package soak

import "strings"

// kind is a kind of resource, and what its service says when it refuses.
type kind struct {
	service string // as in its ARNs
	sample  string
	prefix  string // of its ids
	arn     string // {r}, {a} and {n}: region, account and name
	values  map[string]string
	upsert  bool // the call succeeds for what exists, too
	tags    any  // of a request that says who the creator is; nil: such a request isn't made

	// The codes for one that isn't there, isn't ready, may never be tagged and has
	// too many tags.
	missing, busy, invalid, full string
	// spoils: one of it that isn't there fails a whole call of the tagging API.
	spoils bool
}

// kinds are twelve services' that take batches, and S3's and IAM's.
func kinds() []kind {
	arn := func(rest string) string { return "arn:aws:" + rest }
	return []kind{
		{service: "dynamodb", sample: "dynamodb/CreateTable.json", arn: arn("dynamodb:{r}:{a}:table/{n}"),
			values:  map[string]string{"requestParameters.tableName": "{n}", "responseElements.tableDescription.tableName": "{n}", "responseElements.tableDescription.tableArn": "{arn}"},
			missing: "ResourceNotFoundException", busy: "ResourceInUseException", invalid: "ValidationException", full: "TooManyTagsException"},
		{service: "lambda", sample: "lambda/CreateFunction20150331.json", arn: arn("lambda:{r}:{a}:function:{n}"),
			values:  map[string]string{"requestParameters.functionName": "{n}", "responseElements.functionName": "{n}", "responseElements.functionArn": "{arn}"},
			missing: "ResourceNotFoundException", busy: "ResourceConflictException", invalid: "InvalidParameterValueException", full: "InvalidParameterValueException"},
		{service: "sns", sample: "sns/CreateTopic.json", arn: arn("sns:{r}:{a}:{n}"), upsert: true,
			values:  map[string]string{"requestParameters.name": "{n}", "responseElements.topicArn": "{arn}"},
			missing: "ResourceNotFound", busy: "ConcurrentAccess", invalid: "InvalidParameter", full: "TagLimitExceeded"},
		{service: "logs", sample: "logs/CreateLogGroup.json", arn: arn("logs:{r}:{a}:log-group:{n}"), tags: map[string]any{"creator": claimant},
			values:  map[string]string{"requestParameters.logGroupName": "{n}"},
			missing: "ResourceNotFoundException", busy: "OperationAbortedException", invalid: "ValidationException", full: "TooManyTagsException"},
		{service: "kms", sample: "kms/CreateKey.json", arn: arn("kms:{r}:{a}:key/{n}"),
			values:  map[string]string{"responseElements.keyMetadata.arn": "{arn}", "responseElements.keyMetadata.keyId": "{n}"},
			missing: "NotFoundException", busy: "KMSInvalidStateException", invalid: "TagException", full: "LimitExceededException"},
		{service: "secretsmanager", sample: "secretsmanager/CreateSecret.json", arn: arn("secretsmanager:{r}:{a}:secret:{n}-AbCdEf"),
			values:  map[string]string{"requestParameters.name": "{n}", "responseElements.arn": "{arn}"},
			missing: "ResourceNotFoundException", busy: "InvalidRequestException", invalid: "InvalidParameterException", full: "LimitExceededException"},
		{service: "ecr", sample: "ecr/CreateRepository.json", arn: arn("ecr:{r}:{a}:repository/{n}"), spoils: true,
			tags:    []any{map[string]any{"key": "creator", "value": claimant}},
			values:  map[string]string{"requestParameters.repositoryName": "{n}", "responseElements.repository.repositoryArn": "{arn}"},
			missing: "RepositoryNotFoundException", busy: "ServerException", invalid: "InvalidTagParameterException", full: "TooManyTagsException"},
		{service: "rds", sample: "rds/CreateDBInstance.json", arn: arn("rds:{r}:{a}:db:{n}"), spoils: true,
			values:  map[string]string{"requestParameters.dBInstanceIdentifier": "{n}", "responseElements.dBInstanceIdentifier": "{n}", "responseElements.dBInstanceArn": "{arn}"},
			missing: "DBInstanceNotFound", busy: "InvalidDBInstanceState", invalid: "InvalidParameterValue", full: "InvalidParameterCombination"},
		{service: "ec2", sample: "ec2/CreateVolume.json", arn: arn("ec2:{r}:{a}:volume/{n}"), prefix: "vol-",
			values:  map[string]string{"responseElements.volumeId": "{n}"},
			missing: "InvalidVolume.NotFound", busy: "IncorrectState", invalid: "InvalidParameterValue", full: "TagLimitExceeded"},
		{service: "states", sample: "states/CreateStateMachine.json", arn: arn("states:{r}:{a}:stateMachine:{n}"), upsert: true,
			values:  map[string]string{"requestParameters.name": "{n}", "responseElements.stateMachineArn": "{arn}"},
			missing: "ResourceNotFound", busy: "ConflictException", invalid: "InvalidArn", full: "TooManyTags"},
		{service: "sqs", sample: "sqs/CreateQueue.json", arn: arn("sqs:{r}:{a}:{n}"), upsert: true,
			values:  map[string]string{"requestParameters.queueName": "{n}", "responseElements.queueUrl": "https://sqs.{r}.amazonaws.com/{a}/{n}"},
			missing: "QueueDoesNotExist", busy: "AWS.SimpleQueueService.QueueDeletedRecently", invalid: "InvalidAddress", full: "InvalidParameterValue"},
		{service: "elasticfilesystem", sample: "generated/elasticfilesystem CreateFileSystem", arn: arn("elasticfilesystem:{r}:{a}:file-system/{n}"), prefix: "fs-",
			values:  map[string]string{"responseElements.fileSystemArn": "{arn}", "responseElements.fileSystemId": "{n}"},
			missing: "FileSystemNotFound", busy: "IncorrectFileSystemLifeCycleState", invalid: "BadRequest", full: "TooManyTags"},
		{service: "s3", sample: "s3/CreateBucket_location.json", arn: arn("s3:::{n}"),
			values:  map[string]string{"requestParameters.bucketName": "{n}", "requestParameters.CreateBucketConfiguration.LocationConstraint": "{r}"},
			missing: "NoSuchBucket", busy: "OperationAborted", invalid: "InvalidTag", full: "InvalidTag"},
		{service: "iam", sample: "iam/CreateRole.json", arn: arn("iam::{a}:role/{n}"),
			values:  map[string]string{"requestParameters.roleName": "{n}", "responseElements.role.roleName": "{n}", "responseElements.role.arn": "{arn}"},
			missing: "NoSuchEntity", busy: "ConcurrentModification", invalid: "InvalidInput", full: "LimitExceeded"},
	}
}

// batched reports whether a service takes many resources in a call.
func (k *kind) batched() bool { return k.service != "s3" && k.service != "iam" }

// claimant is who some requests name as the creator themselves.
const claimant = "claimed-by-the-request"

// fill puts a place and a name into a template.
func fill(template, account, region, name, arn string) string {
	return strings.NewReplacer("{arn}", arn, "{a}", account, "{r}", region, "{n}", name).Replace(template)
}
