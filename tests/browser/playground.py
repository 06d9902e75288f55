"""The playground's page, by what a user sees and does."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
"""Where the browser is, if it is installed."""

PATIENCE = 10_000
"""Milliseconds for what the page asks its server."""

_REFUSED = "Failed to load resource: the server responded with a status of"
"""What a browser says of each refusal that the page shows its user in words."""


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a browser for as long as the block takes."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield found
        found.close()


class Playground:
    """A window with the page.

    Args:
        browser: Where to open it.
        url: Of the server, without a slash at its end.
        window: Of Playwright's `new_context`: sizes, colour schemes.
    """

    def __init__(self, browser: Browser, url: str, **window: Any) -> None:
        self.url = url
        self.unseen: list[str] = []
        self._context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | window)
        self._context.set_default_timeout(PATIENCE)
        self.page: Page = self._context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.unseen.append(str(error)))
        self.page.on("request", self._asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._context.close()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Fail if anything went wrong that no user sees, and forget it."""
        unseen, self.unseen = self.unseen, []
        assert not unseen

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self.unseen.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "blob:", "data:")):
            self.unseen.append(f"a request to {request.url}")

    def open(self, fragment: str = "") -> None:
        """Open the page, and wait for what it shows at first."""
        self.page.goto(f"{self.url}/{fragment}")
        expect(self.badge).not_to_have_text("No verdict")

    def __getitem__(self, name: str) -> Locator:
        """Return an element by its id."""
        return self.page.locator(f"#{name}")

    @property
    def badge(self) -> Locator:
        """The verdict in short."""
        return self["badge"]

    @property
    def recipe(self) -> str:
        """The editor's text."""
        return self["text"].input_value()

    def write(self, recipe: str) -> None:
        """Replace the editor's text, as a user pastes one."""
        self["text"].fill(recipe)

    def begin(self, preset: str) -> None:
        """Begin with a preset."""
        self.page.get_by_role("button", name=preset, exact=True).click()

    def view(self, name: str) -> None:
        """Choose what the chart shows."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def curve(self, label: str) -> list[float]:
        """Return the numbers of a curve that is drawn: the column of a table beside the chart."""
        heads = self["numbers"].locator("thead th").all_text_contents()
        place = heads.index(label)
        cells = self["numbers"].locator(f"tbody tr > :nth-child({place + 1})").all_text_contents()
        return [float(cell) for cell in cells]

    def number_in(self, name: str, pattern: str) -> float:
        """Return the number in an element's text that a pattern brackets."""
        found = re.search(pattern, self[name].inner_text())
        assert found, self[name].inner_text()
        return float(found[1])
