package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// hubParameter is the parameter of a spoke's template: the ARN of the hub's bus.
const hubParameter = "Hub"

// addStackSets deploys the spokes to the accounts of the units, those that join
// them later included. What they depend on is there before them and goes after
// them: the way of the events is open as long as there are any.
func (h *hub) addStackSets(all, global []string, way ...constructs.IDependable) error {
	if len(h.settings.Units) == 0 {
		return nil
	}
	// IAM is global: an account has its roles from one region.
	roles, err := h.addStackSet("RolesStackSet", rolesSpoke(h.settings, h.rows), all[:1], way...)
	if err != nil {
		return err
	}
	if _, err := h.addStackSet("RulesStackSet", rulesSpoke(h.settings, h.rows), all, append(way, roles)...); err != nil {
		return err
	}
	if len(global) == 0 {
		return nil
	}
	_, err = h.addStackSet("CompanionStackSet", companionSpoke(h.settings, h.rows), global, append(way, roles)...)
	return err
}

// addStackSet adds a stack set of a spoke. An account that has disabled one of the
// regions fails there, which all accounts may: one must not keep the rest from
// their spokes. What failed stands in the stack set's instances.
//
//   - https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html
//   - https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-opt-in-regions.html
//   - https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html#stackset-ops-options
func (h *hub) addStackSet(id string, sp spoke, regions []string, first ...constructs.IDependable) (awscdk.CfnStackSet, error) {
	body, err := sp.template()
	if err != nil {
		return nil, err
	}
	set := awscdk.NewCfnStackSet(h.stack, jsii.String(id), &awscdk.CfnStackSetProps{
		StackSetName:    jsii.String(sp.set),
		Description:     jsii.String(sp.description),
		PermissionModel: jsii.String("SERVICE_MANAGED"),
		CallAs:          jsii.String(h.settings.CallAs),
		Capabilities:    jsii.Strings("CAPABILITY_NAMED_IAM"),
		AutoDeployment: awscdk.CfnStackSet_AutoDeploymentProperty{
			Enabled: true, RetainStacksOnAccountRemoval: false,
		},
		ManagedExecution: map[string]any{"Active": true}, // the CDK's own type writes it in lower case
		OperationPreferences: awscdk.CfnStackSet_OperationPreferencesProperty{
			RegionConcurrencyType:      jsii.String("PARALLEL"),
			ConcurrencyMode:            jsii.String("SOFT_FAILURE_TOLERANCE"),
			MaxConcurrentPercentage:    jsii.Number(100),
			FailureTolerancePercentage: jsii.Number(100),
		},
		Parameters: []any{awscdk.CfnStackSet_ParameterProperty{
			ParameterKey: jsii.String(hubParameter), ParameterValue: h.bus.AttrArn(),
		}},
		StackInstancesGroup: []any{awscdk.CfnStackSet_StackInstancesProperty{
			DeploymentTargets: awscdk.CfnStackSet_DeploymentTargetsProperty{OrganizationalUnitIds: jsii.Strings(h.settings.Units...)},
			Regions:           jsii.Strings(regions...),
		}},
		TemplateBody: jsii.String(body),
	})
	set.Node().AddDependency(first...)
	return set, nil
}
