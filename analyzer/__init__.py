"""Which regional AWS STS endpoints are used, by whom, and which may be deactivated: told from CloudTrail logs.

from analyzer import analyze, open_store
report = analyze("logs/", store="store")
[row.region.code for row in report.verdicts if row.verdict == "deactivate"]
report.to_arrow().verdicts.to_pandas()
open_store("store").query("errors")
"""

from typing import TYPE_CHECKING

from analyzer.version import __version__

if TYPE_CHECKING:
    from analyzer.coverage_report import CoverageReport
    from analyzer.errors import StsRegionsError
    from analyzer.exceptions_file import Exemptions
    from analyzer.library import StoreReader, open_store
    from analyzer.report import Question, Report, VerdictRow
    from analyzer.report_tables import ReportTables
    from analyzer.verdicts import Policy, ServiceCalls, Verdict
    from analyzer.window import Window
    from analyzer.workflow import analyze, read_exemptions

__all__ = [
    "CoverageReport",
    "Exemptions",
    "Policy",
    "Question",
    "Report",
    "ReportTables",
    "ServiceCalls",
    "StoreReader",
    "StsRegionsError",
    "Verdict",
    "VerdictRow",
    "Window",
    "__version__",
    "analyze",
    "open_store",
    "read_exemptions",
]

_HOMES = {
    "CoverageReport": "analyzer.coverage_report",
    "Exemptions": "analyzer.exceptions_file",
    "Policy": "analyzer.verdicts",
    "Question": "analyzer.report",
    "Report": "analyzer.report",
    "ReportTables": "analyzer.report_tables",
    "ServiceCalls": "analyzer.verdicts",
    "StoreReader": "analyzer.library",
    "StsRegionsError": "analyzer.errors",
    "Verdict": "analyzer.verdicts",
    "VerdictRow": "analyzer.report",
    "Window": "analyzer.window",
    "analyze": "analyzer.workflow",
    "open_store": "analyzer.library",
    "read_exemptions": "analyzer.workflow",
}


def __getattr__(name: str) -> object:
    """Load the public names when they are first used: the command line stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return __all__
