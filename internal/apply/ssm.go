package apply

import (
	"strings"

	"autotagger/internal/awsapi"
)

// ssmCalls name a resource by a type and an id
// (https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html).
const ssmCalls = `client: ssm
id: SSM
protocol: json-1.1 AmazonSSM
write: AddTagsToResource ResourceType={type} ResourceId={id} Tags=[Key,Value]
read: ListTagsForResource ResourceType={type} ResourceId={id} -> TagList=[Key,Value]`

// ssmPlace finds type and id in an ARN. A parameter whose name has levels begins
// with a slash that its ARN has once only; the id of OpsMetadata has slashes too
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html).
func ssmPlace(_ *awsapi.Caller, t target) (place, error) {
	parts := strings.SplitN(t.arn, ":", 6)
	if len(parts) < 6 {
		return place{}, bad(WhyBadARN)
	}
	word, id, _ := strings.Cut(parts[5], "/")
	kind := map[string]string{
		"association": "Association", "automation-execution": "Automation", "document": "Document",
		"maintenancewindow": "MaintenanceWindow", "managed-instance": "ManagedInstance",
		"opsitem": "OpsItem", "opsmetadata": "OpsMetadata", "parameter": "Parameter", "patchbaseline": "PatchBaseline",
	}[word]
	if kind == "" || id == "" {
		return place{}, bad(WhyBadARN)
	}
	if kind == "Parameter" && strings.Contains(id, "/") {
		id = "/" + id
	}
	return place{arn: t.arn, id: id, kind: kind}, nil
}
