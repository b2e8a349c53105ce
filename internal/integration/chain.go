package integration

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"autotagger/internal/emulator"
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

// Role is the identity of a role's session that began ten minutes ago.
func Role(name, session, key, invokedBy string) map[string]any {
	id := object{
		"type": "AssumedRole", "principalId": "AROA" + strings.ToUpper(name) + ":" + session, "accountId": emulator.Account, "accessKeyId": key,
		"arn": "arn:aws:sts::" + emulator.Account + ":assumed-role/" + name + "/" + session,
		"sessionContext": object{
			"sessionIssuer": object{"type": "Role", "arn": "arn:aws:iam::" + emulator.Account + ":role/" + name, "userName": name},
			"attributes":    object{"creationDate": time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339)},
		},
	}
	if invokedBy != "" {
		id["invokedBy"] = invokedBy
	}
	return id
}
