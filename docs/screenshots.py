"""Takes the pictures of the HTML report that the documents show: `make screenshots` (needs chromium)."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from analyzer.cli import command_line

DOCS = Path(__file__).parent


def main() -> None:
    """Write one picture for each theme."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        command_line(["analyze", str(DOCS.parent / "sample_logs"), "--min-days", "14", "--out", str(report)])
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
        )
        for theme in ("light", "dark"):
            page = browser.new_page(
                color_scheme=theme, device_scale_factor=0.7, viewport={"width": 1200, "height": 1060}
            )
            page.goto(report.as_uri())
            page.screenshot(path=DOCS / f"report-{theme}.png")
        browser.close()


if __name__ == "__main__":
    main()
