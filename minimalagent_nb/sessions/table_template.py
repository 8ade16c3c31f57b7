"""The session table for infrastructure as code, and what an identity needs to use it.

Imports the table's default name and the names of its actions, nothing else.
"""

from __future__ import annotations

import json
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.sessions.dynamodb import DEFAULT_TABLE, check_table_name
from minimalagent_nb.sessions.dynamodb_errors import ITEM_ACTIONS

__all__ = ["FORMATS", "table_policy", "table_template"]

FORMATS = ("cloudformation", "sam", "policy")

_TEMPLATE = """\
AWSTemplateFormatVersion: '2010-09-09'
{transform}Description: Session table of minimalagent-nb, and the least policy to use it.

Resources:
  AgentSessionTable:
    Type: AWS::DynamoDB::Table
    # The conversations go with the table: deleting the stack leaves it.
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      TableName: {table}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - AttributeName: pk
          AttributeType: S
        - AttributeName: sk
          AttributeType: N
      KeySchema:
        - AttributeName: pk
          KeyType: HASH
        - AttributeName: sk
          KeyType: RANGE
      TimeToLiveSpecification:
        AttributeName: expiration_time
        Enabled: true

  # Attach it to the role or user that runs the agents. It reads and writes items, and
  # those of sessions only. Not in it, as nothing in daily use needs it:
  #   dynamodb:DescribeTable and dynamodb:DescribeTimeToLive
  #     let `minimalagent-nb table check` say more;
  #   dynamodb:CreateTable and dynamodb:UpdateTimeToLive
  #     let the agent make the table where there is none;
  #   dynamodb:Scan
  #     lets `minimalagent-nb import --from-table` find the sessions of minimalagent.
  AgentSessionPolicy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Description: Reads and writes the sessions of minimalagent-nb.
      PolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Sid: Sessions
            Effect: Allow
            Action:
{actions}
            Resource:
              Fn::GetAtt: [AgentSessionTable, Arn]
            Condition:
              ForAllValues:StringLike:
                dynamodb:LeadingKeys:
                  - messages#*
                  - reasoning#*

Outputs:
  AgentTableName:
    Description: Name of the session table.
    Value:
      Ref: AgentSessionTable
  AgentPolicyArn:
    Description: The policy to attach to whoever runs the agents.
    Value:
      Ref: AgentSessionPolicy
"""


def table_template(table_name: str = DEFAULT_TABLE, form: str = "cloudformation") -> str:
    """The table as a template.

    Args:
        form: ``cloudformation`` or ``sam`` for YAML with table and policy, ``policy`` for
            the least IAM policy alone, as JSON.

    Raises:
        ConfigurationError: the name is no table's, or there is no such form.
    """
    check_table_name(table_name)
    if form == "policy":
        return json.dumps(table_policy(table_name), indent=2) + "\n"
    if form not in FORMATS:
        raise ConfigurationError(f"{form!r} is no form of the template: {', '.join(FORMATS)}.")
    transform = "Transform: AWS::Serverless-2016-10-31\n" if form == "sam" else ""
    actions = "\n".join(f"              - dynamodb:{action}" for action in ITEM_ACTIONS)
    # In quotes: a name of digits would be a number in YAML.
    return _TEMPLATE.format(transform=transform, table=f"'{table_name}'", actions=actions)


def table_policy(table_name: str = DEFAULT_TABLE) -> dict[str, Any]:
    """The least IAM policy for a table that is there, for any account and region.

    ``dynamodb:LeadingKeys`` limits it to the partitions of sessions, so that the table
    may hold items of other applications too.
    """
    statement = {
        "Sid": "Sessions",
        "Effect": "Allow",
        "Action": [f"dynamodb:{action}" for action in ITEM_ACTIONS],
        "Resource": f"arn:aws:dynamodb:*:*:table/{table_name}",
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["messages#*", "reasoning#*"]}
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
