"""Inputs that crashed once, and what the fuzzer looks for, in the short: `python -m soak.fuzz` looks longer."""

import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soak import fuzz
from soak.json_mutation import mutate
from soak.targets import TARGETS, both_ways, unpacked
from trail import record, trail_file

ROOT = Path(__file__).parents[1]
REAL_LOGS = ROOT.parent / "shared" / "real_logs"
CRASHES = sorted((Path(__file__).parent / "fixtures" / "crashes").glob("*/*"))
SEEDS = {name: tuple(target.seeds()) for name, target in TARGETS.items()}


@pytest.mark.parametrize("crash", CRASHES, ids=[f"{path.parent.name}/{path.name}" for path in CRASHES])
def test_what_crashed_once_crashes_no_more(crash: Path) -> None:
    TARGETS[crash.parent.name].run(crash.read_bytes())


def test_every_fixture_is_small() -> None:
    assert CRASHES
    assert all(path.stat().st_size <= 8192 for path in CRASHES)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_well_formed_passes(name: str) -> None:
    for seed in SEEDS[name][:: 4 if name == "documents" else 1]:
        TARGETS[name].run(seed)


def test_the_program_knows_every_target() -> None:
    assert tuple(TARGETS) == fuzz.NAMES


moderately = settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])


def mutated(name: str) -> st.SearchStrategy[bytes]:
    """A seed of a target, altered by values if it is JSON, or by bytes and words of its language."""
    target = TARGETS[name]

    def alter(seed: bytes, number: int, word: bytes, by_value: bool) -> bytes:
        made = mutate(seed, fuzz.LONGEST_INPUT, number) if by_value else None
        if made is not None:
            return made
        chance = random.Random(number)
        at, length = chance.randrange(len(seed) + 1), chance.choice((0, 0, 1, 9))
        return seed[:at] + word * chance.choice((1, 1, 3)) + seed[at + length :]

    words = st.sampled_from(list(target.words)) | st.binary(max_size=4)
    seeds = st.sampled_from(SEEDS[name])
    return st.builds(
        alter, seeds, st.integers(0, 2**32), words, st.booleans() if target.is_json else st.just(False)
    )


ALTERED = {name: mutated(name) for name in TARGETS}


@moderately
@given(st.data())
def test_an_altered_input_is_read_or_refused_in_a_line(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in TARGETS if name != "hosts"]))
    TARGETS[name].run(data.draw(ALTERED[name]))


LABELS = ("sts", "sts-fips", "sts-global", "vpce-0a", "vpce", "eu-west-1", "us-gov-west-1", "xx-new-9", "x", "")
ENDS = ("amazonaws.com", "amazonaws.com.cn", "api.aws", "amazonaws.eu", "amazonaws.co", "\u212aaws.com")


@pytest.mark.parametrize("seed", range(4))
def test_hosts_are_placed_as_plain_comparison_places_them(seed: int) -> None:
    chance = random.Random(seed)
    names = []
    for _ in range(64):
        name = ".".join([*chance.choices(LABELS, k=chance.randint(1, 4)), chance.choice(ENDS)])
        name += chance.choice(("", "", "", ".", ":443", ".:443.", "..", ":80", "\x00", " "))
        names.append(chance.choice((name, name, name.upper())))
    TARGETS["hosts"].run("\n".join(names).encode())


# The fast way and the lenient way


def trail_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*_CloudTrail_*")) if path.is_file()]


@pytest.mark.parametrize("path", trail_files(ROOT / "sample_logs")[::25], ids=lambda path: path.name[:45])
def test_both_ways_of_reading_agree_on_the_sample(path: Path) -> None:
    both_ways(unpacked(path))


@pytest.mark.skipif(not REAL_LOGS.is_dir(), reason="the real log files are not here")
def test_both_ways_of_reading_agree_on_real_logs() -> None:
    for path in trail_files(REAL_LOGS):
        both_ways(path.read_bytes())


# The program


def test_without_the_fuzzer_the_program_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert fuzz.main(["--seconds", "1"]) == 2
    assert "atheris is not installed" in capsys.readouterr().err


def test_a_crash_can_be_run_again_without_the_fuzzer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    (tmp_path / "input").write_bytes(trail_file(record()))
    assert fuzz.main(["both_ways", "--reproduce", str(tmp_path / "input")]) == 0
