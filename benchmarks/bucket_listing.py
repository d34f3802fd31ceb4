"""Answers HeadBucket and ListObjectsV2 for a folder: `python -m benchmarks.bucket_listing LOGS BUCKET PORT`."""

import sys
from bisect import bisect_right
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_PAGE = 1000
_STAMP = "2026-10-01T00:00:00.000Z"


class Listing:
    """The keys of a bucket, with the ETags that nginx gives the files."""

    def __init__(self, logs: Path, bucket: str) -> None:
        self.bucket = bucket
        self.objects: dict[str, tuple[int, str]] = {}
        for path in sorted(logs.rglob("*.json.gz")):
            status = path.stat()
            etag = f"{int(status.st_mtime):x}-{status.st_size:x}"
            self.objects[path.relative_to(logs).as_posix()] = status.st_size, etag
        self.keys = sorted(self.objects)

    def answer(self, prefix: str, after: str, delimiter: str, size: int) -> str:
        """One page of a listing: keys with a prefix after a key, folded at the delimiter."""
        entries: dict[str, str] = {}
        for key in self.keys[bisect_right(self.keys, max(after, prefix[:-1])) :]:
            if not key.startswith(prefix):
                if key > prefix:
                    break
                continue
            folder, separator, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if separator:
                name = f"{prefix}{folder}{separator}"
                entries[name] = f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
            else:
                entries[key] = self._entry(key)
            if len(entries) > size:
                break
        page = list(entries)[:size]
        is_truncated = len(entries) > size
        token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if is_truncated else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<ListBucketResult><Name>{self.bucket}</Name><Prefix>{prefix}</Prefix>"
            f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{size}</MaxKeys>"
            f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>{token}"
            f"{''.join(entries[name] for name in page)}</ListBucketResult>"
        )

    def _entry(self, key: str) -> str:
        size, etag = self.objects[key]
        return (
            f"<Contents><Key>{key}</Key><LastModified>{_STAMP}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
            f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )


class _Handler(BaseHTTPRequestHandler):
    listing: Listing

    def do_HEAD(self) -> None:
        """HeadBucket."""
        self._answer(b"")

    def do_GET(self) -> None:
        """ListObjectsV2."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        after = query.get("continuation-token") or query.get("start-after", "")
        size = int(query.get("max-keys", _PAGE))
        text = self.listing.answer(query.get("prefix", ""), after, query.get("delimiter", ""), size)
        self._answer(text.encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("x-amz-bucket-region", "us-east-1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # With the usual 5, connections that come all at once wait a second.


if __name__ == "__main__":
    _Handler.listing = Listing(Path(sys.argv[1]), sys.argv[2])
    _Server(("127.0.0.1", int(sys.argv[3])), _Handler).serve_forever()
