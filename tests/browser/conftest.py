"""A browser, and the playground opened in it; what goes wrong unseen fails the test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.playground import CHROMIUM, PATIENCE, Playground, launched
from tools.live import LiveServer, live_server


@pytest.fixture(scope="package")
def site() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


# No longer than this folder's tests: while Playwright runs, nothing else can run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=PATIENCE)
    with launched() as found:
        yield found


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
