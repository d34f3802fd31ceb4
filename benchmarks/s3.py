"""Objects per second from a bucket: the product beside two bare loops, and beside itself on local files.

    python -m benchmarks.s3 [--runs N] [--data DIR]

nginx (Debian package nginx-light) serves the benchmark's logs on the loopback interface as a bucket with path
style addresses; listings come from a small server in this package (`bucket_listing.py`). The commands take turns
and the median counts, as in the benchmark itself. There is no distance and no disk in it: what is measured is what
each command makes of a bucket that answers at once.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contestants import ingest, module
from benchmarks.data import LogSet, log_set
from benchmarks.machine import machine, versions
from benchmarks.measure import ROOT, CommandFailed, Run, Series, measure
from benchmarks.tables import Table, megabytes, seconds
from benchmarks.targets import Target

BUCKET = "benchmark-logs"
_DATA = Path(__file__).parent / "data"
_FILES = 4_000
_START = 10.0
_TITLES = {
    "boto3": "boto3 get_object, 16 threads",
    "obstore": "obstore get, 128 at a time",
    "s3": "sts-regions ingest s3://…",
    "local": "sts-regions ingest, local disk",
}
_NGINX = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    open_file_cache max=10000 inactive=600s;
    open_file_cache_errors on;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /{bucket} {{ proxy_pass http://127.0.0.1:{listing}; }}
        location = /{bucket}/ {{ proxy_pass http://127.0.0.1:{listing}; }}
        location /{bucket}/ {{ alias {logs}/; }}
    }}
}}
"""


def _rate_ratio(first: Series, second: Series) -> float:
    return second.seconds / first.seconds


def _times(value: float) -> str:
    return f"{value:.2f}x"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


TARGETS = (
    Target("objects per second over those of the boto3 loop", ("s3", "boto3"), _rate_ratio, 8, _times, True),
    Target("objects per second of those from local disk", ("s3", "local"), _rate_ratio, 0.8, _share, True),
)


def main() -> int:
    """Measure; 1 when a command failed, 0 when nginx is missing, for nothing is wrong then."""
    arguments = _arguments()
    if (nginx := _nginx()) is None:
        print("benchmarks.s3: left out, nginx not installed (Debian package nginx-light)", file=sys.stderr)
        return 0
    data: Path = arguments.data.absolute()
    work = data / "s3-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    load = os.getloadavg()[0]
    logs = log_set(data, arguments.files)
    try:
        with _bucket(nginx, logs.folder.parent, work) as endpoint:
            results = _in_turns(_commands(logs, endpoint, work), arguments.runs, work)
    except CommandFailed as error:
        print(f"benchmarks.s3: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    facts = [
        f"Machine: {machine()}",
        f"Other work on it when the runs began: load {load:.1f}",
        f"Versions: {versions(('sts-regions', 'obstore', 'boto3'))}, {_nginx_version(nginx)}",
        f"Logs: {logs.files:,} objects, {megabytes(logs.gzip_bytes)}, {logs.records:,} records",
    ]
    rows = [row for target in TARGETS if (row := target.row(results)) is not None]
    tables = [_runs_table(results, logs), Table("Targets", ["Product", "Measured", "Target", ""], rows)]
    print("\n".join(facts), *(table.plain() for table in tables), sep="\n\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.s3", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each command; the median counts (3)")
    parser.add_argument("--data", type=Path, default=_DATA, metavar="DIR", help="keep the logs there")
    parser.add_argument("--files", type=int, default=_FILES, help=argparse.SUPPRESS)
    return parser.parse_args()


def _nginx() -> str | None:
    """Where nginx is: Debian installs it where only root's PATH leads."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _nginx_version(nginx: str) -> str:
    told = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    return told.strip().rpartition(" ")[2].replace("/", " ")


def _commands(logs: LogSet, endpoint: str, work: Path) -> dict[str, list[str]]:
    loop = (logs.folder.parent, BUCKET, endpoint)
    unsigned = ["--endpoint-url", endpoint, "--no-sign-request"]
    store = work / "store"
    return {
        "boto3": module("s3_loops", "boto3", *loop),
        "obstore": module("s3_loops", "obstore", *loop),
        "s3": [*ingest(Path("logs"), store)[:2], f"s3://{BUCKET}/", "--store", str(store), *unsigned],
        "local": ingest(logs.folder, store),
    }


def _in_turns(commands: dict[str, list[str]], runs: int, work: Path) -> dict[str, Series]:
    """Every command once, then every command again; each ingest into a store of its own."""
    measured: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            run = measure(command, work)
            print(f"{_TITLES[name]}: {seconds(run.seconds)}", file=sys.stderr, flush=True)
            measured[name].append(run)
            shutil.rmtree(work / "store", ignore_errors=True)
    return {name: Series(tuple(found)) for name, found in measured.items()}


@contextmanager
def _bucket(nginx: str, logs: Path, work: Path) -> Iterator[str]:
    """A bucket that is served while this lasts; gives its endpoint."""
    port, listing = _free_ports(2)
    config = work / "nginx.conf"
    config.write_text(_NGINX.format(work=work, port=port, listing=listing, bucket=BUCKET, logs=logs))
    servers = [
        subprocess.Popen(module("bucket_listing", logs, BUCKET, listing), cwd=ROOT),
        subprocess.Popen([nginx, "-c", str(config), "-e", str(work / "nginx.log")]),
    ]
    try:
        for number, server in zip((listing, port), servers, strict=True):
            _wait_for(number, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def _free_ports(number: int) -> Sequence[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(listening.getsockname()[1]) for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise CommandFailed(f"the bucket's server does not answer on port {port}")


def _runs_table(results: dict[str, Series], logs: LogSet) -> Table:
    rows = []
    for name, series in results.items():
        shortest, longest = series.spread
        rows.append(
            [
                _TITLES[name],
                seconds(series.seconds),
                f"{seconds(shortest)} to {seconds(longest)}",
                seconds(series.cpu_seconds),
                megabytes(series.peak_bytes),
                f"{logs.files / series.seconds:,.0f}/s",
            ]
        )
    headings = ["Command", "Median", "All runs", "Processor", "Peak memory", "Objects per second"]
    runs = len(next(iter(results.values())).runs)
    return Table(f"Objects from a bucket ({runs} of each)", headings, rows)


if __name__ == "__main__":
    sys.exit(main())
