package apply

// cloudfrontCalls write XML
// (https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_TagResource.html).
const cloudfrontCalls = `client: cloudfront
id: CloudFront
protocol: rest-xml
endpoint: aws cloudfront.{suffix} us-east-1
endpoint: aws-cn cloudfront.cn-northwest-1.{suffix} cn-northwest-1
endpoint: aws-eusc cloudfront.{suffix}
endpoint: aws-iso cloudfront.{suffix} us-iso-east-1
endpoint: aws-iso-b cloudfront.{suffix} us-isob-east-1
endpoint: aws-iso-e cloudfront.{suffix}
endpoint: aws-iso-f cloudfront.{suffix} us-isof-south-1
endpoint: aws-us-gov cloudfront.{suffix} us-gov-west-1
write: TagResource POST /2020-05-31/tagging?Operation=Tag&Resource={arn} Items.Tag=[Key,Value]
read: ListTagsForResource GET /2020-05-31/tagging?Resource={arn} -> Items=[Key,Value]`

const cloudfrontNamespace = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
