"""The editor, its error messages, the plan and the histogram."""

import json
import math

import pytest
from playwright.sync_api import expect

from tests.browser.playground import Playground

BROKEN = """{
  "seed": 1,
  "tensors": [
    {"name": "a", "shape": [3], "init": "zeros"},
    {"name": "b", "shpae": [3], "init": "xavier"},
    {"name": "c", "shape": [3, -1], "init": "zeros"}
  ]
}
"""


def test_mistake_is_not_said_at_its_place(playground: Playground) -> None:
    playground.write(BROKEN)
    mistakes = playground["errors"].locator("li")
    expect(mistakes).to_have_count(3)
    expect(mistakes.nth(1)).to_have_text(
        "Line 5 unknown key shpae: did you mean shape? /tensors/1/shpae"
    )
    expect(mistakes.nth(2)).to_contain_text("Line 6")
    expect(playground["gutter"].locator(".wrong")).to_have_text(["5", "6"])
    expect(playground["recipe-status"]).to_contain_text("3 errors")
    text = playground["text"]
    assert text.get_attribute("aria-invalid") == "true"
    assert "errors" in (text.get_attribute("aria-describedby") or "").split()
    mistakes.nth(1).get_by_role("button").click()
    expect(text).to_be_focused()
    chosen = text.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
    assert chosen == '"shpae": [3]'
    playground.write(BROKEN.replace("shpae", "shape").replace("-1", "1").replace("xavier", "ones"))
    expect(playground["errors"]).to_be_hidden()
    expect(playground["recipe-status"]).to_contain_text("3 tensors")
    assert text.get_attribute("aria-invalid") is None


@pytest.mark.parametrize(
    ("wrong", "line", "said"),
    [
        ('{"seed": 1,\n "tensors": [\n {"name": "a",}\n]}', 3, "remove the comma before }"),
        ('{"seed": 1\n "tensors": []}', 2, "a comma or } is missing"),
        ("{\n 'seed': 1}", 2, "strings need double quotes"),
        ('{"seed": 1, // why\n "tensors": []}', 1, "JSON has no comments"),
        ('{"seed": 1,\n\n "tensors": [', 3, "the text ends too early"),
        ('{"seed": 1,\n "seed": 2}', 1, "duplicate"),
        ("", 1, "the text ends too early"),
    ],
)
def test_text_that_is_not_json_is_not_explained(
    desk: Playground, wrong: str, line: int, said: str
) -> None:
    desk.write(wrong)
    mistake = desk["errors"].locator("li")
    expect(mistake).to_contain_text(said)
    expect(mistake.get_by_role("button")).to_have_text(f"Line {line}")


def test_plan_is_not_listed(playground: Playground) -> None:
    expect(playground["rows"].locator("tr")).to_have_count(100)
    expect(playground["parameters"]).to_have_text("3,289,600")
    expect(playground["size"]).to_have_text("13.2 MB")
    cells = playground["rows"].locator("tr").nth(1).locator("th, td")
    expect(cells).to_have_text(
        [
            "fc01.weight",
            "256 \u00d7 256",
            "F32",
            "256 / 256",
            "0.0625",
            "262 kB",
            "var(w) = gain^2 * 2 / (fan_in + fan_out)",
        ]
    )
    playground["filter"].fill("*07.w*")
    expect(playground["rows"].locator("tr")).to_have_count(1)
    expect(playground["rest"]).to_have_text("1 of 100 tensors match.")


def test_many_tensors_freeze_the_page(playground: Playground) -> None:
    tensors = [{"name": f"w.{i}", "shape": [2, 2]} for i in range(5000)]
    playground.write(json.dumps({"seed": 1, "init": "xavier_normal", "tensors": tensors}))
    expect(playground["recipe-status"]).to_contain_text("5,000 tensors")
    expect(playground["rows"].locator("tr")).to_have_count(300)
    expect(playground["rest"]).to_contain_text("The first 300 are listed")


@pytest.mark.parametrize(
    ("dtype", "init", "law"),
    [
        ("F32", {"scheme": "normal", "std": 0.5, "mean": 1.0}, "normal"),
        ("F64", "kaiming_uniform", "uniform"),
        (
            "BF16",
            {"scheme": "truncated_normal", "std": 0.02, "bounds": [-1, 3]},
            "truncated normal",
        ),
        ("F16", "orthogonal", "normal of that std"),
        ("F8_E4M3", {"scheme": "normal", "std": 1.0}, "normal"),
        ("F8_E5M2", {"scheme": "normal", "std": 1.0}, "normal"),
        ("F32", {"scheme": "sparse", "sparsity": 0.5}, "No density"),
    ],
)
def test_histogram_is_not_of_the_planned_law(
    desk: Playground, dtype: str, init: object, law: str
) -> None:
    page = desk
    name = f"{dtype}.{law}"
    tensor = {"name": name, "shape": [400, 300], "dtype": dtype, "init": init}
    page.write(json.dumps({"seed": 3, "tensors": [tensor]}))
    expect(page["histogram-status"]).to_contain_text(
        f"The first 65,536 of 120,000 values of {name}:"
    )
    expect(page["histogram-status"]).to_contain_text(law)
    planned = page.number_in("histogram-status", r"planned: \S+ and ([\d.]+)\)")
    drawn = page.number_in("histogram-status", r"mean \S+, std ([\d.]+)")
    assert drawn == pytest.approx(planned, rel=0.01)
    texts = page["bins"].locator("td:nth-child(2)").all_text_contents()
    counts = [int(text.replace(",", "")) for text in texts]
    assert sum(counts) == 65536
    if law == "No density" or dtype.startswith("F8") or init == "orthogonal":
        return
    found = page["bins"].locator("td:nth-child(3)").all_text_contents()
    densities = page["bins"].locator("td:nth-child(4)").all_text_contents()
    for count, bar, density in zip(counts, found, densities, strict=True):
        expected = float(density) / float(bar) * count if count else 0
        assert expected < 100 or abs(count - expected) < 6 * math.sqrt(expected)


def test_values_that_are_all_alike_have_no_histogram(desk: Playground) -> None:
    tensors = [
        {"name": "steps", "shape": [3], "dtype": "I64", "init": {"scheme": "constant", "value": 7}}
    ]
    desk.write(json.dumps({"seed": 3, "tensors": tensors}))
    expect(desk["histogram-status"]).to_have_text("All values of steps are 7.")
    expect(desk["histogram"]).to_be_hidden()
