"""The documentation's screenshots: `tests.browser` can take them, and they all exist."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.__main__ import FOLDER, take
from tools.live import LiveServer


def test_picture_cannot_be_taken_or_is_not_shown(
    browser: Browser, site: LiveServer, tmp_path: Path
) -> None:
    made = take(browser, site.url, tmp_path)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made)
    assert {path.name for path in made} == {path.name for path in FOLDER.glob("playground*.png")}
