"""What the product writes is for its owner alone, whatever the umask, and what it cannot be sure of it names."""

import os
import re
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from test_hostile_text import ALL_AT_ONCE, attacked, controls
from trail import key, record, write_tree

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.store import open_store

ROOT = Path(__file__).parents[1]
SECURITY = (ROOT / "docs" / "security.md").read_text()


@pytest.fixture
def _no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """Everything below a folder, and itself, that others may read, write or enter."""
    paths = [folder, *folder.rglob("*")]
    return {str(path): oct(path.stat().st_mode) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077}


@pytest.mark.usefixtures("_no_umask")
def test_a_store_a_plan_and_every_saved_answer_are_for_their_owner_alone(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record()]})
    made = tmp_path / "made"
    made.mkdir(mode=0o700)
    (made / "store").mkdir(mode=0o777)
    store = ["--store", str(made / "store")]
    assert command_line(["ingest", str(logs), *store]) == ExitCode.OK
    assert command_line(["plan", *store, "--out", str(made / "plan")]) == ExitCode.OK
    for form in ("table", "json", "csv", "markdown", "html"):
        assert command_line(["report", *store, "--output", form, "--out", str(made / form)]) == ExitCode.OK
    assert modes(made) == {}


@pytest.mark.usefixtures("_no_umask")
def test_a_saved_answer_becomes_private_even_where_a_public_file_was(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("public")
    (tmp_path / "out.csv").chmod(0o666)
    assert command_line(["endpoints", "--out", str(tmp_path / "out.csv")]) == ExitCode.OK
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600


@pytest.mark.usefixtures("_no_umask")
def test_the_files_of_a_store_that_is_being_written_are_behind_its_own_folder(tmp_path: Path) -> None:

    (tmp_path / "store").mkdir(mode=0o777)
    with open_store(tmp_path / "store", write=True, catalogue=Catalogue()) as store:
        store.begin_run(datetime(2026, 10, 1))
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((store.path / "staging").stat().st_mode) == 0o700


def test_the_files_of_a_plan_are_safe_whatever_callers_write(tmp_path: Path) -> None:
    hostile = [attacked(f"e{n}", text) for n, text in enumerate([ALL_AT_ONCE, "=1+1", "\t@x", "<script>"])]
    good = record("good", userAgent=ALL_AT_ONCE, sourceIPAddress=ALL_AT_ONCE, errorMessage="=1")
    good["userIdentity"] |= {"arn": ALL_AT_ONCE, "accountId": "444455556666"}
    good["requestParameters"] |= {"roleArn": f"arn:aws:iam::111122223333:role/{ALL_AT_ONCE}"}
    logs = write_tree(tmp_path / "logs", {key(): [good, *hostile]})
    plan = tmp_path / "plan"
    assert command_line(["plan", str(logs), "--out", str(plan)]) == ExitCode.OK
    texts = {path.name: path.read_text() for path in plan.rglob("*") if path.is_file()}
    assert "runbook.md" in texts
    for name, text in texts.items():
        assert controls(text) == set(), name
        if name.endswith(".md"):
            assert not set("<>") & set(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        if name.endswith(".csv"):
            cells = [cell.strip('"') for line in text.splitlines() for cell in line.split(",")]
            assert not [cell for cell in cells if cell.strip().startswith(("=", "+", "@", "\t"))]


# The document


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(test_\w+)\.py::(test_\w+)`", SECURITY)
    assert len(named) > 20
    for file, name in named:
        text = (ROOT / "tests" / f"{file}.py").read_text()
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file}.py::{name}"
