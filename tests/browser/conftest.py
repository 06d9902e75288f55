"""A browser, and the playground opened in it; what goes wrong unseen fails the test."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.playground import PATIENCE, Playground
from tools.live import LiveServer, live_server

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def site() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


# No longer than this folder's tests: while Playwright runs, nothing else can run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def window(browser: Browser, site: LiveServer) -> Iterator[Playground]:
    with Playground(browser, site.url) as opened:
        yield opened


@pytest.fixture
def playground(window: Playground) -> Iterator[Playground]:
    """The page as a stranger opens it."""
    window.open()
    yield window
    window.page.unroute_all()
    window.check()


@pytest.fixture(scope="module")
def desk(window: Playground) -> Playground:
    """The page, however others left it: for tests that depend on nothing but their own recipe."""
    window.open()
    return window
