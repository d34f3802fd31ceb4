"""What the figures were measured on and with: no names, no paths."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("sts-regions", "pyarrow", "duckdb", "isal", "chdb")


def machine() -> str:
    """Processor, cores, memory and system in a line."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{_processor()}, {os.cpu_count()} cores, {pages / 2**30:.0f} GiB memory, {platform.system()}"


def versions(packages: Sequence[str] = _PACKAGES) -> str:
    """Python, the packages and the tools in a line."""
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    if packages is _PACKAGES and shutil.which("jq"):
        jq = subprocess.run(["jq", "--version"], check=True, capture_output=True, text=True).stdout
        found.append(jq.strip().replace("jq-", "jq "))
    return ", ".join(found)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
