"""The HTML report in a real browser: Debian's Chromium, headless, driven by Playwright.

Without a browser these tests are skipped, unless STS_REGIONS_NEEDS_BROWSER says that there must be one.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from html_page import write_page
from playwright.sync_api import Browser, Page, sync_playwright
from trail import ACCOUNT, OTHER_ACCOUNT, Record, record, write_tree

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = (
    "<script>document.title='owned'</script>",
    "javascript:alert(1)",
    '" onmouseover="alert(1)" x="',
    "<img src=http://e.test/x onerror=alert(1)>",
    "\u202etxt.exe\u2066",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("STS_REGIONS_NEEDS_BROWSER"):
            pytest.fail("no browser: apt-get install chromium")
        pytest.skip("no browser here: apt-get install chromium runs these tests")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_page(out, "analyze", ROOT / "sample_logs", "--min-days", "14")
    return out


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    records = [attacked(f"{number}-{region}", text, region) for number, text in enumerate(HOSTILE)
               for region in ("us-east-1", "eu-west-1")]  # fmt: skip
    records.append(record("other", recipientAccountId=OTHER_ACCOUNT, eventTime="2026-10-02T12:00:00Z"))
    logs = write_tree(folder / "logs", {"a.json": records})
    write_page(folder / "report.html", "analyze", logs)
    return folder / "report.html"


def attacked(event_id: str, text: str, region: str) -> Record:
    """A call in which everything that a caller can choose is the text; in us-east-1 a global one."""
    host = "sts.amazonaws.com" if region == "us-east-1" else f"sts.{region}.amazonaws.com"
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{text}"
    return record(
        event_id,
        awsRegion=region,
        userAgent=text,
        tlsDetails={"clientProvidedHostHeader": host},
        userIdentity={"type": "AssumedRole", "arn": arn, "accountId": ACCOUNT},
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/app", "roleSessionName": text},
    )


@dataclass
class Opened:
    """A page, with what it said and what it asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        """Accounts of the matrix that are to be seen, in order."""
        return [row.inner_text() for row in self.page.locator(".matrix tbody th").all() if row.is_visible()]


def open_page(browser: Browser, path: Path, **options: object) -> Opened:
    page = browser.new_page(**options)  # type: ignore[arg-type]
    opened = Opened(page)
    page.on("console", lambda message: opened.said.append(message.text))
    page.on("pageerror", lambda error: opened.said.append(str(error)))
    page.on("dialog", lambda dialog: opened.said.append(dialog.message))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.goto(path.as_uri())
    return opened


@pytest.fixture
def opened(browser: Browser, sample: Path) -> Iterator[Opened]:
    found = open_page(browser, sample)
    yield found
    found.page.close()


def test_it_opens_without_a_word_on_the_console_and_asks_for_nothing(opened: Opened, sample: Path) -> None:
    pictures = opened.page.evaluate("Array.from(document.images, (i) => i.complete && i.naturalWidth > 0)")
    assert pictures == [True] * 4
    assert opened.said == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [sample.as_uri()]


def test_a_column_sorts_both_ways(opened: Opened) -> None:
    accounts = opened.rows()
    head = opened.page.locator(".matrix thead th").first
    head.get_by_role("button").click()
    assert (head.get_attribute("aria-sort"), opened.rows()) == ("ascending", sorted(accounts))
    head.get_by_role("button").click()
    assert (head.get_attribute("aria-sort"), opened.rows()) == ("descending", sorted(accounts, reverse=True))


def test_a_region_sorts_by_its_verdicts_the_urgent_ones_first(opened: Opened) -> None:
    opened.page.get_by_role("button", name="eu-central-1").click()
    column = opened.page.locator(".matrix thead th").all_inner_texts().index("eu-central-1")
    cells = opened.page.locator(f".matrix tbody tr td:nth-child({column + 1})").all_inner_texts()
    order = ["review", "cannot_tell", "deactivate", "keep", "inactive", "fixed"]
    ranks = [order.index(cell.split()[1]) for cell in cells]
    assert ranks == sorted(ranks)


def test_the_switch_leaves_the_accounts_that_need_attention(browser: Browser, tmp_path: Path) -> None:
    days = [f"2026-10-0{day}T12:00:00Z" for day in (1, 2)]
    used = [record(day, eventTime=day) for day in days]
    other = {"type": "IAMUser", "arn": f"arn:aws:iam::{OTHER_ACCOUNT}:user/bo", "accountId": OTHER_ACCOUNT}
    dark = record("x", eventName="GetCallerIdentity", recipientAccountId=OTHER_ACCOUNT, userIdentity=other)
    logs = write_tree(tmp_path / "logs", {"a.json": [*used, dark]})
    write_page(tmp_path / "report.html", "analyze", logs, "--min-days", "2", "--region", "eu-west-1")
    opened = open_page(browser, tmp_path / "report.html")
    assert opened.rows() == [ACCOUNT, OTHER_ACCOUNT]
    opened.page.get_by_label("Needs attention only").check()
    assert opened.rows() == [OTHER_ACCOUNT]
    opened.page.get_by_label("Needs attention only").uncheck()
    assert opened.rows() == [ACCOUNT, OTHER_ACCOUNT]
    opened.page.close()


def test_a_cell_opens_its_evidence_and_the_keyboard_goes_with_it(opened: Opened) -> None:
    cell = opened.page.locator(".matrix td a", has_text="keep").first
    target = opened.page.locator(cell.get_attribute("href") or "")
    assert not target.is_visible()
    cell.focus()
    opened.page.keyboard.press("Enter")
    target.wait_for(state="visible")
    opened.page.wait_for_function("document.activeElement.localName === 'article'")
    assert "issuing calls" in target.inner_text()


def test_without_javascript_it_can_be_read_and_a_cell_still_opens(browser: Browser, sample: Path) -> None:
    opened = open_page(browser, sample, java_script_enabled=False)
    assert opened.page.locator("h1").is_visible()
    assert opened.page.locator(".matrix thead button").count() == 0
    opened.page.locator(".matrix td a", has_text="keep").first.click()
    opened.page.locator("article:target").wait_for(state="visible")
    opened.page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_serious(browser: Browser, sample: Path, theme: str, width: int) -> None:
    opened = open_page(
        browser, sample, color_scheme=theme, viewport={"width": width, "height": 800}, bypass_csp=True
    )
    opened.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(opened.page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
    opened.page.close()


def test_nothing_but_tables_and_pictures_scrolls_sideways_on_a_phone(browser: Browser, sample: Path) -> None:
    opened = open_page(browser, sample, viewport={"width": 360, "height": 700})
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
    opened.page.close()


def test_print_shows_all_the_evidence(opened: Opened) -> None:
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.page.locator("article[id]").last.is_visible()
    assert not opened.page.locator("nav").is_visible()


def test_what_attackers_wrote_stays_text(browser: Browser, hostile: Path) -> None:
    opened = open_page(browser, hostile)
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    text = page.locator("body").inner_text()
    shown = [mark.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066") for mark in HOSTILE]
    assert [mark for mark in shown if mark[:25] not in text] == []
    assert "owned" not in page.title()
    assert page.locator("script").count() == 1
    handlers = "Array.from(document.all).flatMap((e) => Array.from(e.attributes, (a) => a.name))"
    assert [name for name in page.evaluate(handlers) if name.startswith("on")] == []
    links = page.evaluate("Array.from(document.querySelectorAll('[href], [src]'), (e) => e.href || e.src)")
    assert {link.split(":")[0] for link in links} <= {"file", "data"}
    assert opened.said == []
    assert [url for url in opened.requests if not url.startswith(("data:", "file:"))] == []
    page.close()
