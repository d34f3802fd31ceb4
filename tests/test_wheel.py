"""The built wheel, in a clean environment, from another directory: what `pip install` really gives."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_carries_the_queries_and_the_flag_table(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    queries = {f"analyzer/queries/{path.name}" for path in (ROOT / "queries").glob("*.sql")}
    page = {f"analyzer/presentation/html/templates/page.{end}" for end in ("html.j2", "css", "js")}
    assert queries | page | {"analyzer/data/sts_region_flags.csv", "analyzer/py.typed"} <= names


def test_the_installed_wheel_analyzes_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    bin_folder = tmp_path / "env" / "bin"
    install = [str(bin_folder / "pip"), "install", "--quiet", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=600)
    command = [str(bin_folder / "sts-regions"), "analyze", str(ROOT / "sample_logs"), "--min-days", "14"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 4
    assert done.stdout.decode().startswith("3 accounts: 20 regional endpoints may be deactivated")
    page = tmp_path / "report.html"
    subprocess.run([*command, "--out", str(page)], capture_output=True, timeout=120, check=False, cwd=tmp_path)
    assert "20 regional endpoints may be deactivated" in page.read_text()
