"""Takes the documentation's screenshots of the playground: ``python -m tests.browser``."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.browser.playground import Playground, launched
from tests.support import ROOT
from tools.live import live_server

FOLDER = ROOT / "docs" / "pictures"

DESK: dict[str, Any] = {"viewport": {"width": 1240, "height": 860}}
PHONE: dict[str, Any] = {"viewport": {"width": 400, "height": 800}}


def take(browser: Browser, url: str, folder: Path) -> list[Path]:
    """Write screenshots of the page as it opens: light, dark, and on a phone."""
    windows = {
        "playground.png": DESK,
        "playground-dark.png": {**DESK, "color_scheme": "dark"},
        "playground-phone.png": PHONE,
    }
    made = []
    for name, window in windows.items():
        with Playground(browser, url, **window) as playground:
            playground.open()
            playground.page.evaluate("document.activeElement.blur()")
            playground.page.screenshot(path=folder / name, animations="disabled")
        made.append(folder / name)
    return made


if __name__ == "__main__":
    with live_server() as server, launched() as found:
        for path in take(found, server.url, FOLDER):
            print(path.relative_to(ROOT), path.stat().st_size)
