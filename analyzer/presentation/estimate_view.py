"""What a run would read, before it reads it."""

from analyzer.presentation.output import Answer, Table
from analyzer.report import SCHEMA_VERSION
from analyzer.sources.estimate import Estimate

_COLUMNS = ("account", "region", "folder", "objects", "bytes")


def estimate_answer(estimate: Estimate, price: float) -> Answer:
    """Objects and bytes by account, region and folder, and what requests cost (`price`: USD for 1,000 GETs)."""
    rows = [(s.account_id, s.region, s.folder, s.objects, s.size) for s in estimate.shares]
    cost = estimate.cost(price)
    headline = (
        f"{estimate.objects:,} objects of {estimate.size / 1e6:,.1f} MB would be read; {estimate.settled:,} are "
        f"known and would not. From S3 that is {estimate.objects:,} GET requests, about ${cost:,.4f} "
        f"(at ${price:g} for 1,000)."
    )
    return Answer(
        data={
            "schema_version": SCHEMA_VERSION,
            "objects": estimate.objects,
            "bytes": estimate.size,
            "settled": estimate.settled,
            "get_requests": estimate.objects,
            "usd": round(cost, 6),
            "shares": [
                dict(zip(("account_id", "region", "folder", "objects", "bytes"), r, strict=True)) for r in rows
            ],
            "unreadable": [{"uri": u.uri, "reason": u.reason, "detail": u.detail} for u in estimate.unreadable],
        },
        table=Table(_COLUMNS, rows),
        headline=(headline,),
        notes=tuple(f"{u.name}: {u.reason.replace('_', ' ')}: more may lie there" for u in estimate.unreadable),
    )
