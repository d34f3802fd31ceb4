"""The parts of a CloudTrail record that the product reads, as Arrow types, and what is stored of them.

Field meanings: CloudTrail user guide, "CloudTrail record contents". Everything else in a record is ignored
while parsing, so secrets outside these fields never reach memory owned by the product; the one secret that
is read, `sessionToken`, is reduced to a version number before anything is stored.
"""

import pyarrow as pa

_text = pa.string()


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


RECORD: pa.StructType = _struct(
    eventID=_text,
    sharedEventID=_text,
    eventTime=_text,
    eventSource=_text,
    eventName=_text,
    eventType=_text,
    eventCategory=_text,
    awsRegion=_text,
    recipientAccountId=_text,
    readOnly=pa.bool_(),
    errorCode=_text,
    errorMessage=_text,
    sourceIPAddress=_text,
    userAgent=_text,
    vpcEndpointId=_text,
    userIdentity=_struct(
        type=_text,
        arn=_text,
        accountId=_text,
        principalId=_text,
        invokedBy=_text,
        identityProvider=_text,
        sessionContext=_struct(sessionIssuer=_struct(arn=_text)),
    ),
    requestParameters=_struct(roleArn=_text, roleSessionName=_text, targetPrincipal=_text),
    responseElements=_struct(
        credentials=_struct(sessionToken=_text),
        assumedRoleUser=_struct(arn=_text),
        assumedPrincipal=_text,
    ),
    resources=pa.list_(_struct(type=_text, accountId=_text, ARN=_text)),
    tlsDetails=_struct(clientProvidedHostHeader=_text),
    additionalEventData=_struct(RequestDetails=_struct(endpointType=_text, awsServingRegion=_text)),
    addendum=_struct(originalEventID=_text),
)

TRAIL_FILE = pa.schema([("Records", pa.list_(RECORD))])

EVENTS = pa.schema(
    [
        pa.field("event_id", _text, nullable=False),
        pa.field("event_time", pa.timestamp("us"), nullable=False),  # UTC
        pa.field("event_source", _text, nullable=False),
        pa.field("event_name", _text, nullable=False),
        pa.field("event_type", _text),
        pa.field("aws_region", _text),
        pa.field("recipient_account_id", _text, nullable=False),
        pa.field("read_only", pa.bool_()),
        pa.field("error_code", _text),
        pa.field("user_identity_type", _text),
        pa.field("user_identity_arn", _text),
        pa.field("user_identity_account_id", _text),
        pa.field("user_identity_principal_id", _text),
        pa.field("user_identity_identity_provider", _text),
        pa.field("session_issuer_arn", _text),
        pa.field("invoked_by", _text),
        # From here on filled for sts.amazonaws.com only.
        pa.field("shared_event_id", _text),
        pa.field("original_event_id", _text),
        pa.field("error_message", _text),
        pa.field("source_ip_address", _text),
        pa.field("user_agent", _text),
        pa.field("vpc_endpoint_id", _text),
        pa.field("endpoint_type", _text),
        pa.field("serving_region", _text),
        pa.field("client_provided_host_header", _text),
        pa.field("token_version", pa.int8()),
        pa.field("role_arn", _text),
        pa.field("role_session_name", _text),
        pa.field("target_principal", _text),
        pa.field("resource_account_id", _text),
        pa.field("resource_arn", _text),
        pa.field("assumed_role_arn", _text),
        pa.field("assumed_principal", _text),
        # Where the row came from: sources.source_id in the ledger.
        pa.field("source_id", pa.int64(), nullable=False),
    ]
)

TEXT_BOUND = 256
"""Longest stored text in characters, unless TEXT_BOUNDS says otherwise. Longer text is cut, never refused."""

TEXT_BOUNDS = {
    "user_agent": 1024,
    "error_message": 2048,
    "role_arn": 2048,
    "resource_arn": 2048,
    "user_identity_arn": 2048,
    "session_issuer_arn": 2048,
    "user_identity_identity_provider": 2048,
    "user_identity_principal_id": 2048,
    "assumed_role_arn": 2048,
    "assumed_principal": 2048,
    "target_principal": 2048,
}

STS = "sts.amazonaws.com"

TOKEN_PREFIXES = {"FwoGZXIvYXdz": 1, "IQoJb3JpZ2luX2Vj": 2, "AgoJb3JpZ2luX2Vj": 2}
"""Prefix of a session token -> its version. Undocumented by AWS: evidence of last resort."""
