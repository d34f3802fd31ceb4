"""What is known of STS before any log is read: regions, endpoint hosts, operations.

Regions, host suffixes and operations come from the installed botocore, so a newer botocore knows newer
regions. Whether an endpoint can be deactivated is in no AWS data set: that table is ours
(`data/sts_region_flags.csv`, with its sources). In the `aws` partition every region that botocore knows and
the table does not is an opt-in region: all regions launched since March 2019 are (AWS account management
guide, "Enable or disable AWS Regions"), and in those STS follows the region itself.
"""

import csv
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

COMMERCIAL = "aws"
ANY_REGION = "^[a-z]{2,}(-[a-z0-9]+)+-[0-9]+$"
"""The form of a region code, known or not, as a regular expression that Python, DuckDB and Trino agree on."""
_REGION = re.compile(ANY_REGION)


class Toggle(StrEnum):
    """Whether the STS endpoint of a region can be deactivated."""

    YES = "yes"
    """In the IAM console, per account."""
    NOT_TOGGLEABLE = "not_toggleable"
    """Always active."""
    OPT_IN_REGION = "opt_in_region"
    """Active exactly where the region itself is enabled."""
    UNCONFIRMED = "unconfirmed"
    """AWS documents nothing for this partition."""
    UNKNOWN = "unknown"
    """The catalogue does not know the region."""

    @property
    def is_fixed(self) -> bool:
        """Whether the catalogue says that it cannot be toggled."""
        return self in (Toggle.NOT_TOGGLEABLE, Toggle.OPT_IN_REGION)


@dataclass(frozen=True, slots=True)
class Region:
    """One region and its STS endpoint. Hosts are None where botocore knows none."""

    code: str
    name: str
    partition: str
    toggle: Toggle
    endpoint: str
    fips_endpoint: str | None
    dualstack_endpoint: str | None
    source: str

    @property
    def is_opt_in(self) -> bool | None:
        """Whether the region must be enabled before use; None when unknown."""
        if self.toggle in (Toggle.UNCONFIRMED, Toggle.UNKNOWN):
            return None
        return self.toggle is Toggle.OPT_IN_REGION


@dataclass(frozen=True, slots=True)
class Operation:
    """One STS operation; it issues credentials if it declares RegionDisabledException."""

    name: str
    issues_credentials: bool


@dataclass(frozen=True, slots=True)
class DnsSuffix:
    """The end of an endpoint's host, and a regular expression for the regions that may stand before it."""

    suffix: str
    region_pattern: str


@cache
def _botocore() -> Any:
    """botocore's own data files, read once; those that a user may have put beside them are left out."""
    from botocore.loaders import Loader

    loader = Loader(include_default_search_paths=False)
    loader.search_paths.append(loader.BUILTIN_DATA_PATH)
    return loader


class Catalogue:
    """Regions, suffixes and operations of the installed botocore, joined with our flag table."""

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All STS operations by name."""
        model = _botocore().load_service_model("sts", "service-2")
        return tuple(
            Operation(name, any(e["shape"] == "RegionDisabledException" for e in operation.get("errors", ())))
            for name, operation in sorted(model["operations"].items())
        )

    @cached_property
    def dns_suffixes(self) -> tuple[DnsSuffix, ...]:
        """Host suffixes of every partition, dual-stack ones too, each with the regions that may stand before it.

        Before the suffixes of the commercial partition any region code may stand, so that a region that is
        newer than botocore is still recognized.
        """
        patterns: dict[str, str] = {}
        for partition in sorted(self._partitions, key=lambda p: p["id"] != COMMERCIAL):
            outputs = partition["outputs"]
            pattern = ANY_REGION if partition["id"] == COMMERCIAL else partition["regionRegex"]
            for key in ("dnsSuffix", "dualStackDnsSuffix"):
                if key in outputs:
                    patterns.setdefault(outputs[key], pattern)
        return tuple(DnsSuffix(suffix, patterns[suffix]) for suffix in sorted(patterns))

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """All regions by partition and code."""
        known = [
            self._region(code, about.get("description", code), partition)
            for partition in self._partitions
            for code, about in partition["regions"].items()
            if not code.endswith("-global")
        ]
        return tuple(sorted(known, key=lambda region: (region.partition, region.code)))

    @cached_property
    def _by_code(self) -> dict[str, Region]:
        return {region.code: region for region in self.regions}

    def region(self, code: str, partition: str = COMMERCIAL) -> Region:
        """The region of a code; one that botocore does not know passes through with toggle `unknown`."""
        if known := self._by_code.get(code):
            return known
        partition = self.partition_of_region(code) or partition
        return self._region(code, "unknown to the catalogue", self._partition(partition), is_known=False)

    def partition_regions(self, partition: str) -> tuple[Region, ...]:
        """The regions of one partition."""
        return tuple(region for region in self.regions if region.partition == partition)

    def partition_of_region(self, code: str) -> str | None:
        """The partition a region code belongs to, by botocore's list and then by its patterns."""
        if code in self._by_code:
            return self._by_code[code].partition
        for partition in self._partitions:
            if re.match(partition["regionRegex"], code):
                return str(partition["id"])
        return None

    @staticmethod
    def is_region_code(text: str) -> bool:
        """Whether a text has the form of a region code, known or not."""
        return _REGION.match(text) is not None

    @cached_property
    def _partitions(self) -> list[dict[str, Any]]:
        partitions: list[dict[str, Any]] = _botocore().load_data("partitions")["partitions"]
        return partitions

    def _partition(self, name: str) -> dict[str, Any]:
        return next(partition for partition in self._partitions if partition["id"] == name)

    @cached_property
    def _sts_fips_hosts(self) -> dict[str, str]:
        """Hosts of the FIPS endpoints that STS really has, by region."""
        hosts = {}
        for partition in _botocore().load_data("endpoints")["partitions"]:
            for code, endpoint in partition["services"].get("sts", {}).get("endpoints", {}).items():
                for variant in endpoint.get("variants", ()):
                    if variant["tags"] == ["fips"] and "hostname" in variant:
                        hosts[code] = variant["hostname"]
        return hosts

    def _region(self, code: str, name: str, partition: dict[str, Any], *, is_known: bool = True) -> Region:
        outputs = partition["outputs"]
        toggle, source = self._toggle(code, partition["id"], is_known)
        dual_stack = outputs.get("dualStackDnsSuffix") if outputs.get("supportsDualStack") else None
        return Region(
            code=code,
            name=name,
            partition=partition["id"],
            toggle=toggle,
            endpoint=f"sts.{code}.{outputs['dnsSuffix']}",
            fips_endpoint=self._sts_fips_hosts.get(code),
            dualstack_endpoint=f"sts.{code}.{dual_stack}" if dual_stack else None,
            source=source,
        )

    def _toggle(self, code: str, partition: str, is_known: bool) -> tuple[Toggle, str]:
        if flag := self._flags.get(code):
            return (Toggle.YES if flag["can_deactivate"] == "yes" else Toggle(flag["reason"])), flag["source"]
        if not is_known:
            return Toggle.UNKNOWN, "not in the installed botocore"
        if partition == COMMERCIAL:
            return Toggle.OPT_IN_REGION, "AWS account management guide, Enable or disable AWS Regions"
        return Toggle.UNCONFIRMED, "not documented for this partition"

    @cached_property
    def _flags(self) -> dict[str, dict[str, str]]:
        text = files("analyzer").joinpath("data/sts_region_flags.csv").read_text(encoding="utf-8")
        return {row["region"]: row for row in csv.DictReader(text.splitlines())}
