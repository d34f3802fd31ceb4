"""Coverage-guided fuzzing of every reader of outside text: `python -m soak.fuzz --seconds 600`.

Each target runs in a process of its own for an equal share of the time; `python -m soak.fuzz TARGET` runs one.
What crashed a target is written to a file, with the line that runs it again. Needs the extra `soak` (atheris),
which there is for CPython 3.11 to 3.13 on Linux.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soak.targets import Target

TESTS = Path(__file__).parents[1]
NAMES = (
    "documents",
    "both_ways",
    "event_times",
    "shown_records",
    "digests",
    "signatures",
    "public_keys",
    "hosts",
    "user_agents",
    "log_keys",
    "exceptions",
    "trail_descriptions",
    "baselines",
    "archives",
)
"""The targets of `soak.targets`, which cannot be imported before the fuzzer watches imports."""

LONGEST_INPUT = 4096
LONGEST_RUN = 10
"""Seconds that one input may take; a longer one counts as a hang."""
MEMORY_MIB = 2048
_STARTING = 5
"""Seconds that a process needs to begin and to end."""
_PATIENCE = 60
"""Seconds after which a process that should have ended is ended."""

_PROGRESS = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+)", re.MULTILINE)
_ARTIFACT = re.compile(r"Test unit written to (.+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one target: inputs run, edges and features of the product's code that they reached."""

    target: str
    executions: int
    edges: int
    features: int
    failures: tuple[str, ...] = ()

    def row(self) -> str:
        """A line of the table."""
        return f"{self.target:20}{self.executions:>12}{self.edges:>8}{self.features:>10}{len(self.failures):>10}"


def main(arguments: list[str] | None = None) -> int:
    """Fuzz one target or all of them; returns the exit code."""
    asked = _options(arguments)
    if asked.reproduce:
        _run_again(asked.target, asked.reproduce)
        return 0
    try:
        import_module("atheris")
    except ImportError:
        print(
            "soak.fuzz: atheris is not installed; pip install '.[soak]' on CPython 3.11 to 3.13", file=sys.stderr
        )
        return 2
    crashes = (asked.crashes or Path(tempfile.mkdtemp(prefix="fuzz-"))).resolve()
    crashes.mkdir(parents=True, exist_ok=True)
    if asked.target:
        _fuzz(asked.target, asked.seconds, asked.runs, asked.seed, crashes)
    return _campaign(asked, crashes)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", choices=NAMES, help="run this one alone, in this process")
    parser.add_argument("--seconds", type=int, default=600, help="time for all targets together")
    parser.add_argument("--runs", type=int, default=-1, help="most inputs for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crashes", type=Path, help="where inputs that crash are written")
    parser.add_argument("--reproduce", type=Path, help="run TARGET on this file, without the fuzzer")
    options = parser.parse_args(arguments)
    if options.reproduce and not options.target:
        parser.error("--reproduce needs a target")
    return options


def _run_again(target: str, file: Path) -> None:
    from soak.targets import TARGETS

    TARGETS[target].run(file.read_bytes())


def _campaign(asked: argparse.Namespace, crashes: Path) -> int:
    until = time.monotonic() + asked.seconds - 2 * _STARTING
    print(f"{'target':20}{'executions':>12}{'edges':>8}{'features':>10}{'failures':>10}", flush=True)
    results = []
    for number, target in enumerate(NAMES):
        share = max(1, int((until - time.monotonic()) / (len(NAMES) - number)) - _STARTING)
        results.append(_in_own_process(target, share, asked.runs, asked.seed, crashes))
        print(results[-1].row(), flush=True)
    failures = [failure for result in results for failure in result.failures]
    print(
        f"{sum(result.executions for result in results)} executions, {len(failures)} failures, seed {asked.seed}"
    )
    for failure in failures:
        print(failure)
    return 1 if failures else 0


def _in_own_process(target: str, seconds: int, runs: int, seed: int, crashes: Path) -> Result:
    command = [sys.executable, "-m", "soak.fuzz", target, "--seconds", str(seconds), "--runs", str(runs)]
    command += ["--seed", str(seed), "--crashes", str(crashes)]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
            timeout=seconds + _PATIENCE,
        )
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, output = -1, error.output or b""
    told = output.decode("utf-8", "replace")
    progress = _PROGRESS.findall(told)
    executions, edges, features = map(int, progress[-1]) if progress else (0, 0, 0)
    return Result(target, executions, edges, features, tuple(_failures(target, code, told, crashes)))


def _failures(target: str, code: int, told: str, crashes: Path) -> Iterator[str]:
    if code == 0:
        return
    log = crashes / f"{target}.log"
    log.write_text(told)
    artifacts = _ARTIFACT.findall(told)
    for artifact in artifacts:
        yield f"{target}: python -m soak.fuzz {target} --reproduce {artifact}  (told in {log})"
    if not artifacts:
        yield f"{target}: {'hung' if code < 0 else f'exit code {code}'}, told in {log}"


def _fuzz(name: str, seconds: int, runs: int, seed: int, crashes: Path) -> None:
    """Fuzz one target in this process, which ends with it: 0 when nothing was found."""
    import atheris

    with atheris.instrument_imports(include=["analyzer"]):
        from soak.targets import TARGETS
    assert tuple(TARGETS) == NAMES
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        words, corpus = _written(target, Path(folder))
        command = [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-runs={runs}",
            f"-seed={seed}",
            f"-max_len={LONGEST_INPUT}",
            f"-timeout={LONGEST_RUN}",
            f"-rss_limit_mb={MEMORY_MIB}",
            f"-artifact_prefix={crashes}/{name}-",
            f"-dict={words}",
            str(corpus),
        ]
        options = {"custom_mutator": _mutator()} if target.is_json else {}
        atheris.Setup(command, target.run, **options)
        atheris.Fuzz()


def _written(target: "Target", folder: Path) -> tuple[Path, Path]:
    """The words and the seeds of a target, as the files in which the fuzzer wants them."""
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / f"{number:03}").write_bytes(seed)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    return words, corpus


def _mutator() -> Callable[[bytes, int, int], bytes]:
    """Alters values of JSON most of the time, and bytes otherwise."""
    import atheris

    from soak.json_mutation import mutate

    def altered(data: Any, most: int, seed: int) -> bytes:
        made = mutate(bytes(data), most, seed) if seed % 4 else None
        return atheris.Mutate(data, most) if made is None else made

    return altered


if __name__ == "__main__":
    sys.exit(main())
