"""From parsed records to rows of the store: which are kept, and what is kept of them.

Both ways of parsing end here, so a record means the same whichever way it was read. The rules:
kept are records of category Management or none, except `AwsVpceEvents`; a record
without eventTime, eventSource or eventName is rejected.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.cloudtrail import EVENTS, STS, TEXT_BOUND, TEXT_BOUNDS, TOKEN_PREFIXES
from analyzer.decoding.outcome import Reading

_EARLIEST = pa.scalar(datetime(2000, 1, 1), pa.timestamp("us"))
_LATEST = pa.scalar(datetime(9999, 1, 1), pa.timestamp("us"))

_SKIPPED_CATEGORIES = {
    "Data": "data_event",
    "Insight": "insight",
    "NetworkActivity": "network_activity",
}

_PLAIN_COLUMNS = {
    "event_id": "eventID",
    "event_source": "eventSource",
    "event_name": "eventName",
    "event_type": "eventType",
    "aws_region": "awsRegion",
    "error_code": "errorCode",
    "user_identity_type": "userIdentity.type",
    "user_identity_arn": "userIdentity.arn",
    "user_identity_account_id": "userIdentity.accountId",
    "user_identity_principal_id": "userIdentity.principalId",
    "user_identity_identity_provider": "userIdentity.identityProvider",
    "session_issuer_arn": "userIdentity.sessionContext.sessionIssuer.arn",
    "invoked_by": "userIdentity.invokedBy",
}

_STS_COLUMNS = {
    "shared_event_id": "sharedEventID",
    "original_event_id": "addendum.originalEventID",
    "error_message": "errorMessage",
    "source_ip_address": "sourceIPAddress",
    "user_agent": "userAgent",
    "vpc_endpoint_id": "vpcEndpointId",
    "endpoint_type": "additionalEventData.RequestDetails.endpointType",
    "serving_region": "additionalEventData.RequestDetails.awsServingRegion",
    "client_provided_host_header": "tlsDetails.clientProvidedHostHeader",
    "role_arn": "requestParameters.roleArn",
    "role_session_name": "requestParameters.roleSessionName",
    "target_principal": "requestParameters.targetPrincipal",
    "assumed_role_arn": "responseElements.assumedRoleUser.arn",
    "assumed_principal": "responseElements.assumedPrincipal",
}


class _Fields:
    """Fields of a struct array by dotted path, each unpacked once; a missing parent makes missing children."""

    def __init__(self, records: pa.StructArray) -> None:
        self._structs = {"": self._unpack(records)}

    @staticmethod
    def _unpack(array: pa.StructArray) -> dict[str, pa.Array]:
        names = [field.name for field in array.type]
        return dict(zip(names, array.flatten(), strict=True))

    def __getitem__(self, path: str) -> pa.Array:
        parent, _, name = path.rpartition(".")
        if parent not in self._structs:
            self._structs[parent] = self._unpack(self[parent])
        return self._structs[parent][name]


def to_events(
    records: pa.StructArray,
    documents: pa.Array,
    readings: Sequence[Reading],
    key_accounts: Sequence[str | None],
    first_positions: Sequence[Sequence[str] | None],
) -> pa.Table:
    """Sort records into kept, skipped and rejected, and flatten those kept.

    Args:
        records: parsed records, of type `cloudtrail.RECORD`; none is null and each has an eventID.
        documents: int32, for each record the index of its document in the three lists that follow, ascending.
        readings: the accounts of the documents; skipped and rejected records are counted there.
        key_accounts: the account in each document's key, the last resort for the recipient.
        first_positions: for each document the positions of its records in words, or None for "record N".

    Returns:
        A table of schema `cloudtrail.EVENTS`, its `source_id` holding the index of the document.
    """
    fields = _Fields(records)
    keep = None
    for reason, mask in _skips(fields):
        keep = _set_aside(reason, mask, keep, documents, readings, None)
    event_time, bad_time = _event_times(fields["eventTime"])
    rejections = [
        ("no_event_time", bad_time),
        ("no_event_source", _is_empty(fields["eventSource"])),
        ("no_event_name", _is_empty(fields["eventName"])),
    ]
    for reason, mask in rejections:
        keep = _set_aside(reason, mask, keep, documents, readings, first_positions)
    if keep is not None:
        records, documents, event_time = records.filter(keep), documents.filter(keep), event_time.filter(keep)
        fields = _Fields(records)
    return _flatten(fields, event_time, documents, key_accounts)


def _skips(fields: _Fields) -> list[tuple[str, pa.Array]]:
    """Masks of records that are no management events, with the reason."""
    category, event_type, source = fields["eventCategory"], fields["eventType"], fields["eventSource"]
    skips = []
    notification = _is(source, "aws:s3")
    if pc.any(notification).as_py():
        skips.append(("s3_notification", notification))
    managed = pc.or_(_is_empty(category), _is(category, "Management"))
    if not pc.all(managed).as_py():
        other = pc.invert(managed)
        for name, reason in _SKIPPED_CATEGORIES.items():
            skips.append((reason, _is(category, name)))
            other = pc.and_(other, pc.invert(_is(category, name)))
        skips.append(("other_category", other))
    vpce = _is(event_type, "AwsVpceEvents")
    if pc.any(vpce).as_py():
        skips.append(("network_activity", vpce))
    return skips


def _set_aside(
    reason: str,
    mask: pa.Array,
    keep: pa.Array | None,
    documents: pa.Array,
    readings: Sequence[Reading],
    positions: Sequence[Sequence[str] | None] | None,
) -> pa.Array | None:
    """Count the records of `mask` that no earlier rule took, and return the mask of what is left.

    With `positions` they are rejected and named, without they are skipped.
    """
    if keep is not None:
        mask = pc.and_(mask, keep)
    if not pc.any(mask).as_py():
        return keep
    if positions is None:
        for entry in pc.value_counts(documents.filter(mask)):
            readings[entry["values"].as_py()].skipped[reason] += entry["counts"].as_py()
    else:
        for row in pc.indices_nonzero(mask).to_pylist():
            document = documents[row].as_py()
            names = positions[document]
            index = row - pc.index(documents, documents[row]).as_py()
            position = names[index] if names is not None else f"record {index + 1}"
            readings[document].reject_record(reason, position)
    return pc.invert(mask) if keep is None else pc.and_(keep, pc.invert(mask))


def _is(array: pa.Array, value: str) -> pa.Array:
    return pc.fill_null(pc.equal(array, value), False)


def _is_empty(array: pa.Array) -> pa.Array:
    return pc.fill_null(pc.equal(array, ""), True)


def _event_times(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Event times as naive UTC, and the mask of those that are missing, no time, or out of this age."""
    try:
        times = pc.cast(texts, pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        times = pa.array([_event_time(text) for text in texts.to_pylist()], pa.timestamp("us"))
    return times, pc.fill_null(
        pc.invert(pc.and_(pc.greater_equal(times, _EARLIEST), pc.less(times, _LATEST))), True
    )


def _event_time(text: str | None) -> datetime | None:
    """ISO 8601 in any of its forms; without a zone it is UTC, as CloudTrail writes."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _flatten(
    fields: _Fields, event_time: pa.Array, documents: pa.Array, key_accounts: Sequence[str | None]
) -> pa.Table:
    columns: dict[str, pa.Array] = {"event_time": event_time, "source_id": documents.cast(pa.int64())}
    for name, path in _PLAIN_COLUMNS.items():
        columns[name] = _stored_text(fields[path], name)
    columns["read_only"] = fields["readOnly"]
    columns["recipient_account_id"] = pc.coalesce(
        _stored_text(fields["recipientAccountId"], "recipient_account_id"),
        columns["user_identity_account_id"],
        pc.take(pa.array(list(key_accounts), pa.string()), documents),
        pa.scalar("unknown"),
    )
    is_sts = pc.equal(columns["event_source"], STS)
    if pc.any(is_sts).as_py():
        for name, path in _STS_COLUMNS.items():
            columns[name] = _only_sts(is_sts, _stored_text(fields[path], name))
        columns["token_version"] = _only_sts(
            is_sts, _token_version(fields["responseElements.credentials.sessionToken"])
        )
        for name, field in (("resource_account_id", "accountId"), ("resource_arn", "ARN")):
            columns[name] = _only_sts(is_sts, _stored_text(_role(fields["resources"], field), name))
    length = len(documents)
    return pa.table(
        [columns[f.name] if f.name in columns else pa.nulls(length, f.type) for f in EVENTS], schema=EVENTS
    )


def _only_sts(is_sts: pa.Array, array: pa.Array) -> pa.Array:
    return array if pc.all(is_sts).as_py() else pc.if_else(is_sts, array, pa.scalar(None, array.type))


def _stored_text(array: pa.Array, name: str) -> pa.Array:
    """Text as it is stored: empty is missing, and no longer than its bound."""
    if array.null_count == len(array):
        return array
    shortest, longest = pc.min_max(pc.binary_length(array)).values()
    if shortest.as_py() == 0:
        array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    bound = TEXT_BOUNDS.get(name, TEXT_BOUND)
    if longest.as_py() is not None and longest.as_py() > bound:
        array = pc.utf8_slice_codeunits(array, 0, bound)
    return array


def _token_version(tokens: pa.Array) -> pa.Array:
    """1 or 2 by the token's prefix; the token itself goes no further."""
    version = pa.nulls(len(tokens), pa.int8())
    if tokens.null_count == len(tokens):
        return version
    for prefix, number in TOKEN_PREFIXES.items():
        version = pc.if_else(
            pc.fill_null(pc.starts_with(tokens, prefix), False), pa.scalar(number, pa.int8()), version
        )
    return version


def _role(resources: pa.ListArray, field: str) -> pa.Array:
    """A field of each record's first resource of type AWS::IAM::Role that has it."""
    fields = _Fields(resources.flatten())
    wanted = pc.and_(_is(fields["type"], "AWS::IAM::Role"), pc.invert(_is_empty(fields[field])))
    rows = pc.list_parent_indices(resources).filter(wanted)
    values = fields[field].filter(wanted)
    if len(rows) > 1:
        first = pa.concat_arrays([pa.array([True]), pc.not_equal(rows[1:], rows[:-1])])
        rows, values = rows.filter(first), values.filter(first)
    if len(rows) == len(resources):
        return values
    return values.take(pc.index_in(pa.arange(0, len(resources)), value_set=rows.cast(pa.int64())))
