"""Everything that a store and its user know about what the logs observe, put together."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

from analyzer.coverage import CoverageEvidence, Place, days_by_place
from analyzer.decoding import Outcome
from analyzer.decoding.outcome import REMEDIES
from analyzer.digest_chain import Chain, CheckedDigest, Flaw, check_chain
from analyzer.holes import RejectedFile
from analyzer.log_key import parse_folder_key
from analyzer.signatures import PublicKeys, Signature
from analyzer.store import Store
from analyzer.trail_descriptions import DescribedTrail, Document, Shortcoming, read_trails
from analyzer.usage import ActivityRow
from analyzer.window import Window

_IN_FRONT_OF_TRAILS = re.compile(r"s3://(?!.*/AWSLogs/).*/", re.DOTALL)
"""A folder of a bucket in which there may be any trail."""


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What the user hands in beside the logs: public keys of CloudTrail, and descriptions of trails."""

    keys: PublicKeys = field(default_factory=PublicKeys)
    descriptions: Sequence[Document] = ()


@dataclass(frozen=True, slots=True)
class UnusableFile:
    """A digest or a signature that is none as CloudTrail writes them."""

    uri: str
    reason: str
    detail: str

    def in_words(self) -> str:
        """What is wrong and what to do, as one clause."""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.reason.replace('_', ' ')}, it proves nothing{detail}; {REMEDIES[self.reason]}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which days are observed, and from what this is known.

    `problems`: what was handed in and cannot be used, in words.
    """

    coverage: CoverageEvidence
    chains: tuple[Chain, ...] = ()
    trails: tuple[DescribedTrail, ...] = ()
    problems: tuple[str, ...] = ()
    unusable: tuple[UnusableFile, ...] = ()
    rejected_files: tuple[RejectedFile, ...] = ()

    sts_only: Mapping[Place, frozenset[date]] = field(default_factory=dict)
    """Days of which Event history was asked for STS and no log file tells what else happened."""

    @property
    def flaws(self) -> list[Flaw]:
        """Every flaw of every chain, by trail and time."""
        return [flaw for chain in self.chains for flaw in chain.flaws]

    def rejected_by_place(self) -> Mapping[Place, Sequence[RejectedFile]]:
        """The log files that could not be read, by account and region."""
        files: dict[Place, list[RejectedFile]] = {}
        for file in self.rejected_files:
            files.setdefault((file.account_id, file.region), []).append(file)
        return files

    @property
    def has_invalid_content(self) -> bool:
        """Whether something is not what CloudTrail delivered."""
        return any(flaw.fault.is_invalid for flaw in self.flaws)

    @property
    def places(self) -> set[Place]:
        """Accounts and regions of which log files, events or digests are there."""
        chains = {(chain.trail.account_id, chain.trail.region) for chain in self.chains}
        return chains | self.coverage.inferred.keys() | self.coverage.unread.keys() | self.coverage.declared.keys()


def gather_evidence(
    store: Store, activity: Collection[ActivityRow], witnesses: Witnesses, window: Window | None = None
) -> Evidence:
    """Put together what the ledger, the kept events and the user's witnesses say about the days.

    `window`: the days that are asked about; of those that were pruned one line is said.
    """
    trails, problems = read_trails([*_stored_descriptions(store), *witnesses.descriptions])
    chains = _chains(store, witnesses.keys)
    unknown_keys = [
        f"no public key with fingerprint {fingerprint} was handed in: digests signed with it are not verified; "
        "CloudTrail has other keys in every region: save 'aws cloudtrail list-public-keys' of that region too"
        for fingerprint in (store.fingerprints() if witnesses.keys else ())
        if fingerprint not in witnesses.keys
    ]
    log_days = store.log_days()
    asked = store.event_history_days()
    delivered = [(d.account_id, d.region, d.day) for d in log_days if d.outcome is Outcome.INGESTED]
    occurred = [(row.account_id, row.aws_region, day) for row in activity if row.aws_region for day in row.days]
    coverage = CoverageEvidence(
        proven=days_by_place(
            (chain.trail.account_id, chain.trail.region, day)
            for chain in chains
            if not _is_blind(chain, trails)
            for day in chain.proven_days()
        ),
        declared=days_by_place(asked),
        declared_since=_declared_since(store, trails),
        inferred=days_by_place([*delivered, *occurred]),
        unread=days_by_place((d.account_id, d.region, d.day) for d in log_days if d.outcome is Outcome.REJECTED),
        unlisted=frozenset(_unlisted(store)),
        write_only_accounts=_write_only_accounts(activity),
        pruned_before=store.pruned_before() or date.min,
    )
    unusable = tuple(UnusableFile(*row) for row in store.unusable_statements())
    # The file's own name holds account, region and time; the place of this copy is nobody else's business.
    rejected = tuple(
        RejectedFile(account_id, region, day, uri.rpartition("/")[2], reason)
        for account_id, region, day, uri, reason in store.rejected_log_files()
    )
    return Evidence(
        coverage,
        chains,
        trails,
        (*problems, *unknown_keys, *pruned_remarks(store, window.since if window else None)),
        unusable,
        rejected,
        sts_only=days_by_place(set(asked) - set(delivered)),
    )


def pruned_remarks(store: Store, since: date | None) -> list[str]:
    """What to say to somebody who asks about days (from `since` on) of which the events were pruned."""
    pruned = store.pruned_before()
    if pruned is None or since is None or since >= pruned:
        return []
    return [
        f"the events before {pruned} were pruned from this store: nothing shows what happened then, and silence "
        f"is no evidence; ask with --since {pruned}, or make a new store from the logs"
    ]


def _stored_descriptions(store: Store) -> list[Document]:
    return [(name, json.loads(text)) for name, text in store.trail_descriptions()]


def _chains(store: Store, keys: PublicKeys) -> tuple[Chain, ...]:
    """The digests checked trail by trail, so that only one trail's are held at a time."""
    by_trail = groupby(store.digests(signed=bool(keys)), key=lambda found: found[0].digest.trail)
    return tuple(check_chain(_with_signatures(found, keys)) for _, found in by_trail)


def _with_signatures(
    found: Iterable[tuple[CheckedDigest, tuple[str, ...]]], keys: PublicKeys
) -> Iterable[CheckedDigest]:
    for item, saved in found:
        states = [keys.verify(item.digest, item.sha256, signature) for signature in saved] if keys else []
        # Of several signatures saved for one digest, a right one is proof enough.
        for state in (Signature.VERIFIED, Signature.INVALID):
            if state in states:
                yield replace(item, signature=state)
                break
        else:
            yield item


def _is_blind(chain: Chain, trails: Iterable[DescribedTrail]) -> bool:
    """Whether the chain's own trail is described as one that need not record AssumeRole: it proves no silence."""
    return any(
        (not trail.sees_sts or Shortcoming.FILTERED in trail.shortcomings)
        and (trail.name, trail.home_region) == (chain.trail.name, chain.trail.home_region)
        and (trail.is_organization or trail.account_id == chain.trail.account_id)
        for trail in trails
    )


def _unlisted(store: Store) -> Iterator[tuple[str | None, str | None]]:
    """Account and region (None: all) of every folder that could not be listed and may hold log files."""
    folders = [uri for uri, reason in store.unlisted_folders() if reason != "missing"]
    for uri in folders:
        place = parse_folder_key(uri)
        if place is not None:
            yield place
        elif _IN_FRONT_OF_TRAILS.fullmatch(uri):
            yield None, None


def _declared_since(store: Store, trails: Iterable[DescribedTrail]) -> dict[str, date]:
    """The first declared day of each account. An organization trail declares for the accounts in its folders."""
    organizations = store.organizations()
    since: dict[str, date] = {}
    for trail in trails:
        if (first := trail.first_day) is None:
            continue
        members: set[str] = set()
        if trail.is_organization:
            members = _members(trail.account_id, organizations) if organizations else store.folder_accounts()
        for account_id in {trail.account_id} | members:
            since[account_id] = min(first, since.get(account_id, first))
    return since


def _members(account_id: str, organizations: Mapping[str, set[str]]) -> set[str]:
    """The accounts in the folder of the organization that the trail's account is in; of the only one, if need be.

    Where no organization has a folder, a copy began below it, and every account with a folder counts.
    """
    own = [accounts for accounts in organizations.values() if account_id in accounts]
    found = own or (list(organizations.values()) if len(organizations) == 1 else [])
    return set().union(*found)


def _write_only_accounts(activity: Iterable[ActivityRow]) -> frozenset[str]:
    events: Counter[str] = Counter()
    writes: Counter[str] = Counter()
    for row in activity:
        events[row.account_id] += row.events
        writes[row.account_id] += row.writes
    return frozenset(account for account, count in events.items() if count == writes[account])
