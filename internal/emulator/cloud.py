"""Starts ministack with what a test of a deployment needs besides:

  POST /_ministack/cloudtrail  an event goes on its region's default bus, as
                               AWS's own services put it. PutEvents refuses
                               sources that begin with "aws.", as in AWS.
  POST /_ministack/iam         "on" or "off": whether IAM's policies are
                               checked. ministack has it as the setting AUTH,
                               for a whole run.

CloudFormation refuses a template with a type that ministack doesn't know. Those
of PLACEHOLDERS it takes, records under an id that says so, and makes nothing;
and so alarms on an expression of several metrics.

And it makes good what differs from AWS:

  - every call counts as one over TLS, as to AWS it would be;
  - an answer of a function to its queue may say batchItemFailures: null for none
    (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html);
  - ssm:GetParameters is asked for the parameters, of which the first is checked
    here, rather than for "*"
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html);
  - a rule that gets read-only calls too is enabled
    (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html);
  - SQS's batch calls need the permission of the single ones
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api-actions.html);
  - policies know aws:ResourceOrgID, as they do aws:PrincipalOrgID, and
    aws:PrincipalArn of a role's session is the role's
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
"""

import json

from ministack import app
from ministack.core import iam_actions, iam_evaluator, responses
from ministack.services import eventbridge, lambda_svc
from ministack.services.cloudformation import provisioners

PLACEHOLDERS = [
    "AWS::CloudFormation::StackSet",
    "AWS::Events::EventBusPolicy",
    "AWS::Logs::QueryDefinition",
]


def deliver(body):
    event = json.loads(body)
    responses.set_request_account_id(event["account"])
    responses.set_request_region(event["region"])
    eventbridge._ensure_default_bus()
    return eventbridge._put_events({"Entries": [{
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
    }]}, allow_aws_source=True)


settings = app._handle_admin_config_request


async def handle_settings(path, method, body):
    if (method, path) == ("POST", "/_ministack/cloudtrail"):
        return deliver(body)
    if (method, path) == ("POST", "/_ministack/iam"):
        app.AUTH = body == b"on"
        return 200, {}, b""
    return await settings(path, method, body)


app._handle_admin_config_request = handle_settings

origin = app.pin_request_origin
app.pin_request_origin = lambda address, secure: origin(address, True)

execute = lambda_svc._execute_function


def execute_function(*args, **kwargs):
    result = execute(*args, **kwargs)
    body = result.get("body")
    if isinstance(body, dict) and body.get("batchItemFailures", ...) is None:
        body["batchItemFailures"] = []
    return result


lambda_svc._execute_function = execute_function

class EnabledWithAll(str):
    """The state of such a rule, which ministack compares with ENABLED."""

    def __eq__(self, other):
        return other == "ENABLED" or str.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


WITH_ALL = EnabledWithAll("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")

dispatch = eventbridge._dispatch_event


def dispatch_event(event, view=None):
    for rule in eventbridge._rules.values():
        if str.__eq__(WITH_ALL, rule.get("State")) is True:
            rule["State"] = WITH_ALL
    return dispatch(event, view)


eventbridge._dispatch_event = dispatch_event

resource_arn = iam_actions.extract_resource_arn


def extract_resource_arn(service, method, path, headers, body, query_params, region, account):
    if service == "ssm" and headers.get("x-amz-target") == "AmazonSSM.GetParameters":
        body = json.dumps({"Name": json.loads(body)["Names"][0]}).encode()
    return resource_arn(service, method, path, headers, body, query_params, region, account)


iam_actions.extract_resource_arn = extract_resource_arn

iam_action = iam_actions.extract_iam_action


def extract_iam_action(service, *args):
    action = iam_action(service, *args)
    return action.removesuffix("Batch") if service == "sqs" and action else action


iam_actions.extract_iam_action = extract_iam_action

condition_key = iam_evaluator._resolve_condition_key


def resolve_condition_key(key, context):
    if key.lower() == "aws:resourceorgid":
        account = (context.resource_arn.split(":") + [""] * 5)[4]
        return iam_evaluator._principal_org_id(account)
    value = condition_key(key, context)
    if key.lower() == "aws:principalarn" and ":assumed-role/" in value:
        account, role = value.split(":")[4], value.split("/")[1]
        return f"arn:aws:iam::{account}:role/{role}"
    return value


iam_evaluator._resolve_condition_key = resolve_condition_key


def placeholder(logical, properties, stack):
    return "placeholder-" + logical, {"Arn": "placeholder-" + logical}


for kind in PLACEHOLDERS:
    provisioners._RESOURCE_HANDLERS[kind] = {"create": placeholder, "delete": lambda physical, properties: None}

alarm = dict(provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"])


def create_alarm(logical, properties, stack):
    make = placeholder if "Metrics" in properties else alarm["create"]
    return make(logical, properties, stack)


def update_alarm(physical, old, new, *rest):
    if "Metrics" in new:
        return physical, {"Arn": physical}
    return alarm["update"](physical, old, new, *rest)


provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"].update(create=create_alarm, update=update_alarm)

app.main()
