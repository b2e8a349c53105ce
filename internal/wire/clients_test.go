package wire_test

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/accessanalyzer"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/amp"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/appconfig"
	"github.com/aws/aws-sdk-go-v2/service/appmesh"
	appmeshtypes "github.com/aws/aws-sdk-go-v2/service/appmesh/types"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	apprunnertypes "github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/appstream"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	athenatypes "github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	budgetstypes "github.com/aws/aws-sdk-go-v2/service/budgets/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cloudfronttypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	codeartifacttypes "github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/aws/aws-sdk-go-v2/service/codecommit"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/datapipeline"
	datapipelinetypes "github.com/aws/aws-sdk-go-v2/service/datapipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/dax"
	daxtypes "github.com/aws/aws-sdk-go-v2/service/dax/types"
	"github.com/aws/aws-sdk-go-v2/service/directconnect"
	directconnecttypes "github.com/aws/aws-sdk-go-v2/service/directconnect/types"
	"github.com/aws/aws-sdk-go-v2/service/directoryservice"
	directoryservicetypes "github.com/aws/aws-sdk-go-v2/service/directoryservice/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	efstypes "github.com/aws/aws-sdk-go-v2/service/efs/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	elasticachetypes "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticbeanstalk"
	elasticbeanstalktypes "github.com/aws/aws-sdk-go-v2/service/elasticbeanstalk/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elasticloadbalancingv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticsearchservice"
	elasticsearchservicetypes "github.com/aws/aws-sdk-go-v2/service/elasticsearchservice/types"
	"github.com/aws/aws-sdk-go-v2/service/emr"
	emrtypes "github.com/aws/aws-sdk-go-v2/service/emr/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/glacier"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kafka"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	memorydbtypes "github.com/aws/aws-sdk-go-v2/service/memorydb/types"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/networkmanager"
	networkmanagertypes "github.com/aws/aws-sdk-go-v2/service/networkmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/opensearch"
	opensearchtypes "github.com/aws/aws-sdk-go-v2/service/opensearch/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	organizationstypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/pinpoint"
	pinpointtypes "github.com/aws/aws-sdk-go-v2/service/pinpoint/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	s3controltypes "github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/s3tables"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secretsmanagertypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/storagegateway"
	storagegatewaytypes "github.com/aws/aws-sdk-go-v2/service/storagegateway/types"
	"github.com/aws/aws-sdk-go-v2/service/transfer"
	transfertypes "github.com/aws/aws-sdk-go-v2/service/transfer/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	wafv2types "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/aws/aws-sdk-go-v2/service/workspaces"
	workspacestypes "github.com/aws/aws-sdk-go-v2/service/workspaces/types"
	"github.com/aws/aws-sdk-go-v2/service/xray"
	xraytypes "github.com/aws/aws-sdk-go-v2/service/xray/types"
)

// cases are the SDK's own calls, by the client's name in botocore. A read of
// nil isn't compared: it goes through another of the SDK's clients.
func cases() []testCase {
	return []testCase{
		{
			client: "accessanalyzer", arn: "arn:{partition}:access-analyzer:{region}:{account}:analyzer/main",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := accessanalyzer.NewFromConfig(cfg).ListTagsForResource(ctx, &accessanalyzer.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := accessanalyzer.NewFromConfig(cfg).TagResource(ctx, &accessanalyzer.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "acm", arn: "arn:{partition}:acm:{region}:{account}:certificate/1234-ab",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := acm.NewFromConfig(cfg).ListTagsForResource(ctx, &acm.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := acm.NewFromConfig(cfg).TagResource(ctx, &acm.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) acmtypes.Tag { return acmtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "amp", arn: "arn:{partition}:aps:{region}:{account}:workspace/ws-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := amp.NewFromConfig(cfg).ListTagsForResource(ctx, &amp.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := amp.NewFromConfig(cfg).TagResource(ctx, &amp.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "apigateway", arn: "arn:{partition}:apigateway:{region}::/restapis/a1b2",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := apigateway.NewFromConfig(cfg).GetTags(ctx, &apigateway.GetTagsInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := apigateway.NewFromConfig(cfg).TagResource(ctx, &apigateway.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "apigatewayv2", arn: "arn:{partition}:apigateway:{region}::/apis/a1b2",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := apigatewayv2.NewFromConfig(cfg).GetTags(ctx, &apigatewayv2.GetTagsInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := apigatewayv2.NewFromConfig(cfg).TagResource(ctx, &apigatewayv2.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "appconfig", arn: "arn:{partition}:appconfig:{region}:{account}:application/ab12",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := appconfig.NewFromConfig(cfg).ListTagsForResource(ctx, &appconfig.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := appconfig.NewFromConfig(cfg).TagResource(ctx, &appconfig.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "appmesh", arn: "arn:{partition}:appmesh:{region}:{account}:mesh/main",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := appmesh.NewFromConfig(cfg).ListTagsForResource(ctx, &appmesh.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := appmesh.NewFromConfig(cfg).TagResource(ctx, &appmesh.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) appmeshtypes.TagRef { return appmeshtypes.TagRef{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "apprunner", arn: "arn:{partition}:apprunner:{region}:{account}:service/main/8fe1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := apprunner.NewFromConfig(cfg).ListTagsForResource(ctx, &apprunner.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := apprunner.NewFromConfig(cfg).TagResource(ctx, &apprunner.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) apprunnertypes.Tag { return apprunnertypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "appstream", arn: "arn:{partition}:appstream:{region}:{account}:fleet/main",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := appstream.NewFromConfig(cfg).ListTagsForResource(ctx, &appstream.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := appstream.NewFromConfig(cfg).TagResource(ctx, &appstream.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "athena", arn: "arn:{partition}:athena:{region}:{account}:workgroup/main",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := athena.NewFromConfig(cfg).ListTagsForResource(ctx, &athena.ListTagsForResourceInput{ResourceARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := athena.NewFromConfig(cfg).TagResource(ctx, &athena.TagResourceInput{ResourceARN: &r.arn, Tags: pairs(func(k, v string) athenatypes.Tag { return athenatypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "batch", arn: "arn:{partition}:batch:{region}:{account}:job-queue/main",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := batch.NewFromConfig(cfg).ListTagsForResource(ctx, &batch.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := batch.NewFromConfig(cfg).TagResource(ctx, &batch.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "budgets", arn: "arn:{partition}:budgets::{account}:budget/month",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := budgets.NewFromConfig(cfg).ListTagsForResource(ctx, &budgets.ListTagsForResourceInput{ResourceARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := budgets.NewFromConfig(cfg).TagResource(ctx, &budgets.TagResourceInput{ResourceARN: &r.arn, ResourceTags: pairs(func(k, v string) budgetstypes.ResourceTag { return budgetstypes.ResourceTag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "cloudfront", arn: "arn:{partition}:cloudfront::{account}:distribution/E1AB",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudfront.NewFromConfig(cfg).ListTagsForResource(ctx, &cloudfront.ListTagsForResourceInput{Resource: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudfront.NewFromConfig(cfg).TagResource(ctx, &cloudfront.TagResourceInput{Resource: &r.arn, Tags: &cloudfronttypes.Tags{Items: pairs(func(k, v string) cloudfronttypes.Tag { return cloudfronttypes.Tag{Key: &k, Value: &v} })}})
				return err
			},
		},
		{
			client: "cloudtrail", arn: "arn:{partition}:cloudtrail:{region}:{account}:trail/main",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudtrail.NewFromConfig(cfg).ListTags(ctx, &cloudtrail.ListTagsInput{ResourceIdList: []string{r.arn}})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudtrail.NewFromConfig(cfg).AddTags(ctx, &cloudtrail.AddTagsInput{ResourceId: &r.arn, TagsList: pairs(func(k, v string) cloudtrailtypes.Tag { return cloudtrailtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "cloudwatch", arn: "arn:{partition}:cloudwatch:{region}:{account}:alarm:cpu high",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudwatch.NewFromConfig(cfg).ListTagsForResource(ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudwatch.NewFromConfig(cfg).TagResource(ctx, &cloudwatch.TagResourceInput{ResourceARN: &r.arn, Tags: pairs(func(k, v string) cloudwatchtypes.Tag { return cloudwatchtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "logs", arn: "arn:{partition}:logs:{region}:{account}:log-group:/aws/x",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudwatchlogs.NewFromConfig(cfg).ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cloudwatchlogs.NewFromConfig(cfg).TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "codeartifact", arn: "arn:{partition}:codeartifact:{region}:{account}:repository/domain/repo",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := codeartifact.NewFromConfig(cfg).ListTagsForResource(ctx, &codeartifact.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := codeartifact.NewFromConfig(cfg).TagResource(ctx, &codeartifact.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) codeartifacttypes.Tag { return codeartifacttypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "codecommit", arn: "arn:{partition}:codecommit:{region}:{account}:repo",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := codecommit.NewFromConfig(cfg).ListTagsForResource(ctx, &codecommit.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := codecommit.NewFromConfig(cfg).TagResource(ctx, &codecommit.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "cognito-idp", arn: "arn:{partition}:cognito-idp:{region}:{account}:userpool/x_1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cognitoidentityprovider.NewFromConfig(cfg).ListTagsForResource(ctx, &cognitoidentityprovider.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := cognitoidentityprovider.NewFromConfig(cfg).TagResource(ctx, &cognitoidentityprovider.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "datapipeline", arn: "arn:{partition}:datapipeline:{region}:{account}:pipeline/df-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := datapipeline.NewFromConfig(cfg).DescribePipelines(ctx, &datapipeline.DescribePipelinesInput{PipelineIds: []string{r.id}})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := datapipeline.NewFromConfig(cfg).AddTags(ctx, &datapipeline.AddTagsInput{PipelineId: &r.id, Tags: pairs(func(k, v string) datapipelinetypes.Tag { return datapipelinetypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "dax", arn: "arn:{partition}:dax:{region}:{account}:cache/main",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := dax.NewFromConfig(cfg).ListTags(ctx, &dax.ListTagsInput{ResourceName: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := dax.NewFromConfig(cfg).TagResource(ctx, &dax.TagResourceInput{ResourceName: &r.arn, Tags: pairs(func(k, v string) daxtypes.Tag { return daxtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "directconnect", arn: "arn:{partition}:directconnect:{region}:{account}:dxcon/dxcon-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := directconnect.NewFromConfig(cfg).DescribeTags(ctx, &directconnect.DescribeTagsInput{ResourceArns: []string{r.arn}})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := directconnect.NewFromConfig(cfg).TagResource(ctx, &directconnect.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) directconnecttypes.Tag { return directconnecttypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "ds", arn: "arn:{partition}:ds:{region}:{account}:directory/d-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := directoryservice.NewFromConfig(cfg).ListTagsForResource(ctx, &directoryservice.ListTagsForResourceInput{ResourceId: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := directoryservice.NewFromConfig(cfg).AddTagsToResource(ctx, &directoryservice.AddTagsToResourceInput{ResourceId: &r.id, Tags: pairs(func(k, v string) directoryservicetypes.Tag { return directoryservicetypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "dynamodb", arn: "arn:{partition}:dynamodb:{region}:{account}:table/t",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := dynamodb.NewFromConfig(cfg).ListTagsOfResource(ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := dynamodb.NewFromConfig(cfg).TagResource(ctx, &dynamodb.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) dynamodbtypes.Tag { return dynamodbtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "ecr", arn: "arn:{partition}:ecr:{region}:{account}:repository/a/b",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := ecr.NewFromConfig(cfg).ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := ecr.NewFromConfig(cfg).TagResource(ctx, &ecr.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) ecrtypes.Tag { return ecrtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "ecs", arn: "arn:{partition}:ecs:{region}:{account}:cluster/c",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := ecs.NewFromConfig(cfg).ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := ecs.NewFromConfig(cfg).TagResource(ctx, &ecs.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) ecstypes.Tag { return ecstypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "efs", arn: "arn:{partition}:elasticfilesystem:{region}:{account}:file-system/fs-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := efs.NewFromConfig(cfg).ListTagsForResource(ctx, &efs.ListTagsForResourceInput{ResourceId: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := efs.NewFromConfig(cfg).TagResource(ctx, &efs.TagResourceInput{ResourceId: &r.id, Tags: pairs(func(k, v string) efstypes.Tag { return efstypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "eks", arn: "arn:{partition}:eks:{region}:{account}:cluster/c",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := eks.NewFromConfig(cfg).ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := eks.NewFromConfig(cfg).TagResource(ctx, &eks.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "elasticache", arn: "arn:{partition}:elasticache:{region}:{account}:cluster:c",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticache.NewFromConfig(cfg).ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticache.NewFromConfig(cfg).AddTagsToResource(ctx, &elasticache.AddTagsToResourceInput{ResourceName: &r.arn, Tags: pairs(func(k, v string) elasticachetypes.Tag { return elasticachetypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "elasticbeanstalk", arn: "arn:{partition}:elasticbeanstalk:{region}:{account}:environment/app/env",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticbeanstalk.NewFromConfig(cfg).ListTagsForResource(ctx, &elasticbeanstalk.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticbeanstalk.NewFromConfig(cfg).UpdateTagsForResource(ctx, &elasticbeanstalk.UpdateTagsForResourceInput{ResourceArn: &r.arn, TagsToAdd: pairs(func(k, v string) elasticbeanstalktypes.Tag { return elasticbeanstalktypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "es", arn: "arn:{partition}:es:{region}:{account}:domain/d",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticsearchservice.NewFromConfig(cfg).ListTags(ctx, &elasticsearchservice.ListTagsInput{ARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticsearchservice.NewFromConfig(cfg).AddTags(ctx, &elasticsearchservice.AddTagsInput{ARN: &r.arn, TagList: pairs(func(k, v string) elasticsearchservicetypes.Tag {
					return elasticsearchservicetypes.Tag{Key: &k, Value: &v}
				})})
				return err
			},
		},
		{
			client: "elbv2", arn: "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/t/1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticloadbalancingv2.NewFromConfig(cfg).DescribeTags(ctx, &elasticloadbalancingv2.DescribeTagsInput{ResourceArns: []string{r.arn}})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := elasticloadbalancingv2.NewFromConfig(cfg).AddTags(ctx, &elasticloadbalancingv2.AddTagsInput{ResourceArns: []string{r.arn}, Tags: pairs(func(k, v string) elasticloadbalancingv2types.Tag {
					return elasticloadbalancingv2types.Tag{Key: &k, Value: &v}
				})})
				return err
			},
		},
		{
			client: "emr", arn: "arn:{partition}:elasticmapreduce:{region}:{account}:cluster/j-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := emr.NewFromConfig(cfg).DescribeCluster(ctx, &emr.DescribeClusterInput{ClusterId: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := emr.NewFromConfig(cfg).AddTags(ctx, &emr.AddTagsInput{ResourceId: &r.id, Tags: pairs(func(k, v string) emrtypes.Tag { return emrtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "firehose", arn: "arn:{partition}:firehose:{region}:{account}:deliverystream/d",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := firehose.NewFromConfig(cfg).ListTagsForDeliveryStream(ctx, &firehose.ListTagsForDeliveryStreamInput{DeliveryStreamName: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := firehose.NewFromConfig(cfg).TagDeliveryStream(ctx, &firehose.TagDeliveryStreamInput{DeliveryStreamName: &r.id, Tags: pairs(func(k, v string) firehosetypes.Tag { return firehosetypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "glacier", arn: "arn:{partition}:glacier:{region}:{account}:vaults/v",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := glacier.NewFromConfig(cfg).ListTagsForVault(ctx, &glacier.ListTagsForVaultInput{AccountId: &r.account, VaultName: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := glacier.NewFromConfig(cfg).AddTagsToVault(ctx, &glacier.AddTagsToVaultInput{AccountId: &r.account, VaultName: &r.id, Tags: tags()})
				return err
			},
		},
		{
			client: "iam", arn: "arn:{partition}:iam::{account}:role/team/deploy",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := iam.NewFromConfig(cfg).ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := iam.NewFromConfig(cfg).TagRole(ctx, &iam.TagRoleInput{RoleName: &r.id, Tags: pairs(func(k, v string) iamtypes.Tag { return iamtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "kafka", arn: "arn:{partition}:kafka:{region}:{account}:cluster/c/1-2",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kafka.NewFromConfig(cfg).ListTagsForResource(ctx, &kafka.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kafka.NewFromConfig(cfg).TagResource(ctx, &kafka.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "kinesis", arn: "arn:{partition}:kinesis:{region}:{account}:stream/s",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kinesis.NewFromConfig(cfg).ListTagsForResource(ctx, &kinesis.ListTagsForResourceInput{ResourceARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kinesis.NewFromConfig(cfg).TagResource(ctx, &kinesis.TagResourceInput{ResourceARN: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "kinesisvideo", arn: "arn:{partition}:kinesisvideo:{region}:{account}:stream/s/1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kinesisvideo.NewFromConfig(cfg).ListTagsForStream(ctx, &kinesisvideo.ListTagsForStreamInput{StreamARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kinesisvideo.NewFromConfig(cfg).TagStream(ctx, &kinesisvideo.TagStreamInput{StreamARN: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "kms", arn: "arn:{partition}:kms:{region}:{account}:key/1234-ab",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kms.NewFromConfig(cfg).ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := kms.NewFromConfig(cfg).TagResource(ctx, &kms.TagResourceInput{KeyId: &r.arn, Tags: pairs(func(k, v string) kmstypes.Tag { return kmstypes.Tag{TagKey: &k, TagValue: &v} })})
				return err
			},
		},
		{
			client: "lambda", arn: "arn:{partition}:lambda:{region}:{account}:function:f",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := lambda.NewFromConfig(cfg).ListTags(ctx, &lambda.ListTagsInput{Resource: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := lambda.NewFromConfig(cfg).TagResource(ctx, &lambda.TagResourceInput{Resource: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "memorydb", arn: "arn:{partition}:memorydb:{region}:{account}:cluster/c",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := memorydb.NewFromConfig(cfg).ListTags(ctx, &memorydb.ListTagsInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := memorydb.NewFromConfig(cfg).TagResource(ctx, &memorydb.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) memorydbtypes.Tag { return memorydbtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "mq", arn: "arn:{partition}:mq:{region}:{account}:broker:b:b-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := mq.NewFromConfig(cfg).ListTags(ctx, &mq.ListTagsInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := mq.NewFromConfig(cfg).CreateTags(ctx, &mq.CreateTagsInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "networkmanager", arn: "arn:{partition}:networkmanager::{account}:global-network/gn-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := networkmanager.NewFromConfig(cfg).ListTagsForResource(ctx, &networkmanager.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := networkmanager.NewFromConfig(cfg).TagResource(ctx, &networkmanager.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) networkmanagertypes.Tag { return networkmanagertypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "opensearch", arn: "arn:{partition}:es:{region}:{account}:domain/d",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := opensearch.NewFromConfig(cfg).ListTags(ctx, &opensearch.ListTagsInput{ARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := opensearch.NewFromConfig(cfg).AddTags(ctx, &opensearch.AddTagsInput{ARN: &r.arn, TagList: pairs(func(k, v string) opensearchtypes.Tag { return opensearchtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "organizations", arn: "arn:{partition}:organizations::{account}:ou/o-1/ou-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := organizations.NewFromConfig(cfg).ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := organizations.NewFromConfig(cfg).TagResource(ctx, &organizations.TagResourceInput{ResourceId: &r.id, Tags: pairs(func(k, v string) organizationstypes.Tag { return organizationstypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "pinpoint", arn: "arn:{partition}:mobiletargeting:{region}:{account}:apps/1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := pinpoint.NewFromConfig(cfg).ListTagsForResource(ctx, &pinpoint.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := pinpoint.NewFromConfig(cfg).TagResource(ctx, &pinpoint.TagResourceInput{ResourceArn: &r.arn, TagsModel: &pinpointtypes.TagsModel{Tags: tags()}})
				return err
			},
		},
		{
			client: "rds", arn: "arn:{partition}:rds:{region}:{account}:db:d",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := rds.NewFromConfig(cfg).ListTagsForResource(ctx, &rds.ListTagsForResourceInput{ResourceName: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := rds.NewFromConfig(cfg).AddTagsToResource(ctx, &rds.AddTagsToResourceInput{ResourceName: &r.arn, Tags: pairs(func(k, v string) rdstypes.Tag { return rdstypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "redshift", arn: "arn:{partition}:redshift:{region}:{account}:cluster:c",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := redshift.NewFromConfig(cfg).DescribeTags(ctx, &redshift.DescribeTagsInput{ResourceName: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := redshift.NewFromConfig(cfg).CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: &r.arn, Tags: pairs(func(k, v string) redshifttypes.Tag { return redshifttypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "resource-groups", arn: "arn:{partition}:resource-groups:{region}:{account}:group/g",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := resourcegroups.NewFromConfig(cfg).GetTags(ctx, &resourcegroups.GetTagsInput{Arn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := resourcegroups.NewFromConfig(cfg).Tag(ctx, &resourcegroups.TagInput{Arn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "route53", arn: "arn:{partition}:route53:::hostedzone/Z1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := route53.NewFromConfig(cfg).ListTagsForResource(ctx, &route53.ListTagsForResourceInput{ResourceId: &r.id, ResourceType: route53types.TagResourceTypeHostedzone})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := route53.NewFromConfig(cfg).ChangeTagsForResource(ctx, &route53.ChangeTagsForResourceInput{ResourceId: &r.id, ResourceType: route53types.TagResourceTypeHostedzone, AddTags: pairs(func(k, v string) route53types.Tag { return route53types.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "s3control", arn: "arn:{partition}:s3:::my-bucket",
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := s3control.NewFromConfig(cfg).TagResource(ctx, &s3control.TagResourceInput{ResourceArn: &r.arn, AccountId: &r.account, Tags: pairs(func(k, v string) s3controltypes.Tag { return s3controltypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "s3tables", arn: "arn:{partition}:s3tables:{region}:{account}:bucket/b",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := s3tables.NewFromConfig(cfg).ListTagsForResource(ctx, &s3tables.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := s3tables.NewFromConfig(cfg).TagResource(ctx, &s3tables.TagResourceInput{ResourceArn: &r.arn, Tags: tags()})
				return err
			},
		},
		{
			client: "secretsmanager", arn: "arn:{partition}:secretsmanager:{region}:{account}:secret:s-AbCdEf",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := secretsmanager.NewFromConfig(cfg).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := secretsmanager.NewFromConfig(cfg).TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: &r.arn, Tags: pairs(func(k, v string) secretsmanagertypes.Tag { return secretsmanagertypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "stepfunctions", arn: "arn:{partition}:states:{region}:{account}:stateMachine:s",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := sfn.NewFromConfig(cfg).ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := sfn.NewFromConfig(cfg).TagResource(ctx, &sfn.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) sfntypes.Tag { return sfntypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "sns", arn: "arn:{partition}:sns:{region}:{account}:t",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := sns.NewFromConfig(cfg).ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := sns.NewFromConfig(cfg).TagResource(ctx, &sns.TagResourceInput{ResourceArn: &r.arn, Tags: pairs(func(k, v string) snstypes.Tag { return snstypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "sqs", arn: "arn:{partition}:sqs:{region}:{account}:q",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := sqs.NewFromConfig(cfg).ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &r.url})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := sqs.NewFromConfig(cfg).TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &r.url, Tags: tags()})
				return err
			},
		},
		{
			client: "ssm", arn: "arn:{partition}:ssm:{region}:{account}:parameter/a/b",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := ssm.NewFromConfig(cfg).ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{ResourceId: ptr("/a/b"), ResourceType: ssmtypes.ResourceTypeForTaggingParameter})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := ssm.NewFromConfig(cfg).AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{ResourceId: ptr("/a/b"), ResourceType: ssmtypes.ResourceTypeForTaggingParameter, Tags: pairs(func(k, v string) ssmtypes.Tag { return ssmtypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "storagegateway", arn: "arn:{partition}:storagegateway:{region}:{account}:gateway/sgw-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := storagegateway.NewFromConfig(cfg).ListTagsForResource(ctx, &storagegateway.ListTagsForResourceInput{ResourceARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := storagegateway.NewFromConfig(cfg).AddTagsToResource(ctx, &storagegateway.AddTagsToResourceInput{ResourceARN: &r.arn, Tags: pairs(func(k, v string) storagegatewaytypes.Tag { return storagegatewaytypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "transfer", arn: "arn:{partition}:transfer:{region}:{account}:server/s-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := transfer.NewFromConfig(cfg).ListTagsForResource(ctx, &transfer.ListTagsForResourceInput{Arn: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := transfer.NewFromConfig(cfg).TagResource(ctx, &transfer.TagResourceInput{Arn: &r.arn, Tags: pairs(func(k, v string) transfertypes.Tag { return transfertypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "wafv2", arn: "arn:{partition}:wafv2:{region}:{account}:regional/webacl/w/1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := wafv2.NewFromConfig(cfg).ListTagsForResource(ctx, &wafv2.ListTagsForResourceInput{ResourceARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := wafv2.NewFromConfig(cfg).TagResource(ctx, &wafv2.TagResourceInput{ResourceARN: &r.arn, Tags: pairs(func(k, v string) wafv2types.Tag { return wafv2types.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "workspaces", arn: "arn:{partition}:workspaces:{region}:{account}:workspace/ws-1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := workspaces.NewFromConfig(cfg).DescribeTags(ctx, &workspaces.DescribeTagsInput{ResourceId: &r.id})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := workspaces.NewFromConfig(cfg).CreateTags(ctx, &workspaces.CreateTagsInput{ResourceId: &r.id, Tags: pairs(func(k, v string) workspacestypes.Tag { return workspacestypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
		{
			client: "xray", arn: "arn:{partition}:xray:{region}:{account}:group/g/1",
			read: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := xray.NewFromConfig(cfg).ListTagsForResource(ctx, &xray.ListTagsForResourceInput{ResourceARN: &r.arn})
				return err
			},
			write: func(ctx context.Context, cfg aws.Config, r resource) error {
				_, err := xray.NewFromConfig(cfg).TagResource(ctx, &xray.TagResourceInput{ResourceARN: &r.arn, Tags: pairs(func(k, v string) xraytypes.Tag { return xraytypes.Tag{Key: &k, Value: &v} })})
				return err
			},
		},
	}
}
