"""Documents that are not recipes: each error has a JSON Pointer and says what is valid."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import service
from service import InvalidRecipe, TensorseedError, parse
from tests.support import problems_of, recipe_of, tensor


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"sed": 1}, "/sed", "did you mean seed?"),
        ({"seed": None}, "/seed", "valid integer"),
        ({"seed": -1}, "/seed", "greater than or equal to 0"),
        ({"seed": 2**64}, "/seed", "less than 18446744073709551616"),
        ({"seed": 1.0}, "/seed", "valid integer"),
        ({"seed": True}, "/seed", "valid integer"),
        ({"seed": "01"}, "/seed", "no leading zero"),
        ({"seed": "+1"}, "/seed", "no sign"),
        ({"seed": str(2**64)}, "/seed", "less than"),
        ({"seed": "\u0661"}, "/seed", "decimal digits"),
        ({"dtype": "I64"}, "/dtype", "F8_E5M2"),
        ({"dtype": "float32"}, "/dtype", "'F32'"),
        ({"generator": "v2"}, "/generator", "'v1'"),
        ({"init": "kaimng"}, "/init", "did you mean kaiming?"),
        ({"init": "octagonal"}, "/init", "valid are"),
        ({"init": 3}, "/init", "a name, or an object"),
        ({"init": {"std": 1}}, "/init", "must name its scheme"),
        ({"init": {"scheme": "xavier_uniform"}}, "/init", "is short for"),
        ({"init": {"scheme": "constant", "constant": 5}}, "/init/value", "constant needs value"),
        ({"init": {"scheme": "normal", "normal": {}}}, "/init/normal", "unknown key normal"),
        ({"init": "lsuv"}, "/init", "POST /v1/calibrate"),
        ({"init": {"scheme": "truncated_normal", "std": 1, "bounds": [1]}}, "/init/bounds", "few"),
        ({"init": {"scheme": "xavier", "gian": 1}}, "/init/gian", "did you mean gain?"),
        ({"init": {"scheme": "normal", "std": -1}}, "/init/std", "greater than or equal to 0"),
        ({"init": {"scheme": "normal"}}, "/init/std", "normal needs std"),
        ({"init": "uniform"}, "/init", "uniform needs"),
        ({"init": {"scheme": "normal", "std": "1"}}, "/init/std", "valid number"),
        ({"init": {"scheme": "normal", "std": True}}, "/init/std", "valid number"),
        ({"init": {"scheme": "normal", "std": 2**53}}, "/init/std", "2^53 - 1"),
        ({"init": {"scheme": "xavier", "gain": 0}}, "/init/gain", "greater than 0"),
        ({"init": {"scheme": "dirac", "groups": 0}}, "/init/groups", "greater than or equal to 1"),
        ({"init": {"scheme": "kaiming", "mode": "fanin"}}, "/init/mode", "'fan_in'"),
        ({"tensors": {}}, "/tensors", "valid array"),
        ({"layers": {}}, "/layers", "valid array"),
        ({"model": []}, "/model", "an object"),
        ({"metadata": {"a": 1}}, "/metadata/a", "valid string"),
        ({"rules": [{"match": "*"}]}, "/rules/0", "must set init, dtype or fan"),
        ({"rules": [{"match": "*", "dtype": "I64"}]}, "/rules/0/dtype", "'F32'"),
        ({"include": "*"}, "/include", "valid array"),
    ],
    ids=str,
)
def test_wrong_member_is_taken(change: dict[str, Any], pointer: str, message: str) -> None:
    found = problems_of({**recipe_of(tensor()), **change})
    assert pointer in found
    assert message in found[pointer]


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"shpae": [1]}, "/tensors/0/shpae", "did you mean shape?"),
        ({"shape": [True]}, "/tensors/0/shape/0", "valid integer"),
        ({"shape": ["2"]}, "/tensors/0/shape/0", "valid integer"),
        ({"shape": [2.0]}, "/tensors/0/shape/0", "valid integer"),
        ({"shape": [-1]}, "/tensors/0/shape/0", "greater than or equal to 0"),
        ({"shape": [2**53]}, "/tensors/0/shape/0", "9007199254740991"),
        ({"shape": 3}, "/tensors/0/shape", "valid array"),
        ({"name": 3}, "/tensors/0/name", "valid string"),
        ({"dtype": "F31"}, "/tensors/0/dtype", "'I64'"),
        ({"layout": "oihw"}, "/tensors/0/layout", "[A-Z]"),
        ({"fan": {"in": 1}}, "/tensors/0/fan/out", "required"),
        ({"fan": {"fan_in": 1, "out": 1}}, "/tensors/0/fan/fan_in", "unknown key"),
        ({"parts": {"axis": 0, "of": [{"sise": 7}]}}, "/tensors/0/parts/of/0/sise", "size?"),
        ({"slice": [[0]]}, "/tensors/0/slice/0", ""),
        ({"slice": [[-1, 2]]}, "/tensors/0/slice/0/0", "greater than or equal to 0"),
        ({"draw": {"nam": "x"}}, "/tensors/0/draw/nam", "did you mean name?"),
    ],
    ids=str,
)
def test_wrong_tensor_member_is_taken(change: dict[str, Any], pointer: str, message: str) -> None:
    found = problems_of(recipe_of({**tensor(), **change}))
    assert any(place.startswith(pointer) for place in found)
    assert any(message in detail for detail in found.values())


def test_number_past_float64_is_taken() -> None:
    text = '{"seed":1,"init":{"scheme":"normal","std":1e999},"tensors":[]}'
    with pytest.raises(InvalidRecipe, match="finite number"):
        parse(text)


@pytest.mark.parametrize("missing", ["seed", "tensors"])
def test_required_member_may_be_left_out(missing: str) -> None:
    recipe = recipe_of(tensor())
    del recipe[missing]
    message = {"seed": "seed is required"}.get(missing, "the recipe has no tensors: state tensors")
    found = problems_of(recipe)
    assert found.keys() == {f"/{missing}"}
    assert found[f"/{missing}"].startswith(message)


def test_more_errors_are_reported_than_the_limit() -> None:
    recipe = recipe_of(*(tensor(shape=[-1], name=f"w{i}") for i in range(100)))
    assert len(problems_of(recipe)) == 20
    assert len(problems_of(recipe, max_errors=3)) == 3


def test_error_repeats_a_long_input() -> None:
    found = problems_of({**recipe_of(tensor()), "x" * 10_000: 1, "dtype": "y" * 10_000})
    assert all(len(pointer) < 200 and len(detail) < 600 for pointer, detail in found.items())


@pytest.mark.parametrize("seed", [0, 2**53, 2**64 - 1])
def test_seed_as_text_is_another_recipe(seed: int) -> None:
    a, b = parse(recipe_of(tensor(), seed=seed)), parse(recipe_of(tensor(), seed=str(seed)))
    assert a == b
    assert a.recipe_id == b.recipe_id


@pytest.mark.parametrize("number", ["9007199254740992.0", "1e20", "-123456789012345678e3"])
def test_real_that_canonicalises_to_a_large_integer_is_taken(number: str) -> None:
    text = f'{{"seed":1,"init":{{"scheme":"constant","value":{number}}},"tensors":[]}}'
    with pytest.raises(InvalidRecipe, match=r"/init/value: .*2\^53 - 1"):
        parse(text)
    parse(text.replace(number, "1e21"))


def test_errors_of_two_kinds_hide_each_other() -> None:
    recipe = recipe_of(tensor({"scheme": "normal", "std": 2**53}), tensor(shape=[-1], name="v"))
    assert set(problems_of(recipe)) == {"/tensors/0/init/std", "/tensors/1/shape/0"}


def test_sixteen_mebibytes_of_errors_take_gigabytes() -> None:
    """Under a limit of 3 GB of address space, each is refused and none runs out of memory."""
    script = (
        "import resource, service\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        'part = \'{"size":0,"init":"kaiming_unifor"}\'\n'
        "for item in ('{}', '0', '[]'):\n"
        "    text = '{\"seed\":1,\"tensors\":[' + ','.join([item] * (5 << 20)) + ']}'\n"
        "    try: service.parse(text)\n"
        "    except service.InvalidRecipe: print('refused')\n"
        "text = ','.join([part] * 400_000)\n"
        'text = \'{"seed":1,"tensors":[{"name":"w","shape":[1],"parts":\''
        " '{\"axis\":0,\"of\":[' + text + ']}}]}'\n"
        "try: service.parse(text)\n"
        "except service.InvalidRecipe: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each reserves address space
    )
    assert done.stdout.split() == ["refused"] * 4, done.stderr


def test_defaults_or_spelling_change_the_recipe_id() -> None:
    short = parse('{"seed":1,"tensors":[{"name":"w","shape":[2,2],"init":"he_normal"}]}')
    long = parse(
        '{"tensors":[{"parts":null,"init":{"mode":"fan_in","negative_slope":-0.0,"scheme":"he",'
        '"distribution":"normal"},"shape":[2,2],"name":"w"}],"rules":[],"metadata":{},'
        '"generator":"v1","dtype":"F32","seed":"1"}'
    )
    assert short.canonical == long.canonical
    assert short.recipe_id == long.recipe_id
    assert short.canonical == (
        b'{"seed":"1","tensors":[{"init":{"scheme":"kaiming"},"name":"w","shape":[2,2]}]}'
    )


def test_canonical_form_is_another_recipe() -> None:
    recipe = parse(
        recipe_of(
            tensor({"scheme": "truncated_normal", "std": 1e-7, "bounds": [-3, 1e21]}),
            tensor("msra", [4, 4], "v", fan={"in": 3, "out": 4}, slice=[[0, 2], None]),
            rules=[{"match": "v", "dtype": "BF16"}],
            metadata={"é": "ü"},
        )
    )
    again = parse(recipe.canonical)
    assert again == recipe
    assert again.canonical == recipe.canonical


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["seed", "tensors", "name", "shape", "init", "scheme", "normal", "std", "parts", "axis", "of",
     "size", "fan", "in", "out", "slice", "layout", "OI", "rules", "match", "*", "dtype", "I64"]
)  # fmt: skip
SHAPED = st.recursive(
    JSON | WORDS | st.integers(0, 4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@given(SHAPED | st.fixed_dictionaries({"seed": SHAPED, "tensors": st.lists(SHAPED, max_size=3)}))
def test_document_breaks_the_parser(document: Any) -> None:
    """Any document gives a plan or a TensorseedError."""
    try:
        service.compile(parse(json.dumps(document)))
    except TensorseedError:
        return


@given(st.binary(max_size=64))
def test_bytes_break_the_parser(text: bytes) -> None:
    with pytest.raises(TensorseedError):
        parse(text)
