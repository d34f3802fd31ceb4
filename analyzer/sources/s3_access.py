"""A bucket within reach: who asks and where is botocore's business, as in the AWS CLI; obstore does the asking.

These are all requests that are ever made, and all of them only read:

| request       | permission    | what for                                                              |
|---------------|---------------|-----------------------------------------------------------------------|
| HeadBucket    | none          | the bucket's region: S3 tells it even to those whom it forbids the rest |
| ListObjectsV2 | s3:ListBucket | which objects there are                                               |
| HeadObject    | s3:GetObject  | size and ETag of an object that the user named                        |
| GetObject     | s3:GetObject  | its bytes (kms:Decrypt too, where a key of the customer encrypts them)  |
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from analyzer.errors import SourceError
from analyzer.version import __version__

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.session import Session
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, S3Store

PAGE = 1000
"""Keys that S3 tells at once."""
PAGES_SEARCHED = 10
"""Pages of a prefix outside of trails in which folders are looked for: there may be millions of other things."""

_REGION_HEADER = "x-amz-bucket-region"
_NO_REGION = "us-east-1"
_ODD = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f]")
_AGENT = f"sts-regions/{__version__}"


@dataclass(frozen=True, slots=True)
class S3Access:
    """Who asks for objects, and where. What is None is left to the environment and the AWS configuration."""

    profile: str | None = None
    region: str | None = None
    """Where the bucket's own region is asked for; needed in other partitions than the commercial one only."""
    endpoint_url: str | None = None
    request_payer: bool = False
    """Agree to pay for requests to a bucket whose requesters pay."""
    is_signed: bool = True
    """Whether to sign requests; a public bucket can be read without."""
    connect_timeout: float = 10.0
    """Seconds."""
    read_timeout: float = 60.0
    """Seconds without a byte."""
    credentials_kept: float = 600.0
    """Seconds until botocore is asked again; it renews credentials when they have less than that to live."""


class Found(NamedTuple):
    """An object as a listing tells it."""

    key: str
    size: int
    etag: str


class Page(NamedTuple):
    """Some objects of a listing, in the order of their keys."""

    objects: Sequence[Found]
    is_last: bool


class Folders(NamedTuple):
    """Names of the folders directly in a prefix."""

    names: Sequence[str]
    are_all: bool


class Fetched(NamedTuple):
    """Bytes of an object, and what S3 keeps beside them."""

    data: bytes
    metadata: Mapping[str, str]


def connect(name: str, access: S3Access) -> "Bucket | None":
    """Reach a bucket; None when there is none of that name.

    Raises SourceError when there are no credentials, the configuration is wrong, or nobody answers.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        session = _session(access)
        region = access.region or session.get_config_variable("region") or _NO_REGION
        place = _locate(_client(session, access, region), name)
        if place is not None and place.region not in (None, region):
            region = place.region or region
            place = _locate(_client(session, access, region), name)
        if place is None:
            return None
        return Bucket(name, _client(session, access, region), _store(name, session, access, place.url, region))
    except ClientError as error:
        raise SourceError(f"s3://{name}: {error}; check the role and the profile") from None
    except BotoCoreError as error:
        raise SourceError(f"s3://{name}: {error}; check credentials, profile, region and endpoint") from None


def _session(access: S3Access) -> "Session":
    from botocore.exceptions import NoCredentialsError
    from botocore.session import Session

    session = Session(profile=access.profile)
    if access.is_signed and session.get_credentials() is None:
        raise NoCredentialsError
    return session


def _client(session: "Session", access: S3Access, region: str) -> "BaseClient":
    from botocore import UNSIGNED
    from botocore.config import Config

    config = Config(
        connect_timeout=access.connect_timeout,
        read_timeout=access.read_timeout,
        user_agent_extra=_AGENT,
        signature_version=None if access.is_signed else UNSIGNED,
    )
    return session.create_client("s3", region_name=region, endpoint_url=access.endpoint_url, config=config)


class _Place(NamedTuple):
    """Where a bucket is: its address as botocore writes it, and its region if S3 tells it."""

    url: str
    region: str | None


def _locate(client: "BaseClient", name: str) -> _Place | None:
    """Ask S3 for a bucket; None when there is no such bucket. The answer counts even when it is a refusal."""
    from botocore.exceptions import ClientError

    urls: list[str] = []
    client.meta.events.register("before-send.s3.HeadBucket", lambda request, **_: urls.append(request.url))
    with closing(client):
        try:
            response = client.head_bucket(Bucket=name)
        except ClientError as error:
            response = error.response
            if error.operation_name != "HeadBucket":
                raise
    told = response["ResponseMetadata"]
    if told["HTTPStatusCode"] == 404:
        return None
    return _Place(urls[-1].partition("?")[0].rstrip("/"), told["HTTPHeaders"].get(_REGION_HEADER))


def _store(name: str, session: "Session", access: S3Access, url: str, region: str) -> "S3Store":
    """The bucket for obstore. Nothing is left for it to find in the environment: botocore has found it already."""
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

    options: ClientConfig = {
        "allow_http": url.startswith("http://"),
        "connect_timeout": timedelta(seconds=access.connect_timeout),
        "read_timeout": timedelta(seconds=access.read_timeout),
        "timeout": timedelta(hours=1),
        "user_agent": _AGENT,
    }
    if bundle := session.get_config_variable("ca_bundle"):
        options["root_certificate"] = Path(bundle).read_bytes()
    provider = None
    if access.is_signed:
        provider = Boto3CredentialProvider(session, ttl=timedelta(seconds=access.credentials_kept))
    return S3Store(
        config={
            "bucket": name,
            "endpoint": url,
            "aws_endpoint_url_s3": url,
            "virtual_hosted_style_request": True,  # the address has the bucket in it, in the host or in the path
            "region": region,
            "request_payer": access.request_payer,
            "skip_signature": not access.is_signed,
        },
        client_options=options,
        retry_config={"max_retries": 0},  # it leaves answers that broke off alone: see s3_failures
        credential_provider=provider,
    )


class Bucket:
    """One bucket. Every method makes one request, or several when the answer is long, and retries nothing.

    obstore cannot name keys with empty or dotted segments (`logs//AWSLogs/…`) or control characters; botocore
    stands in for it there.
    """

    def __init__(self, name: str, client: "BaseClient", store: "S3Store") -> None:
        self._name = name
        self._client = client
        self._store = store
        self._payer = {"RequestPayer": "requester"} if store.config.get("request_payer") else {}

    def page(self, prefix: str, after: str) -> Page:
        """Objects below a prefix whose keys sort after `after`."""
        from obstore import list as list_objects
        from obstore.exceptions import InvalidPathError

        if not _is_plain(prefix) or not _is_plain(after):
            return self._odd_page(prefix, after)
        stream = list_objects(self._store, prefix.removesuffix("/") or None, offset=after or None, chunk_size=PAGE)
        try:
            chunk: Sequence[ObjectMeta] = next(iter(stream), [])
        except InvalidPathError:
            return self._odd_page(prefix, after)
        found = [Found(meta["path"], meta["size"], _bare(meta["e_tag"])) for meta in chunk]
        return Page(found, is_last=len(found) < PAGE)

    def _odd_page(self, prefix: str, after: str) -> Page:
        start = {"StartAfter": after} if after else {}
        told = self._client.list_objects_v2(Bucket=self._name, Prefix=prefix, **start, **self._payer)
        contents: list[Mapping[str, Any]] = told.get("Contents", [])
        found = [Found(entry["Key"], entry["Size"], _bare(entry["ETag"])) for entry in contents]
        return Page(found, is_last=not told["IsTruncated"])

    def folders(self, prefix: str) -> Folders:
        """All folders directly in a prefix."""
        from obstore import list_with_delimiter
        from obstore.exceptions import InvalidPathError

        if not _is_plain(prefix):
            return self.some_folders(prefix)
        try:
            below = list_with_delimiter(self._store, prefix.removesuffix("/"))["common_prefixes"]
        except InvalidPathError:
            return self.some_folders(prefix)
        return Folders([path[len(prefix) :] for path in below if path], are_all=True)

    def some_folders(self, prefix: str) -> Folders:
        """Folders directly in a prefix that may be full of objects: only the first pages are looked at."""
        names: list[str] = []
        follow: dict[str, str] = {}
        for _ in range(PAGES_SEARCHED):
            told = self._client.list_objects_v2(
                Bucket=self._name, Prefix=prefix, Delimiter="/", MaxKeys=PAGE, **follow, **self._payer
            )
            names += [entry["Prefix"][len(prefix) : -1] for entry in told.get("CommonPrefixes", ())]
            if not told["IsTruncated"]:
                return Folders(names, are_all=True)
            follow = {"ContinuationToken": told["NextContinuationToken"]}
        return Folders(names, are_all=False)

    def head(self, key: str) -> Found | None:
        """Size and ETag of one object, or None when there is none."""
        from obstore import head

        if not _is_plain(key):
            return None
        try:
            meta = head(self._store, key)
        except FileNotFoundError:
            return None
        return Found(key, meta["size"], _bare(meta["e_tag"]))

    def get(self, key: str, etag: str = "", span: tuple[int, int] | None = None) -> Fetched:
        """All bytes of an object or those of a span (first, end), if it still has the ETag that was listed."""
        from obstore import get

        if not _is_plain(key):
            return self._get_odd(key, etag, span)
        options: GetOptions = {}
        if etag:
            options["if_match"] = f'"{etag}"'
        if span:
            options["range"] = span
        result = get(self._store, key, options=options)
        return Fetched(result.bytes().to_bytes(), result.attributes)

    def _get_odd(self, key: str, etag: str, span: tuple[int, int] | None) -> Fetched:
        options: dict[str, str] = dict(self._payer)
        if etag:
            options["IfMatch"] = f'"{etag}"'
        if span:
            options["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        told = self._client.get_object(Bucket=self._name, Key=key, **options)
        with told["Body"] as body:
            return Fetched(body.read(), told["Metadata"])


def _is_plain(key: str) -> bool:
    """Whether obstore can name a key or prefix."""
    return not key or _ODD.search(key.removesuffix("/")) is None


def _bare(etag: str | None) -> str:
    return (etag or "").strip('"')
