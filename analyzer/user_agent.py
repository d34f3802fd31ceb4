"""What a user agent tells of the software that calls STS: which SDK, which version, and its usual endpoint.

A user agent is text of the client's choosing, so what it says is a hint and never a fact. It is read token by
token, in one pass over at most LONGEST characters. What an SDK does by default is in no AWS data set: that
table is ours (`data/sdk_defaults.csv`, with its sources).

Tokens are `Name/version`. In the newer form (botocore `useragent.py`) there are also `md/name#version`,
`exec-env/name`, `app/name`, and `m/A,N,b`: ids of the features that were in use.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

LONGEST = 1024
"""Characters that are read. A longer text, or one cut at this length, loses its last, broken token."""

UNKNOWN = "unknown"
BROWSER = "browser"
AWS_INTERNAL = "AWS Internal"
SIGN_IN = "signin.amazonaws.com"
CONSOLE = "console.amazonaws.com"
TERRAFORM = "Terraform"

_ENDPOINT_OVERRIDE = "N"
"""The feature id for an endpoint that was set by hand (botocore `useragent.py`, ENDPOINT_OVERRIDE)."""

_TOOLS = {
    "aws-internal": AWS_INTERNAL,
    "terraform": TERRAFORM,
    "terraform-provider-aws": TERRAFORM,
    "pulumi": "Pulumi",
    "eksctl": "eksctl",
    "elbv2.k8s.aws": "AWS Load Balancer Controller",
    "aws-cdk": "AWS CDK",
    "configure-aws-credentials-for-github-actions": "GitHub Actions",
    "aws-cli": "AWS CLI",
    "mozilla": BROWSER,
}
"""Product name in lower case -> the tool a person knows. The first that occurs counts, in this order."""

_CLOSING = {"(": ")", "[": "]"}
_SERVICE = re.compile(r"[a-z0-9][a-z0-9.-]{0,200}\.amazonaws\.com(?:\.cn)?")
_VERSION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9}){0,4})(?:[-+_~A-Za-z]|\Z)")


class Certainty(StrEnum):
    """How well a row of the table is known."""

    DOCUMENTED = "documented"
    """AWS says so: in a guide, a changelog, the SDK's own repository."""
    UNCONFIRMED = "unconfirmed"
    """Nothing that we found settles it."""


@dataclass(frozen=True, slots=True)
class SdkDefault:
    """Which endpoint the versions of one SDK use unless told otherwise: one row of the table."""

    sdk: str
    name: str
    """The SDK as people call it."""
    token: str
    """Product name in the user agent, in lower case; a trailing `*` stands for any rest."""
    from_version: str
    below_version: str
    """First version that behaves otherwise; empty if there is none."""
    global_by_default: bool | None
    fix: str
    """A code of `analyzer.caller_advice.Fix`."""
    certainty: Certainty
    source: str

    @classmethod
    def from_row(cls, row: dict[str, str]) -> "SdkDefault":
        """The value of one line of the file."""
        return cls(
            sdk=row["sdk"],
            name=row["name"],
            token=row["token"],
            from_version=row["from_version"],
            below_version=row["below_version"],
            global_by_default={"yes": True, "no": False, "unknown": None}[row["global_by_default"]],
            fix=row["fix"],
            certainty=Certainty(row["certainty"]),
            source=row["source"],
        )

    def covers(self, version: str) -> bool:
        """Whether a version, digits and dots, lies in the row's range."""
        number = _number(version)
        if self.from_version and number < _number(self.from_version):
            return False
        return not self.below_version or number < _number(self.below_version)


@dataclass(frozen=True, slots=True)
class Client:
    """The software behind a user agent, as far as its text tells."""

    sdk: str = UNKNOWN
    """Our name of the SDK, a value of the table's first column, or `unknown`."""
    version: str | None = None
    """Digits and dots; None if the SDK is unknown or the version is no number."""
    tool: str | None = None
    """The program that uses the SDK, `browser`, `AWS Internal`, or the host name of an AWS service."""
    has_endpoint_override: bool = False
    """Whether it says that its endpoint was set by hand; False proves nothing."""
    default: SdkDefault | None = None
    """The row of the table for this SDK and version."""

    @property
    def global_by_default(self) -> bool | None:
        """Whether this version calls the global endpoint unless told otherwise; None when unknown."""
        return self.default.global_by_default if self.default else None

    @property
    def is_browser(self) -> bool:
        """Whether a person's browser is behind it, or the pages of AWS that act for that person."""
        return self.tool in (BROWSER, SIGN_IN, CONSOLE)

    @property
    def is_aws_service(self) -> bool:
        """Whether it names itself as an AWS service or as software that AWS runs."""
        if self.tool is None or self.is_browser:
            return False
        return self.tool == AWS_INTERNAL or _SERVICE.fullmatch(self.tool) is not None


@cache
def sdk_defaults() -> tuple[SdkDefault, ...]:
    """The table. Where a user agent holds several tokens, the one that comes first here names the SDK."""
    text = files("analyzer").joinpath("data/sdk_defaults.csv").read_text(encoding="utf-8")
    return tuple(SdkDefault.from_row(row) for row in csv.DictReader(text.splitlines()))


@cache
def _rows_by_token() -> dict[str, tuple[SdkDefault, ...]]:
    tokens = dict.fromkeys(row.token for row in sdk_defaults())
    return {token: tuple(row for row in sdk_defaults() if row.token == token) for token in tokens}


def parse_user_agent(text: str | None) -> Client:
    """What a user agent tells; any text is understood, if only as `unknown`."""
    words = tuple(_words(_whole_tokens(text or "")))
    products = _products(words)
    sdk, version, default = _sdk(products)
    return Client(
        sdk=sdk,
        version=version,
        tool=_tool(words, products),
        has_endpoint_override=any(_ENDPOINT_OVERRIDE in features for features in _features(words)),
        default=default,
    )


def _whole_tokens(text: str) -> str:
    """The part that is read. CloudTrail puts some user agents into brackets: those are no comment."""
    if len(text) >= LONGEST:
        text = text[:LONGEST].rpartition(" ")[0]
    return text.strip().removeprefix("[").removesuffix("]")


def _words(text: str) -> Iterator[str]:
    """The words outside comments in parentheses or brackets, nested or not; an open comment runs to the end."""
    word: list[str] = []
    closers: list[str] = []
    for character in text:
        is_inside = bool(closers)
        if is_inside and character == closers[-1]:
            closers.pop()
        elif character in _CLOSING:
            closers.append(_CLOSING[character])
        elif not is_inside and not character.isspace():
            word.append(character)
            continue
        if word:
            yield "".join(word).rstrip(",;")
            word = []
    if word:
        yield "".join(word).rstrip(",;")


def _products(words: tuple[str, ...]) -> dict[str, str]:
    """Version text by product name in lower case; of several with one name, the first."""
    products: dict[str, str] = {}
    for word in words:
        name, _, version = word.partition("/")
        if name == "md":
            name, _, version = version.partition("#")
        products.setdefault(name.lower(), version)
    return products


def _features(words: tuple[str, ...]) -> Iterator[list[str]]:
    """Ids of features in use. They have one or two characters, so they are compared whole."""
    for word in words:
        name, _, ids = word.partition("/")
        if name == "m":
            yield ids.split(",")


def _sdk(products: dict[str, str]) -> tuple[str, str | None, SdkDefault | None]:
    for token, rows in _rows_by_token().items():
        text = _version_text(token, products)
        if text is None:
            continue
        match = _VERSION.match(text)
        if match is None:
            return _shared_name(rows), None, None
        version = match[1]
        default = next((row for row in rows if row.covers(version)), None)
        return (default.sdk, version, default) if default else (UNKNOWN, None, None)
    return UNKNOWN, None, None


def _version_text(token: str, products: dict[str, str]) -> str | None:
    """What stands behind a token of the table, None if the user agent does not hold it."""
    if not token.endswith("*"):
        return products.get(token)
    return next((version for name, version in products.items() if name.startswith(token[:-1])), None)


def _shared_name(rows: tuple[SdkDefault, ...]) -> str:
    """The name of an SDK whose version is no number, if all versions have one name."""
    names = {row.sdk for row in rows}
    return names.pop() if len(names) == 1 else UNKNOWN


def _number(version: str) -> tuple[int, ...]:
    """A version to compare: 1.40 and 1.40.0 are the same."""
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _tool(words: tuple[str, ...], products: dict[str, str]) -> str | None:
    if words == tuple(AWS_INTERNAL.split()) or "md/internal" in words:
        return AWS_INTERNAL
    if len(words) == 1 and _SERVICE.fullmatch(words[0]):
        return words[0]
    return next((tool for name, tool in _TOOLS.items() if name in products), None)
