package lookup

// parentKind is a kind of thing that others are made for, and the tag by which they name
// it.
type parentKind struct {
	// Tag is the key. Where it ends in a slash the rest of the key is the name, and
	// the value must be Value.
	Tag, Value string
	// Label begins the parent's step in created-via.
	Label string
	// ARN is the parent's, of {partition}, {region} and {account} of what it was made
	// for, {name} and the value of another tag in braces; "" where the name is an ARN.
	ARN string
	// Service and Event are the call that makes the parent, by which the catalogue
	// knows how its tags are read; both "" where it has none.
	Service, Event string
	// Makers are the services that make things for the parent, by the first label of
	// their principals. A tag that anyone may write names a parent only of what one
	// of them made.
	Makers []string
	// Special is what has to be asked otherwise.
	Special special
}

// special is how a parent is asked that isn't just a resource with tags.
type special int

const (
	bySelf        special = iota
	byPrincipal           // the value is the ARN of who asked for it
	byStack               // a stack of CloudFormation
	byEnvironment         // an environment of Elastic Beanstalk, whose ARN has its application's name
)

// parentKinds are all of them, the most telling first. Keys that begin with aws: are
// AWS's own, and nobody else can write them
// (https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html).
//
// Not here for want of AWS's word on them: AWS Batch (aws:batch:…), whose instances are of
// Auto Scaling groups; aws:backup:source-resource, of whose value no page tells the form
// (a recovery point gets the tags of what it was made of, ours included:
// https://docs.aws.amazon.com/aws-backup/latest/devguide/tags-on-backups.html); SageMaker,
// which acts with its users' own roles.
func parentKinds() []parentKind {
	return []parentKind{
		// https://docs.aws.amazon.com/servicecatalog/latest/adminguide/autotags.html
		{Tag: "aws:servicecatalog:provisioningPrincipalArn", Label: "service-catalog", Special: byPrincipal, Makers: []string{"servicecatalog", "cloudformation"}},
		// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html
		{Tag: "aws:autoscaling:groupName", Label: "group", ARN: "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{name}", Service: "autoscaling", Event: "CreateAutoScalingGroup", Makers: []string{"autoscaling", "spot", "ec2fleet"}},
		// No page of AWS's reference has it; it was seen on instances of fleets.
		{Tag: "aws:ec2:fleet-id", Label: "fleet", ARN: "arn:{partition}:ec2:{region}:{account}:fleet/{name}", Service: "ec2", Event: "CreateFleet", Makers: []string{"ec2fleet", "spot"}},
		// https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-tags.html
		{Tag: "aws:elasticmapreduce:job-flow-id", Label: "cluster", ARN: "arn:{partition}:elasticmapreduce:{region}:{account}:cluster/{name}", Service: "elasticmapreduce", Event: "RunJobFlow", Makers: []string{"elasticmapreduce"}},
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
		{Tag: "aws:ecs:serviceName", Label: "service", ARN: "arn:{partition}:ecs:{region}:{account}:service/{aws:ecs:clusterName}/{name}", Service: "ecs", Event: "CreateService", Makers: []string{"ecs", "ecs-tasks"}},
		{Tag: "aws:ecs:clusterName", Label: "cluster", ARN: "arn:{partition}:ecs:{region}:{account}:cluster/{name}", Service: "ecs", Event: "CreateCluster", Makers: []string{"ecs", "ecs-tasks"}},
		// https://docs.aws.amazon.com/ebs/latest/userguide/dlm-elements.html
		{Tag: "aws:dlm:lifecycle-policy-id", Label: "policy", ARN: "arn:{partition}:dlm:{region}:{account}:policy/{name}", Service: "dlm", Event: "CreateLifecyclePolicy", Makers: []string{"dlm"}},
		// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonRDSServiceRolePolicy.html
		{Tag: "aws:rds:primaryDBInstanceArn", Label: "database", Service: "rds", Event: "CreateDBInstance", Makers: []string{"rds"}},
		{Tag: "aws:rds:primaryDBClusterArn", Label: "database", Service: "rds", Event: "CreateDBCluster", Makers: []string{"rds"}},
		// https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html
		{Tag: "aws:eks:cluster-name", Label: "cluster", ARN: eksCluster, Service: "eks", Event: "CreateCluster", Makers: []string{"eks", "eks-nodegroup", "eks-fargate"}},
		// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSServiceRoleForAmazonEKSNodegroup.html
		{Tag: "eks:cluster-name", Label: "cluster", ARN: eksCluster, Service: "eks", Event: "CreateCluster", Makers: []string{"eks", "eks-nodegroup", "eks-fargate"}},
		// "shared" marks what a cluster only uses.
		{Tag: "kubernetes.io/cluster/", Value: "owned", Label: "cluster", ARN: eksCluster, Service: "eks", Event: "CreateCluster", Makers: []string{"eks", "eks-nodegroup", "eks-fargate"}},
		// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html
		{Tag: "aws:cloudformation:stack-id", Label: "stack", Special: byStack, Makers: []string{"cloudformation"}},
		// https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/applications-tagging-resources.html
		{Tag: "elasticbeanstalk:environment-id", Label: "environment", Special: byEnvironment, Service: "elasticbeanstalk", Event: "CreateEnvironment", Makers: []string{"elasticbeanstalk", "cloudformation", "autoscaling"}},
	}
}

const eksCluster = "arn:{partition}:eks:{region}:{account}:cluster/{name}"
