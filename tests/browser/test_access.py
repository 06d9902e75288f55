"""Accessibility: keyboard, screen readers, small screens, light and dark."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.playground import Playground
from tools.live import LiveServer

PRESETS = ("50 ReLU layers with Xavier", "50 residual blocks", "GPT-2", "Single tensors")

_FOCUS = """() => {
  const at = document.activeElement;
  const seen = at.closest(".editor") ?? at;
  const name = at.id || at.name || at.closest("[id]")?.id || at.tagName;
  return [name, getComputedStyle(seen).outlineStyle];
}"""


SHORT = """{"seed": 1, "init": "xavier_normal", "layers": [
  {"name": "fc1", "type": "linear", "in_features": 4, "out_features": 4},
  {"name": "fc2", "type": "linear", "in_features": 4, "out_features": 4}
]}"""


def test_page_breaks_a_rule_of_accessibility(playground: Playground) -> None:
    playground.write(SHORT)
    expect(playground["recipe-status"]).to_contain_text("4 tensors")
    expect(playground["histogram-status"]).to_contain_text("All 16 values")
    playground.page.evaluate(
        "() => document.querySelectorAll('details').forEach(d => { d.open = true; })"
    )
    assert axe_of(playground) == ""
    playground["theme"].click()
    assert axe_of(playground) == ""
    playground.write('{"seed": 1, "tensors": [{"name": "a"}]}')
    expect(playground["errors"]).to_be_visible()
    assert axe_of(playground) == ""


def axe_of(playground: Playground) -> str:
    found = Axe().run(playground.page)
    return found.generate_report() if found.violations_count else ""


def test_dark_mode_is_light(browser: Browser, site: LiveServer) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    with Playground(browser, site.url, color_scheme="dark") as page:
        page.open()
        dark = page.page.evaluate(ground)
        assert sum(int(part) for part in dark[4:-1].split(",")) < 120
        expect(page["theme"]).to_have_attribute("aria-pressed", "true")
        page["theme"].click()
        light = page.page.evaluate(ground)
        assert sum(int(part) for part in light[4:-1].split(",")) > 600
        page.page.reload()
        assert page.page.evaluate(ground) == light
        expect(page["theme"]).to_have_attribute("aria-pressed", "false")


def test_small_screen_scrolls_sideways(browser: Browser, site: LiveServer) -> None:
    with Playground(browser, site.url, viewport={"width": 400, "height": 800}) as page:
        page.open()
        for preset in PRESETS:
            page.begin(preset)
            expect(page.page.get_by_role("button", name=preset)).to_have_attribute(
                "aria-pressed", "true"
            )
            expect(page["recipe-status"]).to_contain_text("tensors")
            assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 400


def test_keyboard_does_not_reach_everything(playground: Playground) -> None:
    expect(playground["histogram-status"]).to_contain_text("values of")
    keyboard = playground.page.keyboard
    reached = []
    for _ in range(90):
        keyboard.press("Tab")
        name, outline = playground.page.evaluate(_FOCUS)
        if name == "BODY":
            break
        assert outline not in ("none", ""), name
        reached.append(name)
    wanted = [
        "link",
        "theme",
        "presets",
        "use",
        "depth",
        "seed",
        "residual",
        "format",
        "text",
        "activation",
    ]
    wanted += [
        "views-gradient",
        "measure",
        "filter",
        "rows",
        "tensor",
        "languages-curl",
        "program-copy",
        "download",
    ]
    assert [name for name in dict.fromkeys(reached) if name in wanted] == wanted
    assert len(reached) < 90


def test_keys_of_tabs_and_of_names_do_nothing(playground: Playground) -> None:
    page = playground.page
    page.get_by_role("tab", name="Gradient").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Dead and saturated")).to_be_focused()
    expect(playground["numbers-caption"]).to_contain_text("share of the units")
    page.keyboard.press("End")
    expect(playground["numbers-caption"]).to_contain_text("correlation")
    page.get_by_role("button", name="fc01.bias").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(playground["histogram-status"]).to_contain_text("values of fc02.weight")
    playground["use"].focus()
    page.keyboard.press("Enter")
    expect(playground.badge).to_have_text("Trains")
