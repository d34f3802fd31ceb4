"""What `pyproject.toml` says of versions is what was tested."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_BROUGHT_ALONG = {"botocore", "markupsafe"}
"""By boto3 and Jinja2, which are made of them."""
_BOUND = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)")


def _pinned(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if "==" in line]
    return {_normal(name): version for name, _, version in pins}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _bounds() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {}
    for text in project["dependencies"]:
        match = _BOUND.fullmatch(text)
        assert match is not None, text
        bounds[_normal(match[1])] = match[2]
    return bounds


def test_the_oldest_allowed_versions_are_those_that_are_tested() -> None:
    tested = _pinned("constraints-oldest.txt")
    for name, bound in _bounds().items():
        assert [*_release(tested[name]), 0, 0][: len(_release(bound))] == _release(bound), name


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-oldest.txt"])
def test_everything_that_the_product_needs_is_pinned(file: str) -> None:
    assert _bounds().keys() <= _pinned(file).keys()


def test_every_package_that_the_product_imports_is_a_declared_dependency() -> None:
    imported = {
        match[1]
        for path in (ROOT / "analyzer").rglob("*.py")
        for match in re.finditer(
            r"^\s*(?:from|import) ([a-z_0-9]+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    owners = packages_distributions()
    distributions = {_normal(name) for module in imported - {"analyzer"} for name in owners.get(module, [])}
    assert distributions - _bounds().keys() <= _BROUGHT_ALONG


def _release(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", version)]
