"""What `coverage` answers: day by day what is observed and how this is known, and every hole with its remedy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.coverage import Coverage, Level
from analyzer.digest_chain import Chain
from analyzer.evidence import Evidence
from analyzer.holes import Hole, chain_holes, dark_holes
from analyzer.report import Report, answer_head
from analyzer.signatures import Signature
from analyzer.window import Window, utc_text


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """The days of the window, one level each, for one account and region."""

    account_id: str
    region: str
    coverage: Coverage
    letters: str
    """The level of each day by its letter."""

    def to_json(self) -> dict[str, Any]:
        """The row as an object."""
        return {
            "account_id": self.account_id,
            "region": self.region,
            "confidence": self.coverage.confidence.value,
            "days": self.coverage.days,
            "proven": self.coverage.proven,
            "declared": self.coverage.declared,
            "inferred": self.coverage.inferred,
            "none": self.coverage.none,
            "levels": self.letters,
        }


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Rows by account and region, holes by account, region and time. `window` is None when there is no day."""

    window: Window | None
    rows: tuple[CoverageRow, ...]
    dark: tuple[Hole, ...]
    broken: tuple[Hole, ...]
    evidence: Evidence

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Days that nothing observes, then hours that chains leave unproven."""
        return self.dark + self.broken

    def totals(self) -> Counter[Level]:
        """Region-days by level."""
        totals: Counter[Level] = Counter()
        for row in self.rows:
            totals.update({level: getattr(row.coverage, level.value) for level in Level})
        return totals

    def to_json(self) -> dict[str, Any]:
        """The report as an object; field names are stable."""
        totals = self.totals()
        return {
            **answer_head(self.window),
            "totals": {level.value: totals[level] for level in Level},
            "signature": signature_of(self.evidence.chains).value,
            "coverage": [row.to_json() for row in self.rows],
            "holes": [_hole_json(hole) for hole in self.dark],
            "flaws": [_hole_json(hole) for hole in self.broken],
            "chains": [_chain_json(chain) for chain in self.evidence.chains],
            "trails": [
                {
                    "arn": trail.arn,
                    "declares_from": trail.first_day.isoformat() if trail.first_day else None,
                    "shortcomings": [shortcoming.value for shortcoming in trail.shortcomings],
                    "in_words": trail.in_words(),
                }
                for trail in self.evidence.trails
            ],
            "problems": [
                *self.evidence.problems,
                *(f"{file.uri}: {file.in_words()}" for file in self.evidence.unusable),
            ],
        }


def signature_of(chains: Sequence[Chain]) -> Signature:
    """One word for all signatures: invalid if any is, verified if all are, else absent."""
    counts: Counter[Signature] = Counter()
    for chain in chains:
        counts.update(chain.signatures)
    if counts[Signature.INVALID]:
        return Signature.INVALID
    return Signature.VERIFIED if counts[Signature.VERIFIED] and not counts[Signature.ABSENT] else Signature.ABSENT


def _hole_json(hole: Hole) -> dict[str, Any]:
    return {
        "kind": hole.cause.value,
        "account_id": hole.account_id,
        "region": hole.region,
        "since": utc_text(hole.since),
        "until": utc_text(hole.until),
        "trail": hole.trail or None,
        "digest": hole.digest or None,
        "bucket": hole.bucket or None,
        "objects": list(hole.objects),
        "remedy": hole.remedy,
    }


def _chain_json(chain: Chain) -> dict[str, Any]:
    return {
        "account_id": chain.trail.account_id,
        "region": chain.trail.region,
        "trail": chain.trail.name,
        "home_region": chain.trail.home_region,
        "digests": chain.digests,
        "files": chain.files,
        "since": utc_text(chain.first),
        "until": utc_text(chain.last),
        "signature": signature_of([chain]).value,
        "signatures": {signature.value: count for signature, count in chain.signatures.items()},
        "proven_days": len(chain.proven_days()),
        "runs": [{"since": utc_text(run.start), "until": utc_text(run.end)} for run in chain.runs],
    }


def build_coverage_report(report: Report) -> CoverageReport:
    """Lay out the evidence that a report rests on, for the accounts and regions of its verdicts."""
    evidence, window = report.evidence, report.window
    if window is None:
        return CoverageReport(None, (), (), (), evidence)
    places = [(row.account_id, row.region.code) for row in report.verdicts]
    rejected = evidence.rejected_by_place()
    shown = set(places)
    return CoverageReport(
        window=window,
        rows=tuple(
            CoverageRow(
                row.account_id,
                row.region.code,
                row.coverage,
                evidence.coverage.letters(row.account_id, row.region.code, window),
            )
            for row in report.verdicts
        ),
        dark=tuple(
            hole
            for place in places
            for hole in dark_holes(evidence.coverage, *place, window, rejected.get(place, ()))
        ),
        broken=tuple(
            hole
            for hole in chain_holes(evidence.flaws, window)
            # What is not as CloudTrail delivered it is told whatever was asked.
            if (hole.account_id, hole.region) in shown or hole.is_invalid
        ),
        evidence=evidence,
    )
