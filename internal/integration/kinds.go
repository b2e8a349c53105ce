package integration

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"autotagger/internal/emulator"
	"autotagger/internal/sample"
)

// Kind is a kind of resource that the emulator can make.
type Kind struct {
	// Type is what the program calls it: the CloudFormation type, else the
	// Service Authorization Reference's name.
	Type string
	// Sample is the sample event of the call, below the folder events.
	Sample string
	// Create creates one. The name is new, at most 24 characters long, of
	// lower case letters, digits and hyphens.
	Create func(a Account, name string) Made
	// Unlisted says that moto's GetResources doesn't list it, tagged or not.
	Unlisted bool
}

// Made is what a call has made.
type Made struct {
	// ARNs are all resources that the event is about, children included.
	ARNs []string
	// Values are what the event says of them, by path into the record.
	Values map[string]any
	// Tags are those that the call has set, which the sample has too.
	Tags map[string]string
}

// Event is the event of the call, which alice has just made.
func (k Kind) Event(tb testing.TB, made Made) *sample.Event {
	tb.Helper()
	e := sample.Read(os.DirFS(filepath.Join(Root(tb), "events")), k.Sample).
		Place(emulator.Account, k.region()).At(time.Now().Add(-time.Minute)).By(sample.Person(emulator.Account, Creator))
	if len(made.Tags) == 0 {
		e.Untag()
	}
	for path, value := range made.Values {
		e.Set(path, value)
	}
	return e
}

// Service is the event source without its domain.
func (k Kind) Service() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(k.Sample, "generated/"), " ")
	service, _, _ := strings.Cut(name, "/")
	return service
}

func (k Kind) region() string {
	if in := regions[k.Service()]; in != "" {
		return in
	}
	return Region
}

// Creator is who makes all calls.
const Creator = "alice@example.com"

// Root is the project's folder.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			tb.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

const (
	classic = "2012-06-01" // the API version of classic load balancers
	trust   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	empty   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`
	image   = "ami-12c6146b" // one of moto's
)

// made is one resource, whose event says one thing of it.
func made(arn, path string, value any) Made {
	return Made{ARNs: []string{arn}, Values: map[string]any{path: value}}
}

// Kinds are all kinds, those by hand first, each sorted by sample. moto 5.2
// can't list the tags of SAML providers, MFA devices and EKS node groups, so
// that these are left out.
func Kinds() []Kind {
	ec2 := func(kind, sample, cfn, path string, create func(a Account, name string) string) Kind {
		return Kind{Type: cfn, Sample: "ec2/" + sample + ".json", Create: func(a Account, name string) Made {
			id := create(a, name)
			m := made(arn("ec2", kind+"/"+id), path, id)
			if kind == "image" || kind == "snapshot" { // their ARNs have no account
				m.ARNs[0] = strings.Replace(m.ARNs[0], emulator.Account, "", 1)
			}
			return m
		}}
	}
	iam := func(sample, cfn, element, path string, in func(name string) []string) Kind {
		action := strings.TrimSuffix(strings.TrimSuffix(sample, ".json"), "_path")
		return Kind{Type: cfn, Sample: "iam/" + sample, Create: func(a Account, name string) Made {
			arn := a.query("iam", action, in(name)...).one(element)
			return made(arn, path, arn)
		}}
	}
	unlisted := func(k Kind) Kind { k.Unlisted = true; return k }
	rds := func(action, cfn, element, path string, in func(a Account, name string) []string) Kind {
		return Kind{Type: cfn, Sample: "rds/" + action + ".json", Create: func(a Account, name string) Made {
			arn := a.query("rds", action, in(a, name)...).one(element)
			return made(arn, path, arn)
		}}
	}
	kinds := []Kind{
		{Type: "AWS::CloudFormation::Stack", Sample: "cloudformation/CreateStack.json", Create: func(a Account, name string) Made {
			id := a.query("cloudformation", "CreateStack", "StackName", name,
				"TemplateBody", `{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"in-`+name+`"}}}}`).one("StackId")
			return made(id, "responseElements.stackId", id)
		}},
		{Type: "AWS::DynamoDB::Table", Sample: "dynamodb/CreateTable.json", Create: func(a Account, name string) Made {
			arn := a.text(a.json("dynamodb", "DynamoDB_20120810.CreateTable", object{
				"TableName": name, "KeySchema": []object{{"AttributeName": "id", "KeyType": "HASH"}}, "BillingMode": "PAY_PER_REQUEST",
				"AttributeDefinitions": []object{{"AttributeName": "id", "AttributeType": "S"}},
			}), "TableDescription", "TableArn")
			return Made{ARNs: []string{arn}, Values: map[string]any{
				"requestParameters.tableName": name, "responseElements.tableDescription.tableName": name, "responseElements.tableDescription.tableArn": arn,
			}}
		}},
		ec2("elastic-ip", "AllocateAddress", "AWS::EC2::EIP", "responseElements.allocationId", func(a Account, _ string) string {
			return a.query("ec2", "AllocateAddress", "Domain", "vpc").one("allocationId")
		}),
		ec2("image", "CreateImage", "ec2:image", "responseElements.imageId", func(a Account, name string) string {
			return a.query("ec2", "CreateImage", "InstanceId", a.instance(), "Name", name).one("imageId")
		}),
		ec2("internet-gateway", "CreateInternetGateway", "AWS::EC2::InternetGateway", "responseElements.internetGateway.internetGatewayId", func(a Account, _ string) string {
			return a.query("ec2", "CreateInternetGateway").one("internetGatewayId")
		}),
		ec2("key-pair", "CreateKeyPair", "AWS::EC2::KeyPair", "responseElements.keyPairId", func(a Account, name string) string {
			return a.query("ec2", "CreateKeyPair", "KeyName", name).one("keyPairId")
		}),
		ec2("launch-template", "CreateLaunchTemplate", "AWS::EC2::LaunchTemplate", "responseElements.CreateLaunchTemplateResponse.launchTemplate.launchTemplateId", func(a Account, name string) string {
			return a.query("ec2", "CreateLaunchTemplate", "LaunchTemplateName", name, "LaunchTemplateData.ImageId", image).one("launchTemplateId")
		}),
		ec2("natgateway", "CreateNatGateway", "AWS::EC2::NatGateway", "responseElements.CreateNatGatewayResponse.natGateway.natGatewayId", func(a Account, _ string) string {
			return a.query("ec2", "CreateNatGateway", "SubnetId", a.subnet(a.vpc(), "a"), "ConnectivityType", "private").one("natGatewayId")
		}),
		ec2("network-interface", "CreateNetworkInterface", "AWS::EC2::NetworkInterface", "responseElements.networkInterface.networkInterfaceId", func(a Account, _ string) string {
			return a.query("ec2", "CreateNetworkInterface", "SubnetId", a.subnet(a.vpc(), "a")).one("networkInterfaceId")
		}),
		ec2("route-table", "CreateRouteTable", "AWS::EC2::RouteTable", "responseElements.routeTable.routeTableId", func(a Account, _ string) string {
			return a.query("ec2", "CreateRouteTable", "VpcId", a.vpc()).one("routeTableId")
		}),
		ec2("security-group", "CreateSecurityGroup", "AWS::EC2::SecurityGroup", "responseElements.groupId", func(a Account, name string) string {
			return a.query("ec2", "CreateSecurityGroup", "GroupName", name, "GroupDescription", "d", "VpcId", a.vpc()).one("groupId")
		}),
		ec2("snapshot", "CreateSnapshot", "ec2:snapshot", "responseElements.snapshotId", func(a Account, _ string) string {
			return a.query("ec2", "CreateSnapshot", "VolumeId", a.volume()).one("snapshotId")
		}),
		ec2("subnet", "CreateSubnet", "AWS::EC2::Subnet", "responseElements.subnet.subnetId", func(a Account, _ string) string {
			return a.subnet(a.vpc(), "b")
		}),
		ec2("volume", "CreateVolume", "AWS::EC2::Volume", "responseElements.volumeId", func(a Account, _ string) string { return a.volume() }),
		ec2("vpc", "CreateVpc", "AWS::EC2::VPC", "responseElements.vpc.vpcId", func(a Account, _ string) string { return a.vpc() }),
		{Type: "AWS::EC2::Instance", Sample: "ec2/RunInstances.json", Create: func(a Account, _ string) Made {
			id := a.instance()
			described := a.query("ec2", "DescribeInstances", "InstanceId.1", id)
			m := made(arn("ec2", "instance/"+id), "responseElements.instancesSet.items.0.instanceId", id)
			for i, volume := range described.all("volumeId") {
				m.ARNs = append(m.ARNs, arn("ec2", "volume/"+volume))
				m.Values["responseElements.instancesSet.items.0.blockDeviceMapping.items."+strconv.Itoa(i)+".ebs.volumeId"] = volume
			}
			for i, eni := range described.all("networkInterfaceId") {
				m.ARNs = append(m.ARNs, arn("ec2", "network-interface/"+eni))
				m.Values["responseElements.instancesSet.items.0.networkInterfaceSet.items."+strconv.Itoa(i)+".networkInterfaceId"] = eni
			}
			if len(m.ARNs) < 3 {
				a.Fatalf("an instance without volume or interface: %s", described.raw)
			}
			return m
		}},
		{Type: "AWS::ECR::Repository", Sample: "ecr/CreateRepository.json", Create: func(a Account, name string) Made {
			arn := a.text(a.json("ecr", "AmazonEC2ContainerRegistry_V20150921.CreateRepository", object{"repositoryName": "team/" + name}), "repository", "repositoryArn")
			return made(arn, "responseElements.repository.repositoryArn", arn)
		}},
		{Type: "AWS::ECS::Cluster", Sample: "ecs/CreateCluster.json", Create: func(a Account, name string) Made {
			arn := a.cluster(name)
			return made(arn, "responseElements.cluster.clusterArn", arn)
		}},
		{Type: "AWS::ECS::Service", Sample: "ecs/CreateService.json", Create: func(a Account, name string) Made {
			arn := a.text(a.json("ecs", "AmazonEC2ContainerServiceV20141113.CreateService", object{
				"cluster": a.cluster("of-" + name), "serviceName": name, "taskDefinition": a.task("of-" + name), "desiredCount": 1,
			}), "service", "serviceArn")
			return made(arn, "responseElements.service.serviceArn", arn)
		}},
		{Type: "AWS::ECS::TaskDefinition", Sample: "ecs/RegisterTaskDefinition.json", Create: func(a Account, name string) Made {
			arn := a.task(name)
			return made(arn, "responseElements.taskDefinition.taskDefinitionArn", arn)
		}},
		{Type: "AWS::EKS::Cluster", Sample: "eks/CreateCluster.json", Create: func(a Account, name string) Made {
			arn := a.kubernetes(name)
			return made(arn, "responseElements.cluster.arn", arn)
		}},
		{Type: "AWS::ElasticLoadBalancing::LoadBalancer", Sample: "elasticloadbalancing/CreateLoadBalancer_classic.json", Create: func(a Account, name string) Made {
			a.query("elasticloadbalancing", "CreateLoadBalancer", "Version", classic, "LoadBalancerName", name, "AvailabilityZones.member.1", Region+"a",
				"Listeners.member.1.Protocol", "tcp", "Listeners.member.1.LoadBalancerPort", "80", "Listeners.member.1.InstancePort", "80")
			return made(arn("elasticloadbalancing", "loadbalancer/"+name), "requestParameters.loadBalancerName", name)
		}},
		{Type: "AWS::ElasticLoadBalancingV2::LoadBalancer", Sample: "elasticloadbalancing/CreateLoadBalancer_v2.json", Create: func(a Account, name string) Made {
			vpc := a.vpc()
			arn := a.query("elasticloadbalancing", "CreateLoadBalancer", "Name", name,
				"Subnets.member.1", a.subnet(vpc, "a"), "Subnets.member.2", a.subnet(vpc, "b")).one("LoadBalancerArn")
			return made(arn, "responseElements.loadBalancers.0.loadBalancerArn", arn)
		}},
		{Type: "AWS::ElasticLoadBalancingV2::TargetGroup", Sample: "elasticloadbalancing/CreateTargetGroup.json", Create: func(a Account, name string) Made {
			arn := a.query("elasticloadbalancing", "CreateTargetGroup", "Name", name, "Protocol", "HTTP", "Port", "80", "VpcId", a.vpc()).one("TargetGroupArn")
			return made(arn, "responseElements.targetGroups.0.targetGroupArn", arn)
		}},
		iam("CreateInstanceProfile.json", "AWS::IAM::InstanceProfile", "Arn", "responseElements.instanceProfile.arn", func(n string) []string { return []string{"InstanceProfileName", n} }),
		iam("CreateOpenIDConnectProvider.json", "AWS::IAM::OIDCProvider", "OpenIDConnectProviderArn", "responseElements.openIDConnectProviderArn", func(n string) []string {
			return []string{"Url", "https://" + n + ".example.com/path", "ThumbprintList.member.1", strings.Repeat("a", 40)}
		}),
		iam("CreatePolicy.json", "AWS::IAM::ManagedPolicy", "Arn", "responseElements.policy.arn", func(n string) []string {
			return []string{"PolicyName", n, "Path", "/app/", "PolicyDocument", empty}
		}),
		iam("CreateRole.json", "AWS::IAM::Role", "Arn", "responseElements.role.arn", func(n string) []string {
			return []string{"RoleName", n, "AssumeRolePolicyDocument", trust}
		}),
		iam("CreateUser_path.json", "AWS::IAM::User", "Arn", "responseElements.user.arn", func(n string) []string {
			return []string{"UserName", n, "Path", "/service/"}
		}),
		{Type: "AWS::KMS::Key", Sample: "kms/CreateKey.json", Create: func(a Account, _ string) Made {
			arn := a.text(a.json("kms", "TrentService.CreateKey", object{}), "KeyMetadata", "Arn")
			return made(arn, "responseElements.keyMetadata.arn", arn)
		}},
		{Type: "AWS::Lambda::Function", Sample: "lambda/CreateFunction20150331.json", Create: func(a Account, name string) Made {
			arn := a.text(a.rest("lambda", http.MethodPost, "/2015-03-31/functions", object{
				"FunctionName": name, "Role": a.query("iam", "CreateRole", "RoleName", "of-"+name, "AssumeRolePolicyDocument", trust).one("Arn"),
				"Runtime": "python3.12", "Handler": "index.handler", "Code": object{"ZipFile": a.program()},
			}), "FunctionArn")
			return Made{ARNs: []string{arn}, Values: map[string]any{
				"requestParameters.functionName": name, "responseElements.functionName": name, "responseElements.functionArn": arn,
			}}
		}},
		{Type: "AWS::Logs::LogGroup", Sample: "logs/CreateLogGroup.json", Create: func(a Account, name string) Made {
			a.json("logs", "Logs_20140328.CreateLogGroup", object{"logGroupName": "/app/" + name})
			return made(arn("logs", "log-group:/app/"+name), "requestParameters.logGroupName", "/app/"+name)
		}},
		rds("CreateDBCluster", "AWS::RDS::DBCluster", "DBClusterArn", "responseElements.dBClusterArn", func(_ Account, n string) []string { return database(n) }),
		rds("CreateDBClusterSnapshot", "AWS::RDS::ClusterSnapshot", "DBClusterSnapshotArn", "responseElements.dBClusterSnapshotArn", func(a Account, n string) []string {
			a.query("rds", "CreateDBCluster", database("of-"+n)...)
			return []string{"DBClusterIdentifier", "of-" + n, "DBClusterSnapshotIdentifier", n}
		}),
		rds("CreateDBInstance", "AWS::RDS::DBInstance", "DBInstanceArn", "responseElements.dBInstanceArn", func(_ Account, n string) []string { return instance(n) }),
		unlisted(rds("CreateDBParameterGroup", "AWS::RDS::DBParameterGroup", "DBParameterGroupArn", "responseElements.dBParameterGroupArn", func(_ Account, n string) []string {
			return []string{"DBParameterGroupName", n, "DBParameterGroupFamily", "postgres17", "Description", "d"}
		})),
		rds("CreateDBSnapshot", "AWS::RDS::DBSnapshot", "DBSnapshotArn", "responseElements.dBSnapshotArn", func(a Account, n string) []string {
			a.query("rds", "CreateDBInstance", instance("of-"+n)...)
			return []string{"DBInstanceIdentifier", "of-" + n, "DBSnapshotIdentifier", n}
		}),
		unlisted(rds("CreateDBSubnetGroup", "AWS::RDS::DBSubnetGroup", "DBSubnetGroupArn", "responseElements.dBSubnetGroupArn", func(a Account, n string) []string {
			vpc := a.vpc()
			return []string{
				"DBSubnetGroupName", n, "DBSubnetGroupDescription", "d",
				"SubnetIds.SubnetIdentifier.1", a.subnet(vpc, "a"), "SubnetIds.SubnetIdentifier.2", a.subnet(vpc, "b"),
			}
		})),
		{Type: "AWS::S3::Bucket", Sample: "s3/CreateBucket_location.json", Create: func(a Account, name string) Made {
			a.send("s3", http.MethodPut, "/"+name, "", "", "<CreateBucketConfiguration><LocationConstraint>"+Region+"</LocationConstraint></CreateBucketConfiguration>")
			return made("arn:aws:s3:::"+name, "requestParameters.bucketName", name)
		}},
		{Type: "AWS::SecretsManager::Secret", Sample: "secretsmanager/CreateSecret.json", Create: func(a Account, name string) Made {
			arn := a.text(a.json("secretsmanager", "secretsmanager.CreateSecret", object{
				"Name": "app/" + name, "SecretString": "s", "ClientRequestToken": strings.Repeat("t", 32),
			}), "ARN")
			return made(arn, "responseElements.arn", arn)
		}},
		{Type: "AWS::SNS::Topic", Sample: "sns/CreateTopic.json", Create: func(a Account, name string) Made {
			arn := a.query("sns", "CreateTopic", "Name", name).one("TopicArn")
			return made(arn, "responseElements.topicArn", arn)
		}},
		{Type: "AWS::SQS::Queue", Sample: "sqs/CreateQueue.json", Create: func(a Account, name string) Made {
			a.json("sqs", "AmazonSQS.CreateQueue", object{"QueueName": name})
			return Made{ARNs: []string{arn("sqs", name)}, Values: map[string]any{
				"requestParameters.queueName": name, "responseElements.queueUrl": "https://sqs." + Region + ".amazonaws.com/" + emulator.Account + "/" + name,
			}}
		}},
		{Type: "AWS::StepFunctions::Activity", Sample: "states/CreateActivity.json", Create: func(a Account, name string) Made {
			arn := a.text(a.json("states", "AWSStepFunctions.CreateActivity", object{"name": name}), "activityArn")
			return made(arn, "responseElements.activityArn", arn)
		}},
		{Type: "AWS::StepFunctions::StateMachine", Sample: "states/CreateStateMachine.json", Create: func(a Account, name string) Made {
			arn := a.text(a.json("states", "AWSStepFunctions.CreateStateMachine", object{
				"name": name, "roleArn": "arn:aws:iam::" + emulator.Account + ":role/states", "definition": `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`,
			}), "stateMachineArn")
			return made(arn, "responseElements.stateMachineArn", arn)
		}},
	}
	for _, k := range toldKinds {
		kinds = append(kinds, k.kind())
	}
	return kinds
}

func (a Account) vpc() string {
	a.Helper()
	return a.query("ec2", "CreateVpc", "CidrBlock", "10.0.0.0/16").one("vpcId")
}

func (a Account) subnet(vpc, zone string) string {
	a.Helper()
	cidr := map[string]string{"a": "10.0.1.0/24", "b": "10.0.2.0/24"}[zone]
	return a.query("ec2", "CreateSubnet", "VpcId", vpc, "CidrBlock", cidr, "AvailabilityZone", Region+zone).one("subnetId")
}

func (a Account) volume() string {
	a.Helper()
	return a.query("ec2", "CreateVolume", "Size", "1", "AvailabilityZone", Region+"a").one("volumeId")
}

func (a Account) instance() string {
	a.Helper()
	return a.query("ec2", "RunInstances", "ImageId", image, "MinCount", "1", "MaxCount", "1", "SubnetId", a.subnet(a.vpc(), "a")).one("instanceId")
}

// cluster makes a cluster. Without the empty list moto's GetResources would
// answer 500 from then on.
func (a Account) cluster(name string) string {
	a.Helper()
	return a.text(a.json("ecs", "AmazonEC2ContainerServiceV20141113.CreateCluster", object{"clusterName": name, "tags": []object{}}), "cluster", "clusterArn")
}

func (a Account) task(family string) string {
	a.Helper()
	return a.text(a.json("ecs", "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", object{
		"family": family, "containerDefinitions": []object{{"name": "web", "image": "web:1", "memory": 128}},
	}), "taskDefinition", "taskDefinitionArn")
}

func (a Account) kubernetes(name string) string {
	a.Helper()
	return a.text(a.rest("eks", http.MethodPost, "/clusters", object{
		"name": name, "roleArn": "arn:aws:iam::" + emulator.Account + ":role/eks", "resourcesVpcConfig": object{},
	}), "cluster", "arn")
}

func database(name string) []string {
	return []string{"DBClusterIdentifier", name, "Engine", "aurora-postgresql", "MasterUsername", "u", "MasterUserPassword", "password"}
}

func instance(name string) []string {
	return []string{
		"DBInstanceIdentifier", name, "DBInstanceClass", "db.t3.micro", "Engine", "postgres",
		"MasterUsername", "u", "MasterUserPassword", "password", "AllocatedStorage", "20",
	}
}

// program is a function's code, zipped.
func (a Account) program() string {
	a.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	f, err := z.Create("index.py")
	if err != nil {
		a.Fatal(err)
	}
	if _, err := f.Write([]byte("def handler(e, c): pass")); err != nil {
		a.Fatal(err)
	}
	if err := z.Close(); err != nil {
		a.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}
