"""From what the user names to the sources that are meant: files, standard input, buckets, Event history."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import BinaryIO

from analyzer.catalogue import COMMERCIAL, Catalogue, Toggle
from analyzer.errors import UsageError
from analyzer.sources.aws_identity import AwsSession, Identity
from analyzer.sources.event_history import EVENT_HISTORY, EventHistory
from analyzer.sources.local import LocalSource, StandardInput
from analyzer.sources.s3 import SCHEME, S3Source, parse_s3_uri
from analyzer.sources.s3_access import S3Access
from analyzer.sources.s3_layout import GLOBAL_CALLS_REGION, Wanted
from analyzer.sources.source import Source
from analyzer.sources.trail_discovery import TrailDiscovery, enabled_regions

STANDARD_INPUT = "-"
ALL_REGIONS = "all"


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """How AWS is asked, where the user names an AWS source. What is None is left to the AWS configuration."""

    profile: str | None = None
    endpoint_url: str | None = None
    request_payer: bool = False
    is_signed: bool = True

    @property
    def identity(self) -> Identity:
        """The same, for the services besides S3."""
        return Identity(self.profile, self.endpoint_url)

    @property
    def s3(self) -> S3Access:
        """The same, for S3."""
        return S3Access(
            profile=self.profile,
            endpoint_url=self.endpoint_url,
            request_payer=self.request_payer,
            is_signed=self.is_signed,
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the AWS sources is asked for; files are read whole. Empty sets mean all."""

    since: date | None = None
    until: date | None = None
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    @property
    def wanted(self) -> Wanted:
        """The same, as a choice of prefixes."""
        return Wanted(self.since, self.until, self.accounts, self.regions - {ALL_REGIONS})


@dataclass(frozen=True, slots=True)
class Naming:
    """Everything that a name is understood with. `now`: naive UTC; `remark` hears what is worth a line."""

    read_limit: int
    now: datetime
    remark: Callable[[str], None]
    stdin: BinaryIO = field(default_factory=lambda: sys.stdin.buffer)
    scope: Scope = field(default_factory=Scope)
    access: AwsAccess = field(default_factory=AwsAccess)
    discovers_trails: bool = False
    keeps: bool = False
    """Whether what is read is kept for later reports."""

    def sources(self, names: Sequence[str], catalogue: Catalogue) -> list[Source]:
        """The sources that are named, and what AWS says of the trails if a bucket is among them."""
        sources = [self._source(name, catalogue) for name in dict.fromkeys(names)]
        buckets = [parse_s3_uri(name) for name in names if name.startswith(SCHEME)]
        if not (buckets and self.discovers_trails and self.access.is_signed):
            return sources
        if self.keeps and self.scope != Scope():
            # A description declares all regions and days, and a later report may ask about those left out here.
            self.remark(
                "AWS was not asked about its trails: the filters leave out logs that a later report on this store "
                "would miss; ingest without them, or hand descriptions in with --trail"
            )
        else:
            sources.append(TrailDiscovery(AwsSession(self.access.identity), buckets, self.remark))
        return sources

    def _source(self, name: str, catalogue: Catalogue) -> Source:
        if name == STANDARD_INPUT:
            return StandardInput(self.stdin, self.read_limit)
        if name.startswith(SCHEME):
            return S3Source(name, self.scope.wanted, self.access.s3)
        if name == EVENT_HISTORY:
            return self._event_history(catalogue)
        return LocalSource(name, self.read_limit)

    def _event_history(self, catalogue: Catalogue) -> EventHistory:
        if not self.scope.regions:
            raise UsageError(
                f"{EVENT_HISTORY} is asked region by region; name them with --region, or --region all"
            )
        regions = self.scope.regions
        for region in sorted(regions - {ALL_REGIONS}):
            if not catalogue.is_region_code(region):
                raise UsageError(f"--region {region}: no region has a name like that; write it like eu-west-1")
        session = AwsSession(self.access.identity)
        if ALL_REGIONS in regions:
            regions = self._all_regions(session, catalogue)
        if any(catalogue.partition_of_region(region) in (COMMERCIAL, None) for region in regions):
            regions |= {GLOBAL_CALLS_REGION}
        return EventHistory(session, sorted(regions), self.now, self.scope.since, self.scope.until)

    def _all_regions(self, session: AwsSession, catalogue: Catalogue) -> frozenset[str]:
        """Every region that the account has enabled; without permission to ask, those that all accounts have."""
        enabled = enabled_regions(session, self.remark)
        if enabled is not None:
            return enabled
        partition = session.caller().partition
        return frozenset(
            region.code
            for region in catalogue.partition_regions(partition)
            if region.toggle is not Toggle.OPT_IN_REGION
        )
