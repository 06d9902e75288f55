"""A driver of the playground's page: what a user sees and does."""

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
"""Path of the browser; None if it is not installed."""

PATIENCE = 10_000
"""Milliseconds to wait for the server."""

_REFUSED = "Failed to load resource: the server responded with a status of"
"""Console message for an error response. The page shows those to the user, so they are ignored."""


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a browser for the duration of the block."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield found
        found.close()


class Playground:
    """A browser window with the page.

    Args:
        browser: The browser.
        url: The server's URL, without a trailing slash.
        window: Arguments of Playwright's `new_context`: size, colour scheme.
    """

    def __init__(self, browser: Browser, url: str, **window: Any) -> None:
        self.url = url
        self.unseen: list[str] = []
        self._context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | window)
        self._context.set_default_timeout(PATIENCE)
        self.page: Page = self._context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.unseen.append(str(error)))
        self.page.on("request", self._on_request)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._context.close()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Fail if there were errors that a user does not see, and clear them."""
        unseen, self.unseen = self.unseen, []
        assert not unseen

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self.unseen.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "blob:", "data:")):
            self.unseen.append(f"a request to {request.url}")

    def open(self, fragment: str = "") -> None:
        """Open the page, and wait for the first verdict."""
        self.page.goto(f"{self.url}/{fragment}")
        expect(self.badge).not_to_have_text("No verdict")

    def __getitem__(self, name: str) -> Locator:
        """Return an element by its id."""
        return self.page.locator(f"#{name}")

    @property
    def badge(self) -> Locator:
        """The short verdict."""
        return self["badge"]

    @property
    def recipe(self) -> str:
        """The editor's text."""
        return self["text"].input_value()

    def write(self, recipe: str) -> None:
        """Replace the editor's text, like a paste."""
        self["text"].fill(recipe)

    def begin(self, preset: str) -> None:
        """Open a preset."""
        self.page.get_by_role("button", name=preset, exact=True).click()

    def view(self, name: str) -> None:
        """Choose what the chart shows."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def curve(self, label: str) -> list[float]:
        """Return the values of a curve, from the table below the chart."""
        heads = self["numbers"].locator("thead th").all_text_contents()
        place = heads.index(label)
        cells = self["numbers"].locator(f"tbody tr > :nth-child({place + 1})").all_text_contents()
        return [float(cell) for cell in cells]

    def number_in(self, name: str, pattern: str) -> float:
        """Return the number in an element's text that the pattern's group matches."""
        found = re.search(pattern, self[name].inner_text())
        assert found, self[name].inner_text()
        return float(found[1])
