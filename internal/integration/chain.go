package integration

import (
	"maps"
	"slices"
	"strconv"

	"autotagger/internal/deployment"
)

// MakeLedger makes the ledger's table, as the deployment does.
func (a Account) MakeLedger() {
	a.Helper()
	a.json("dynamodb", "DynamoDB_20120810.CreateTable", object{
		"TableName": deployment.Table, "BillingMode": "PAY_PER_REQUEST",
		"KeySchema":            []object{{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}},
		"AttributeDefinitions": []object{{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "at", "AttributeType": "S"}},
	})
}

// Group makes an Auto Scaling group without instances.
func (a Account) Group(name string, tags map[string]string) {
	a.Helper()
	a.query("autoscaling", "CreateLaunchConfiguration", "LaunchConfigurationName", name, "ImageId", image, "InstanceType", "t3.micro")
	kv := []string{
		"AutoScalingGroupName", name, "LaunchConfigurationName", name, "MinSize", "0", "MaxSize", "0",
		"AvailabilityZones.member.1", Region + "a",
	}
	for i, key := range slices.Sorted(maps.Keys(tags)) {
		tag := "Tags.member." + strconv.Itoa(i+1) + "."
		kv = append(kv, tag+"Key", key, tag+"Value", tags[key], tag+"PropagateAtLaunch", "true", tag+"ResourceId", name, tag+"ResourceType", "auto-scaling-group")
	}
	a.query("autoscaling", "CreateAutoScalingGroup", kv...)
}

// GroupTags are those of an Auto Scaling group.
func (a Account) GroupTags(name string) map[string]string {
	a.Helper()
	return a.query("autoscaling", "DescribeTags", "Filters.member.1.Name", "auto-scaling-group", "Filters.member.1.Values.member.1", name).tags()
}

// Instance starts an instance and returns its id.
func (a Account) Instance() string {
	a.Helper()
	return a.instance()
}
