"""The questions in `queries/`: named SQL files, put together with what they need into one statement.

A file is a SELECT under a comment that says its question, what a row is, which other queries it `needs`
and which parameters it takes. Composition is plain SQL (`WITH calls AS (…), classify AS (…) SELECT …`), so
the same text runs on DuckDB and on Trino; only the way a parameter is marked (`$name`) differs.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from analyzer.catalogue import Catalogue
from analyzer.errors import QueryError
from analyzer.window import parse_day

Value = str | int | datetime

_PARAMETER = re.compile(r"^param (\w+) (varchar|integer|timestamp): (.+)$")
_PLACEHOLDER = re.compile(r"\$(\w+)")

BASE_RELATIONS = frozenset({"events"})
"""Relations that a store provides."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value a query is asked with. `kind`: varchar, integer or timestamp (UTC)."""

    name: str
    kind: str
    meaning: str

    def parse(self, text: str) -> Value:
        """The value that a command line gives. Raises QueryError when it has another type."""
        if self.kind == "integer":
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
                raise QueryError(f"parameter {self.name} takes a whole number, not {text!r}")
            return int(text)
        if self.kind == "timestamp":
            return datetime.combine(parse_day(text, f"parameter {self.name}"), datetime.min.time())
        return text


@dataclass(frozen=True, slots=True)
class Query:
    """One file of `queries/`."""

    name: str
    question: str
    description: str
    needs: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    sql: str


@cache
def query_names() -> tuple[str, ...]:
    """The names of all queries."""
    return tuple(sorted(f.name.removesuffix(".sql") for f in _folder().iterdir() if f.name.endswith(".sql")))


@cache
def load_query(name: str) -> Query:
    """Read one query. Raises QueryError when there is none of that name."""
    if name not in query_names():
        raise QueryError(f"no query is named {name!r}; there are: {', '.join(query_names())}")
    text = _folder().joinpath(f"{name}.sql").read_text(encoding="utf-8")
    lines = text.splitlines()
    length = next(i for i, line in enumerate(lines) if not line.startswith("--"))
    comment = [line.removeprefix("--").strip() for line in lines[:length]]
    needs = next((c.removeprefix("needs:") for c in comment if c.startswith("needs:")), "")
    parameters = [Parameter(*match.groups()) for c in comment if (match := _PARAMETER.match(c))]
    prose = [c for c in comment if not c.startswith(("needs:", "param "))]
    return Query(
        name=name,
        question=prose[0].partition(": ")[2],
        description="\n".join(prose[1:]).strip(),
        needs=tuple(part.strip() for part in needs.split(",") if part.strip()),
        parameters=tuple(parameters),
        sql="\n".join(lines[length:]).strip(),
    )


def parameters_of(name: str) -> dict[str, Parameter]:
    """The parameters a query takes, its own and those of the queries it needs."""
    return {p.name: p for query in _in_order(name) for p in query.parameters}


def compose(name: str, catalogue: Catalogue, given: Collection[str] = ()) -> str:
    """One statement that answers a query from the relation `events`, and from the answers that are `given`."""
    order = _in_order(name, given)
    relations = [f"{query.name} AS (\n{query.sql}\n)" for query in order[:-1]]
    wanted = {need for query in order for need in query.needs}
    constants = [text for relation, text in _catalogue_relations(catalogue).items() if relation in wanted]
    query = load_query(name)
    if not relations and not constants:
        return query.sql
    return f"WITH {', '.join([*constants, *relations])}\n{_as_statement(query.sql)}"


def _as_statement(sql: str) -> str:
    """The last query of a composition: its own WITH continues the list that stands before it."""
    return f"SELECT * FROM (\n{sql}\n)" if sql.startswith("WITH") else sql


def bind(sql: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """The values that the placeholders of a statement need. Raises QueryError when one is missing."""
    names = set(_PLACEHOLDER.findall(sql))
    if missing := sorted(names - values.keys()):
        raise QueryError(f"the query needs {', '.join(missing)}; give it with --param NAME=VALUE")
    return {name: values[name] for name in names}


def _in_order(name: str, given: Collection[str] = ()) -> tuple[Query, ...]:
    """The query and those it needs, each after what it needs itself; not those whose answer is given."""
    order: dict[str, Query] = {}

    def visit(one: str) -> None:
        if one in order or one in given or one in BASE_RELATIONS or one in _CATALOGUE_RELATIONS:
            return
        query = load_query(one)
        for need in query.needs:
            visit(need)
        order[one] = query

    visit(name)
    return tuple(order.values())


_CATALOGUE_RELATIONS = ("sts_operations", "dns_suffixes")


def _catalogue_relations(catalogue: Catalogue) -> dict[str, str]:
    """What SQL knows of the catalogue, as relations of constants."""
    operations = (f"({_text(o.name)}, {str(o.issues_credentials).upper()})" for o in catalogue.operations)
    suffixes = (f"({_text(s.suffix)}, {_text(s.region_pattern)})" for s in catalogue.dns_suffixes)
    return {
        "sts_operations": _constants("sts_operations", ("event_name", "issues_credentials"), operations),
        "dns_suffixes": _constants("dns_suffixes", ("suffix", "region_pattern"), suffixes),
    }


def _constants(name: str, columns: Iterable[str], rows: Iterable[str]) -> str:
    listed = ", ".join(columns)
    return f"{name} AS (\nSELECT * FROM (VALUES {', '.join(rows)}) AS t ({listed})\n)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _folder() -> Traversable:
    """`queries/` as the wheel carries it, or beside the package in a checkout."""
    packaged = files("analyzer").joinpath("queries")
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "queries"
