package integration

import (
	"maps"
	"slices"
	"strconv"
)

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
