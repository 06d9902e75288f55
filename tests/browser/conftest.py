"""Fixtures: a browser, and the playground opened in it. Errors in the console fail a test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.playground import CHROMIUM, PATIENCE, Playground, launched
from tools.live import LiveServer, live_server


@pytest.fixture(scope="package")
def site() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


# Ends with this folder's tests: while Playwright runs, no other code can run an event loop.
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
    """The page, newly opened."""
    window.open()
    yield window
    window.page.unroute_all()
    window.check()


@pytest.fixture(scope="module")
def desk(window: Playground) -> Playground:
    """The page in the state of earlier tests: for tests that depend on their own recipe only."""
    window.open()
    return window
