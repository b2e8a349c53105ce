"""Starts ministack with what a test of a deployment needs besides:

  POST /_ministack/cloudtrail  an event goes on its region's default bus, as
                               AWS's own services put it. PutEvents refuses
                               sources that begin with "aws.", as in AWS.
  POST /_ministack/iam         "on" or "off": whether IAM's policies are
                               checked. ministack has it as the setting AUTH,
                               for a whole run.

An answer of a function to its queue may say batchItemFailures: null for none,
by AWS's documentation; ministack stumbles over that.
"""

import json

from ministack import app
from ministack.core import responses
from ministack.services import eventbridge, lambda_svc


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

execute = lambda_svc._execute_function


def execute_function(*args, **kwargs):
    result = execute(*args, **kwargs)
    body = result.get("body")
    if isinstance(body, dict) and body.get("batchItemFailures", ...) is None:
        body["batchItemFailures"] = []
    return result


lambda_svc._execute_function = execute_function

app.main()
