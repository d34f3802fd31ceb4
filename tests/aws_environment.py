"""The environment of tests that ask AWS: fake credentials, and nothing of this machine's configuration."""

import os
from pathlib import Path

import pytest


def configure_aws(monkeypatch: pytest.MonkeyPatch, folder: Path, region: str = "eu-west-1") -> None:
    """Let only what a test says be configured; nobody asks for the identity of this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-secret")
