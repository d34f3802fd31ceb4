"""Which regional AWS STS endpoints are used, by whom, and which may be deactivated: told from CloudTrail logs.

from analyzer import analyze
report = analyze("logs/")
[row.region.code for row in report.verdicts if row.verdict == "deactivate"]
"""

from analyzer.version import __version__

__all__ = ["Policy", "Question", "Report", "Verdict", "Window", "__version__", "analyze"]

_HOMES = {
    "Policy": "analyzer.verdicts",
    "Question": "analyzer.report",
    "Report": "analyzer.report",
    "Verdict": "analyzer.verdicts",
    "Window": "analyzer.window",
    "analyze": "analyzer.workflow",
}


def __getattr__(name: str) -> object:
    """Load the public names when they are first used: the command line stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
