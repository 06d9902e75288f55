"""Downloads, programs and links."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from service.keys import create_key
from tests.browser.playground import Playground
from tests.support import file_of
from tools.live import LiveServer, live_server

HOSTILE = r"""{
  "seed": "18446744073709551615",
  "init": "kaiming_normal",
  "tensors": [
    {"name": "a'`b`$HOME${c}\\d\"e\u00e9)json\"#\"\"\"#", "shape": [8, 4]},
    {"name": "é 名", "shape": [3, 3], "dtype": "BF16"}
  ],
  "metadata": {"": "", "x#": "'''", "y": "*/ // RECIPE %s %d \\"}
}
"""

PROGRAMS = {
    "curl": ("weights.sh", "bash weights.sh", ["bash", "curl"]),
    "Python": ("weights.py", f"{sys.executable} -W error weights.py", []),
    "JavaScript": ("weights.mjs", "node weights.mjs", ["node"]),
    "Java": (
        "Weights.java",
        "javac -Xlint:all -Werror Weights.java && java -cp . Weights",
        ["javac"],
    ),
    "C++": (
        "weights.cpp",
        "g++ -std=c++17 -Wall -Wextra -Werror weights.cpp -lcurl -o weights && ./weights",
        ["g++", "curl-config"],
    ),
}
FORMATS = {"Go": ("gofmt", "gofmt -l weights.go"), "Rust": ("rustfmt", "rustfmt --check main.rs")}


def program(page: Playground, language: str) -> str:
    page.page.get_by_role("tab", name=language, exact=True).click()
    return page["program"].text_content() or ""


def test_download_is_not_what_the_command_line_makes(
    playground: Playground, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(playground.recipe)
    expect(playground["download"]).to_have_text("Download, 13.2 MB")
    with playground.page.expect_download() as started:
        playground["download"].click()
    assert started.value.suggested_filename == "model.safetensors"
    received = Path(started.value.path()).read_bytes()
    made_here = tmp_path / "made.safetensors"
    generate = [sys.executable, "-m", "service", "generate", str(recipe), "-o", str(made_here)]
    subprocess.run(generate, check=True)
    assert received == made_here.read_bytes()
    expect(playground["hash"]).to_have_text(hashlib.sha256(received).hexdigest())
    expect(playground["abort"]).to_be_hidden()


def test_download_cannot_be_stopped(playground: Playground) -> None:
    def hold(route: Route) -> None:
        """Send no response."""

    playground.page.route("**/v1/weights", hold)
    playground["download"].click()
    expect(playground["progress"]).to_be_visible()
    playground["abort"].click()
    expect(playground["download-status"]).to_have_text("Stopped.")
    expect(playground["download"]).to_be_enabled()


def test_large_file_is_held_by_the_page(playground: Playground, site: LiveServer) -> None:
    playground.begin("Llama with muP")
    link = playground["download-link"]
    expect(link).to_be_visible()
    expect(playground["download"]).to_be_disabled()
    url = link.get_attribute("href") or ""
    request = urllib.request.Request(url, method="HEAD")
    with urllib.request.urlopen(request, timeout=30) as response:
        announced = int(response.headers["Content-Length"])
    plan = json.load(site.post("/v1/plan", playground.recipe.encode()))
    assert announced == plan["total_bytes"]


@pytest.mark.parametrize("language", PROGRAMS)
def test_program_does_not_fetch_the_weights(
    desk: Playground, language: str, tmp_path: Path
) -> None:
    file, command, needed = PROGRAMS[language]
    if missing := [name for name in needed if shutil.which(name) is None]:
        pytest.skip(f"{', '.join(missing)} is not installed")
    desk.write(HOSTILE)
    expect(desk["recipe-status"]).to_contain_text("2 tensors")
    (tmp_path / file).write_text(program(desk, language), "utf-8")
    expect(desk["program-how"]).to_contain_text(f"Save it as {file}, then run: ")
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    run = subprocess.run(
        command,
        check=False,
        shell=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    assert (tmp_path / "model.safetensors").read_bytes() == file_of(HOSTILE.encode())


@pytest.mark.parametrize("language", FORMATS)
def test_program_is_not_formatted(desk: Playground, language: str, tmp_path: Path) -> None:
    formatter, command = FORMATS[language]
    if shutil.which(formatter) is None:
        pytest.skip(f"{formatter} is not installed")
    desk.write(HOSTILE)
    expect(desk["recipe-status"]).to_contain_text("2 tensors")
    (tmp_path / command.split()[-1]).write_text(program(desk, language), "utf-8")
    run = subprocess.run(command.split(), check=False, cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_long_recipe_is_written_into_a_program(desk: Playground) -> None:
    tensors = [{"name": f"a tensor with the number {i}", "shape": [2]} for i in range(1000)]
    recipe = json.dumps({"seed": 1, "init": "ones", "tensors": tensors})
    desk.write(recipe)
    expect(desk["recipe-status"]).to_contain_text("1,000 tensors")
    for language in (*PROGRAMS, *FORMATS):
        text = program(desk, language)
        assert "recipe.json" in text
        assert len(text) < 3000
    expect(desk["program-how"]).to_contain_text("recipe as recipe.json in the same folder")
    with desk.page.expect_download() as started:
        desk["save"].click()
    assert Path(started.value.path()).read_text() == recipe


def test_link_loses_something(playground: Playground, browser: Browser) -> None:
    layer = {"name": "é'`${c}", "type": "linear", "in_features": 4, "out_features": 4}
    playground.write(json.dumps({"seed": 1, "init": "ones", "layers": [layer]}, ensure_ascii=False))
    playground.page.get_by_label("Activation").select_option("tanh")
    playground.page.get_by_role("checkbox", name="orthogonal").check()
    playground.view("Correlation")
    playground["link"].click()
    expect(playground["link"]).to_have_text("Copied")
    address = playground.page.url
    assert "#" in address
    assert len(address) < 1000
    with Playground(browser, playground.url) as other:
        other.page.goto(address)
        expect(other["text"]).to_have_value(playground.recipe)
        expect(other["recipe-status"]).to_contain_text("2 tensors")
        assert other.page.get_by_label("Activation").input_value() == "tanh"
        assert other.page.get_by_role("checkbox", name="orthogonal").is_checked()
        expect(other["broken-link"]).to_be_hidden()
        expect(other.page.get_by_role("tab", name="Correlation")).to_have_attribute(
            "aria-selected", "true"
        )


@pytest.mark.parametrize(
    "fragment", ["#1.eJyrVkrLz1eyUkpKLFKqBQAdegQ0", "#1.###", "#recipe", "#1.eJyr"]
)
def test_broken_link_is_not_called_so(browser: Browser, site: LiveServer, fragment: str) -> None:
    with Playground(browser, site.url) as page:
        page.open(fragment)
        expect(page["broken-link"]).to_contain_text("truncated or changed")
        expect(page["recipe-status"]).to_contain_text("100 tensors")


def test_server_with_keys_is_closed_to_the_page(browser: Browser) -> None:
    key, entry = create_key("lab", ["generate"])
    with live_server(TENSORSEED_KEYS=entry) as site, Playground(browser, site.url) as page:
        page.page.goto(f"{site.url}/")
        expect(page["notice"]).to_contain_text("needs a key")
        page["key"].fill(key)
        page["key"].press("Enter")
        expect(page.badge).to_have_text("Does not train")
        expect(page["notice"]).to_be_hidden()
        expect(page["histogram-status"]).to_contain_text("65,536 values")
        for language in (*PROGRAMS, *FORMATS):
            text = program(page, language)
            assert "TENSORSEED_KEY" in text
            assert key not in text
        assert key not in page.page.evaluate("() => JSON.stringify(localStorage)")
        page["key"].fill(key[:-1])
        page["key"].press("Enter")
        expect(page["notice"]).to_contain_text("needs a key")


def test_server_that_is_full_or_away_is_not_said_in_words(playground: Playground) -> None:
    busy = {"status": 429, "headers": {"Retry-After": "7"}, "body": "{}"}
    busy |= {"content_type": "application/problem+json"}
    playground.page.route(re.compile("/v1/(plan|analysis)"), lambda route: route.fulfill(**busy))
    playground.begin("50 tanh layers")
    expect(playground["notice"]).to_contain_text("Try again in 7 s")
    playground.page.unroute_all()
    playground["again"].click()
    expect(playground["notice"]).to_be_hidden()
    expect(playground.badge).to_have_text("Trains")
    playground.page.route("**/v1/*", lambda route: route.abort())
    playground.begin("GPT-2")
    expect(playground["notice"]).to_contain_text("cannot be reached")
    playground.unseen.clear()  # the browser logs failed requests itself
