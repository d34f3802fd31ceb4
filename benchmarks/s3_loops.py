"""The bare loops beside the product: `python -m benchmarks.s3_loops boto3|obstore LOGS BUCKET ENDPOINT`.

They are told the keys (from the folder that is served) and do nothing with the bytes.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_THREADS = 16
_AT_A_TIME = 128


def with_boto3(keys: list[str], bucket: str, endpoint: str) -> int:
    """The loop that one writes first; returns the bytes that came."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    config = Config(signature_version=UNSIGNED, max_pool_connections=_THREADS, s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config)

    def size(key: str) -> int:
        return len(client.get_object(Bucket=bucket, Key=key)["Body"].read())

    with ThreadPoolExecutor(_THREADS) as pool:
        return sum(pool.map(size, keys))


def with_obstore(keys: list[str], bucket: str, endpoint: str) -> int:
    """The library that the product asks with, alone; returns the bytes that came."""
    from obstore import get
    from obstore.store import S3Store

    store = S3Store(
        bucket, endpoint=endpoint, region="us-east-1", skip_signature=True, client_options={"allow_http": True}
    )
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return sum(pool.map(lambda key: len(get(store, key).bytes()), keys))


def main() -> None:
    """Read every object once; fail when bytes are missing."""
    library, folder, bucket, endpoint = sys.argv[1:]
    logs = Path(folder)
    sizes = {path.relative_to(logs).as_posix(): path.stat().st_size for path in logs.rglob("*.json.gz")}
    keys = sorted(sizes)
    loop = {"boto3": with_boto3, "obstore": with_obstore}[library]
    came = loop(keys, bucket, endpoint)
    if came != sum(sizes.values()):
        sys.exit(f"{came} bytes came instead of {sum(sizes.values())}")


if __name__ == "__main__":
    main()
