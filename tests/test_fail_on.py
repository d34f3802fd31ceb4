"""`--fail-on`: findings on stderr and exit code 3, for a scheduled job."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from digest_chain import DigestChain
from trail import ACCOUNT, OTHER_ACCOUNT, Record, key, record, run, trail_file, write_tree

from analyzer.cli import command_line
from analyzer.errors import UsageError
from analyzer.findings import FailOn, parse_fail_on

GLOBAL: Record = {"awsRegion": "us-east-1", "tlsDetails": {"clientProvidedHostHeader": "sts.amazonaws.com"}}
REFUSED: Record = {"errorCode": "RegionDisabledException", "errorMessage": "STS is not activated in this region"}
LATER = "2026-10-02"


def user(name: str) -> Record:
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return {"userIdentity": {"type": "IAMUser", "arn": arn, "accountId": ACCOUNT, "principalId": "AIDA"}}


def later(event_id: str, **fields: Any) -> Record:
    return record(event_id, eventTime=f"{LATER}T12:00:00Z", **fields)


class Job:
    """A scheduled job over a folder of logs."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def logs(self, *records: Record, day: str = "2026-10-01") -> None:
        write_tree(self.folder / "logs", {key(day=day): records})

    def baseline(self) -> None:
        """Save a report of the logs as they are now."""
        command_line(["analyze", str(self.folder / "logs"), "--out", str(self.folder / "b.json")])

    def accept(self, region: str, principal: str = "*", expires: str = "9999-12-31") -> None:
        """Write an exceptions file with one exception."""
        (self.folder / "x.toml").write_text(
            f'[[exception]]\naccount = "{ACCOUNT}"\nregion = "{region}"\nprincipal = "{principal}"\n'
            f'reason = "known"\nexpires = {expires}\n'
        )

    def run(self, *kinds: str) -> tuple[int, list[str]]:
        """The exit code, and the findings on stderr."""
        options = [part for kind in kinds for part in ("--fail-on", kind)]
        for name, option in (("b.json", "--compare"), ("x.toml", "--exceptions")):
            if (self.folder / name).exists():
                options += [option, str(self.folder / name)]
        self._capsys.readouterr()
        code = command_line(["analyze", str(self.folder / "logs"), *options])
        lines = self._capsys.readouterr().err.splitlines()
        return code, [line.removeprefix("sts-regions: ") for line in lines if ": finding " in line]


@pytest.fixture
def job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Job:
    return Job(tmp_path, capsys)


# Exit codes


def test_without_fail_on_nothing_is_a_finding(job: Job) -> None:
    job.logs(record("e1", **GLOBAL), record("e2", **REFUSED))
    assert job.run() == (0, [])


def test_asked_for_and_not_found_is_exit_code_0(job: Job) -> None:
    job.logs(record("e1"))
    assert job.run("global", "region-disabled") == (0, [])


def test_a_finding_ends_in_exit_code_3(job: Job) -> None:
    job.logs(record("e1", **GLOBAL))
    assert job.run("global")[0] == 3


def test_a_finding_that_was_not_asked_for_is_none(job: Job) -> None:
    job.logs(record("e1", **GLOBAL))
    assert job.run("region-disabled") == (0, [])


def test_findings_win_over_rejected_input(job: Job) -> None:
    job.logs(record("e1", **GLOBAL))
    write_tree(job.folder / "logs", {"broken.json": b"{"})
    assert job.run() == (4, [])
    assert job.run("region-disabled")[0] == 4
    assert job.run("global")[0] == 3


def test_the_answer_is_written_before_a_job_fails(job: Job, tmp_path: Path) -> None:
    job.logs(record("e1", **GLOBAL))
    code, answer = run("analyze", job.folder / "logs", "--fail-on", "global", out=tmp_path)
    assert code == 3
    assert [one["kind"] for one in answer["findings"]] == ["global"]


def test_findings_are_in_the_json_only_when_asked_for(job: Job, tmp_path: Path) -> None:
    job.logs(record("e1", **GLOBAL))
    _, answer = run("analyze", job.folder / "logs", out=tmp_path)
    assert "findings" not in answer
    assert "comparison" not in answer


# The option


def test_kinds_may_be_repeated_or_separated_by_commas() -> None:
    assert parse_fail_on(["global,new-use", " coverage"]) == {FailOn.GLOBAL, FailOn.NEW_USE, FailOn.COVERAGE}


@pytest.mark.parametrize("text", ["everything", "", "global,", "GLOBAL", "new_use"])
def test_a_kind_that_is_none_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(
        UsageError, match="--fail-on takes global, new-use, region-disabled, coverage, cannot-tell"
    ):
        parse_fail_on([text])


def test_new_use_needs_a_report_to_compare_with(job: Job) -> None:
    job.logs(record("e1"))
    assert job.run("new-use") == (2, [])


# global


def test_every_caller_of_the_global_endpoint_is_a_finding(job: Job) -> None:
    job.logs(record("e1", **GLOBAL, **user("ann")), record("e2", **GLOBAL, **user("ann")), record("e3"))
    code, found = job.run("global")
    assert code == 3
    assert found == [
        f"finding (global): {ACCOUNT}: arn:aws:iam::{ACCOUNT}:user/ann: 2 issuing calls at the global endpoint, "
        "last 2026-10-01T12:00:00Z"
    ]


def test_calls_that_issue_nothing_are_no_finding(job: Job) -> None:
    job.logs(
        record("e1", eventName="GetCallerIdentity", **GLOBAL), record("e2", errorCode="AccessDenied", **GLOBAL)
    )
    assert job.run("global") == (0, [])


def test_an_accepted_caller_is_no_finding_and_another_still_is(job: Job) -> None:
    job.logs(record("e1", **GLOBAL, **user("ann")), record("e2", **GLOBAL, **user("ben")))
    job.accept("global", "*user/ann")
    code, found = job.run("global")
    assert code == 3
    assert len(found) == 1
    assert "user/ben" in found[0]


def test_a_caller_whose_exception_has_expired_is_a_finding_again(job: Job) -> None:
    job.logs(record("e1", **GLOBAL, **user("ann")))
    job.accept("global", expires="2020-01-01")
    assert job.run("global")[0] == 3


def test_an_exception_for_a_region_does_not_accept_the_global_endpoint(job: Job) -> None:
    job.logs(record("e1", **GLOBAL, **user("ann")))
    job.accept("us-east-1")
    assert job.run("global")[0] == 3


def test_twenty_findings_of_a_kind_are_named_and_the_rest_is_counted(job: Job, tmp_path: Path) -> None:
    job.logs(*(record(f"e{number}", **GLOBAL, **user(f"u{number:02d}")) for number in range(23)))
    code, found = job.run("global")
    assert code == 3
    assert len(found) == 21
    assert found[-1] == "finding (global): … 3 more; --output json lists every one"
    _, answer = run("analyze", job.folder / "logs", "--fail-on", "global", out=tmp_path)
    assert len(answer["findings"]) == 23


def test_a_hostile_principal_is_one_harmless_line(job: Job) -> None:
    job.logs(
        record("e1", **GLOBAL, userIdentity={"type": "IAMUser", "arn": "\x1b[2J\r\nsts-regions: all is well"})
    )
    _, found = job.run("global")
    assert len(found) == 1
    assert "\\x1b[2J\\x0d\\x0asts-regions: all is well" in found[0]


# new-use


def test_a_newly_used_region_is_a_finding(job: Job) -> None:
    job.logs(record("e1"))
    job.baseline()
    job.logs(later("e2", awsRegion="eu-west-3"), day=LATER)
    code, found = job.run("new-use")
    assert code == 3
    assert len(found) == 1
    assert found[0].startswith(f"finding (new-use): {ACCOUNT} eu-west-3: newly used: 1 issuing call")


def test_accepted_new_use_is_no_finding(job: Job) -> None:
    job.logs(record("e1"))
    job.baseline()
    job.logs(later("e2", awsRegion="eu-west-3", **user("ann")), day=LATER)
    job.accept("eu-west-3", "*user/ann")
    assert job.run("new-use") == (0, [])


def test_new_use_by_one_caller_more_than_is_accepted_is_a_finding(job: Job) -> None:
    job.logs(record("e1"))
    job.baseline()
    new = [later("e2", awsRegion="eu-west-3", **user("ann")), later("e3", awsRegion="eu-west-3", **user("ben"))]
    job.logs(*new, day=LATER)
    job.accept("eu-west-3", "*user/ann")
    assert job.run("new-use")[0] == 3


# region-disabled


def test_a_refused_call_is_a_finding(job: Job) -> None:
    job.logs(record("e1", **REFUSED))
    code, found = job.run("region-disabled")
    assert code == 3
    assert found == [
        f"finding (region-disabled): {ACCOUNT} eu-west-1: 1 x RegionDisabledException, last 2026-10-01T12:00:00Z"
    ]


def test_with_a_baseline_only_later_refusals_are_findings(job: Job) -> None:
    job.logs(record("e1", **REFUSED))
    job.baseline()
    assert job.run("region-disabled") == (0, [])
    job.logs(later("e2", **REFUSED), day=LATER)
    assert job.run("region-disabled")[0] == 3


def test_an_accepted_refusal_is_no_finding(job: Job) -> None:
    job.logs(record("e1", **REFUSED, **user("ann")))
    job.accept("eu-west-1", "*user/ann")
    assert job.run("region-disabled") == (0, [])


def test_a_refusal_of_somebody_else_is_a_finding_whoever_is_accepted_there(job: Job) -> None:
    job.logs(record("e1", **user("ann")), record("e2", **REFUSED, **user("ben")))
    job.accept("eu-west-1", "*user/ann")
    assert job.run("region-disabled")[0] == 3


# coverage and cannot-tell


def test_a_region_without_logs_is_a_finding(job: Job) -> None:
    job.logs(record("e1"))
    code, found = job.run("coverage")
    assert code == 3
    assert f"finding (coverage): {ACCOUNT} us-west-1: no evidence on 1 of 1 days" in found
    assert not any("eu-west-1" in line or "us-east-1" in line for line in found)


def test_no_exception_accepts_missing_evidence(job: Job) -> None:
    job.logs(record("e1"))
    job.accept("*")
    assert job.run("coverage")[0] == 3
    assert job.run("cannot-tell")[0] == 3


def test_logs_without_any_account_are_a_finding(job: Job) -> None:
    (job.folder / "logs").mkdir()
    assert job.run("coverage") == (
        3,
        ["finding (coverage): no account was found in the logs: nothing is watched"],
    )


def test_an_account_that_is_gone_is_a_finding(job: Job) -> None:
    job.logs(record("e1"), record("e2", recipientAccountId=OTHER_ACCOUNT))
    job.baseline()
    job.logs(record("e1"))
    _, found = job.run("coverage")
    assert found[0].startswith(f"finding (coverage): {OTHER_ACCOUNT} is in the baseline")


def test_content_that_is_not_as_delivered_is_a_finding(job: Job) -> None:
    chain = DigestChain()
    name = chain.log_key()
    chain.hour(datetime(2026, 10, 1), {name: trail_file(record("e1"))})
    chain.hour()
    write_tree(job.folder / "logs", {**chain.tree(), name: [record("altered")]})
    _, found = job.run("coverage")
    assert found[0].startswith(f"finding (coverage): {ACCOUNT} eu-west-1: not as CloudTrail delivered it: ")
    assert name in found[0]


def test_a_verdict_that_cannot_be_told_is_a_finding(job: Job) -> None:
    job.logs(record("e1"))
    code, found = job.run("cannot-tell")
    assert code == 3
    assert f"finding (cannot-tell): {ACCOUNT} us-west-1: cannot tell: coverage gap, window too short" in found
