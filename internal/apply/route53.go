package apply

// route53Calls name a hosted zone or a health check by its type and id, which
// are the two words at the end of its ARN, and write XML
// (https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html).
const route53Calls = `client: route53
id: Route 53
protocol: rest-xml
endpoint: aws route53.{suffix} us-east-1
endpoint: aws-cn route53.{suffix} cn-northwest-1
endpoint: aws-us-gov route53.us-gov.{suffix} us-gov-west-1
endpoint: aws-iso route53.{suffix} us-iso-east-1
endpoint: aws-iso-b route53.{suffix} us-isob-east-1
endpoint: aws-iso-e route53.{suffix} eu-isoe-west-1
endpoint: aws-iso-f route53.{suffix} us-isof-south-1
endpoint: aws-eusc route53.{suffix} eusc-de-east-1
write: ChangeTagsForResource POST /2013-04-01/tags/{type}/{id} AddTags.Tag=[Key,Value]
read: ListTagsForResource GET /2013-04-01/tags/{type}/{id} -> ResourceTagSet.Tags=[Key,Value]`

const route53Namespace = "https://route53.amazonaws.com/doc/2013-04-01/"
