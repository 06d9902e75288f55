"""The curves: why a network does not train, and which scheme would make it train."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.playground import PATIENCE, Playground


def test_stranger_does_not_see_why_xavier_fails(playground: Playground) -> None:
    expect(playground.badge).to_have_text("Does not train")
    expect(playground["verdict-summary"]).to_contain_text("10^14.")
    expect(playground["why"]).to_contain_text("multiplied by 0.5 at every layer")
    assert "does not start to train" in (playground["chart"].get_attribute("aria-label") or "")
    own = playground.curve("this recipe, theory")
    assert len(own) == 50
    assert own[-1] == 0
    assert own[0] == pytest.approx(-14.8, abs=0.1)
    assert own == sorted(own)
    assert playground.curve("kaiming_normal, theory") == [0] * 50
    assert playground["chart"].locator("canvas").count() == 1


def test_recommended_scheme_is_not_written_into_the_recipe(playground: Playground) -> None:
    playground["use"].click()
    expect(playground.badge).to_have_text("Trains")
    expect(playground["use"]).to_be_hidden()
    assert json.loads(playground.recipe)["init"] == {"scheme": "kaiming"}
    assert playground.curve("this recipe, theory") == [0] * 50
    playground["undo"].click()
    expect(playground.badge).to_have_text("Does not train")


def test_scheme_is_offered_to_a_model_that_it_would_not_reach(playground: Playground) -> None:
    rules = [{"match": "*h.5.mlp.c_proj.weight", "init": {"scheme": "normal", "std": 30.0}}]
    model = {"model_type": "gpt2", "n_layer": 6, "n_embd": 64, "n_head": 4, "vocab_size": 100}
    playground.write(json.dumps({"seed": 1, "model": model, "rules": rules}))
    expect(playground["verdict-summary"]).not_to_contain_text("10^14.")
    expect(playground.badge).to_have_text("Does not train")
    expect(playground["use"]).to_be_hidden()


def test_curve_stays_where_it_was_when_the_scheme_changes(playground: Playground) -> None:
    before = playground.curve("this recipe, theory")
    playground.page.get_by_label("Scheme").select_option("normal, std 0.02")
    expect(playground["verdict-summary"]).not_to_contain_text("10^14.")
    assert '"std": 0.02' in playground.recipe
    after = playground.curve("this recipe, theory")
    assert after[0] < before[0] - 10
    playground.view("Signal")
    assert playground.curve("this recipe, theory")[-1] < -40
    expect(playground["numbers-caption"]).to_contain_text("variance")


def test_schemes_are_not_laid_over_each_other(playground: Playground) -> None:
    playground.page.get_by_role("checkbox", name="orthogonal").check()
    line = playground["schemes"].locator("label", has_text="orthogonal")
    expect(line).to_contain_text("does not train")
    assert playground.curve("orthogonal, theory")[0] < -14
    playground.page.get_by_role("checkbox", name="kaiming_normal").uncheck()
    heads = playground["numbers"].locator("thead th")
    expect(heads).to_have_text(["layer", "name", "this recipe, theory", "orthogonal, theory"])


def test_measured_points_are_not_near_the_line(playground: Playground) -> None:
    playground["measure"].click()
    expect(playground["note"]).to_contain_text("64 examples", timeout=3 * PATIENCE)
    theory = playground.curve("this recipe, theory")
    measured = playground.curve("this recipe, measured")
    assert measured[0] == pytest.approx(theory[0], abs=2)
    playground.view("Dead and saturated")
    dead = playground.curve("this recipe, measured dead")
    assert all(0 <= share <= 1 for share in dead)


def test_curves_vanish_where_measuring_costs_too_much(playground: Playground) -> None:
    playground.begin("20 convolutions")
    playground.page.get_by_label("Image size").fill("64, 64")
    playground.page.get_by_label("Image size").blur()
    playground["measure"].click()
    expect(playground["note"]).to_contain_text("Not measured:")
    expect(playground.badge).to_have_text("Trains")
    assert len(playground.curve("this recipe, theory")) == 20


def test_activation_changes_nothing(playground: Playground) -> None:
    playground.page.get_by_label("Activation").select_option("linear")
    expect(playground.badge).to_have_text("Trains")
    playground.page.get_by_label("Activation").select_option("leaky_relu")
    playground.page.get_by_label("Slope below 0").fill("0.9")
    playground.page.get_by_label("Slope below 0").blur()
    expect(playground["why"]).to_contain_text("0.9")


def test_calibration_does_not_reach_the_recipe(playground: Playground) -> None:
    playground.page.get_by_label("Depth").fill("5")
    playground.page.get_by_label("Seed").fill("18446744073709551615")
    playground.page.get_by_label("Seed").blur()
    expect(playground["recipe-status"]).to_contain_text("10 tensors")
    playground["calibrate"].click()
    expect(playground["text"]).to_have_value(re.compile('"orthogonal", "gain": 1'))
    recipe = json.loads(playground.recipe)
    assert [layer["init"]["scheme"] for layer in recipe["layers"]] == ["orthogonal"] * 5
    assert int(recipe["seed"]) == 2**64 - 1


def test_recipe_without_a_chain_is_called_wrong(playground: Playground) -> None:
    playground.begin("Llama with muP")
    expect(playground["quiet"]).to_contain_text("Curves need a chain of layers")
    expect(playground["recipe-status"]).to_contain_text("146 tensors")
    expect(playground["errors"]).to_be_hidden()
    expect(playground["curves"]).to_be_hidden()
    assert playground["text"].get_attribute("aria-invalid") is None
    playground.begin("20 convolutions")
    expect(playground.badge).to_have_text("Trains")
    expect(playground.page.get_by_label("Image size")).to_have_value("16,16")
