"""huggingface_hub, unchanged but for ``HF_ENDPOINT``: files, listings, errors, the cache."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import service
from tests.hub.support import LLAMA, PLAIN, answer, needs, put
from tests.support import file_of, plan_of
from tools.live import LiveServer

REPO = "acme/tiny-llama"
PARAMETERS = plan_of(LLAMA).total_parameters


@pytest.fixture(autouse=True)
def _is_installed() -> None:
    needs("huggingface_hub")


def sha256_of(recipe: Any, **members: Any) -> str:
    return hashlib.sha256(file_of(recipe | members)).hexdigest()


def test_snapshot_is_not_what_is_generated(hub: LiveServer, tmp_path: Path) -> None:
    folder = Path(answer(hub, tmp_path, f"answer = snapshot_download('{REPO}')"))
    recipe = service.parse(json.dumps(LLAMA))
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "recipe.json",
    }
    assert (folder / "model.safetensors").read_bytes() == file_of(LLAMA)
    assert (folder / "recipe.json").read_bytes() == recipe.canonical
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["hidden_size"] == LLAMA["model"]["hidden_size"]
    assert folder.name == f"{recipe.recipe_id[:24]}{0:016x}"


def test_second_snapshot_downloads_again(hub: LiveServer, tmp_path: Path) -> None:
    code = f"""
        folder = snapshot_download('{REPO}', revision='seed-7')
        first, requests[:] = list(requests), []
        again = snapshot_download('{REPO}', revision='seed-7')
        by_name, requests[:] = list(requests), []
        pinned = snapshot_download('{REPO}', revision=Path(folder).name)
        answer = [folder == again == pinned, len(first), by_name, requests]
    """
    same, count, by_name, by_commit = answer(hub, tmp_path, code)
    assert same
    assert count == 2 + 2 * 3  # the commit, its files, and each of them
    assert by_name == [f"GET /api/models/{REPO}/revision/seed-7"]
    assert by_commit == []


def test_revision_is_another_seeds_file(hub: LiveServer, tmp_path: Path) -> None:
    recipe_id = service.parse(json.dumps(LLAMA)).recipe_id
    commit = f"{recipe_id[:24]}{7:016x}"
    asked = ["main", "seed-7", "seed-8", "r1", "r1-seed-7", commit, "seed-0", f"seed-{2**64 - 1}"]
    code = f"""
        answer = []
        for number, revision in enumerate({[*asked, "seed-7"]}):
            again = {{"revision": revision, "cache_dir": str(number)}}
            path = hf_hub_download('{REPO}', 'model.safetensors', **again)
            answer.append(sha256(path))
    """
    seeds = [0, 7, 8, 0, 7, 7, 0, 2**64 - 1, 7]
    expected = {seed: sha256_of(LLAMA, seed=seed) for seed in seeds}
    assert len(set(expected.values())) == 4
    assert answer(hub, tmp_path, code) == [expected[seed] for seed in seeds]


def test_name_that_moves_loses_what_it_meant(hub: LiveServer, tmp_path: Path) -> None:
    before, after = PLAIN | {"seed": 10}, PLAIN | {"seed": 11}
    put(hub, "acme/moves", before)
    first = answer(hub, tmp_path, "answer = HfApi().model_info('acme/moves').sha")
    put(hub, "acme/moves", after)
    code = f"""
        answer = []
        for revision in ["main", "r1", "r2", "{first}", "r1-seed-11"]:
            path = hf_hub_download("acme/moves", "model.safetensors", revision=revision)
            answer.append(sha256(path))
    """
    old, new = sha256_of(before), sha256_of(after)
    assert answer(hub, tmp_path, code) == [new, old, new, old, new]


def test_what_is_missing_raises_another_error(hub: LiveServer, tmp_path: Path) -> None:
    code = f"""
        def error(call, *arguments, **options):
            try:
                return str(call(*arguments, **options))
            except Exception as raised:
                return type(raised).__name__

        api, repo = HfApi(), "{REPO}"
        answer = [
            error(hf_hub_download, "acme/none", "config.json"),
            error(hf_hub_download, repo, "config.json", revision="v1.0"),
            error(hf_hub_download, repo, "config.json", revision="r2"),
            error(hf_hub_download, repo, "config.json", revision="f" * 40),
            error(hf_hub_download, repo, "config.json", revision=f"seed-{{2**64}}"),
            error(hf_hub_download, repo, "pytorch_model.bin"),
            error(hf_hub_download, repo, "folder/config.json"),
            error(snapshot_download, "acme/none"),
            error(snapshot_download, repo, revision="v1.0"),
            error(api.list_repo_files, "nobody/none"),
            error(api.model_info, repo, revision="v1.0"),
            error(lambda: list(api.list_repo_tree(repo, "folder"))),
            error(HfFileSystem().ls, "acme/none"),
        ]
        answer += [api.file_exists(repo, "nothing"), api.file_exists(repo, "config.json")]
        answer += [api.repo_exists("acme/none"), api.repo_exists(repo)]
        answer += [api.revision_exists(repo, "v1.0"), api.revision_exists(repo, "seed-3")]
    """
    names = {
        "repository": "RepositoryNotFoundError",
        "revision": "RevisionNotFoundError",
        "file": "RemoteEntryNotFoundError",
    }
    asked = ["repository", *["revision"] * 4, "file", "file", "repository", "revision"]
    asked += ["repository", "revision", "file"]
    expected = [*(names[each] for each in asked), "FileNotFoundError", *[False, True] * 3]
    assert answer(hub, tmp_path, code) == expected


def test_listing_says_otherwise_than_the_files(hub: LiveServer, tmp_path: Path) -> None:
    code = f"""
        api, repo = HfApi(), "{REPO}"
        info = api.model_info(repo, revision="seed-7", files_metadata=True)
        tree = list(api.list_repo_tree(repo, revision="seed-7", recursive=True, expand=True))
        paths = ["config.json", "nothing", "model.safetensors"]
        some = api.get_paths_info(repo, paths, revision=info.sha, expand=True)
        refs = api.list_repo_refs(repo, include_pull_requests=True)
        folder = Path(snapshot_download(repo, revision="seed-7"))
        answer = dict(
            files=api.list_repo_files(repo, revision="seed-7"),
            sizes={{path.name: path.stat().st_size for path in folder.iterdir()}},
            siblings={{each.rfilename: each.size for each in info.siblings}},
            tree={{each.path: each.size for each in tree}},
            some={{each.path: each.size for each in some}},
            commits=sorted({{each.last_commit.oid for each in [*tree, *some]}}),
            main=[api.model_info(repo).sha, refs.branches[0].target_commit, refs.branches[0].name],
            others=[refs.tags, refs.converts, refs.pull_requests],
            info=[info.sha, info.id, info.private, info.gated, info.safetensors.total],
        )
    """
    made = answer(hub, tmp_path, code)
    sizes = made["sizes"]
    assert sizes["model.safetensors"] == len(file_of(LLAMA))
    assert sorted(made["files"]) == sorted(sizes)
    assert made["siblings"] == made["tree"] == sizes
    assert made["some"] == {name: sizes[name] for name in ("config.json", "model.safetensors")}
    recipe_id = service.parse(json.dumps(LLAMA)).recipe_id
    commit, main = (f"{recipe_id[:24]}{seed:016x}" for seed in (7, 0))
    assert made["commits"] == [commit]
    assert made["main"] == [main, main, "main"]
    assert made["others"] == [[], [], []]
    assert made["info"] == [commit, REPO, False, False, PARAMETERS]


def test_file_system_reads_other_bytes(hub: LiveServer, tmp_path: Path) -> None:
    code = f"""
        files, repo = HfFileSystem(), "{REPO}"
        path = repo + "@seed-7/model.safetensors"
        with files.open(path, block_size=1000) as file:
            file.seek(5001)
            middle = file.read(3003)
            file.seek(-17, 2)
            end = file.read()
        with files.open(path, block_size=0) as stream:
            start = stream.read(99)
        answer = dict(
            names=sorted(files.ls(repo, detail=False)),
            found=files.glob(repo + "@seed-7/*.safetensors"),
            file=files.ls(repo + "/config.json")[0]["type"],
            exists=[files.exists(path), files.isdir(repo), files.isfile(repo + "/nothing")],
            pieces=[piece.hex() for piece in (start, middle, end)],
            whole=hashlib.sha256(files.cat_file(path)).hexdigest(),
        )
    """
    made, whole = answer(hub, tmp_path, code), file_of(LLAMA | {"seed": 7})
    files = ["config.json", "model.safetensors", "recipe.json"]
    assert made["names"] == [f"{REPO}/{name}" for name in files]
    assert made["found"] == [f"{REPO}@seed-7/model.safetensors"]
    assert made["file"] == "file"
    assert made["exists"] == [True, True, False]
    pieces = [whole[:99], whole[5001:8004], whole[-17:]]
    assert made["pieces"] == [piece.hex() for piece in pieces]
    assert made["whole"] == hashlib.sha256(whole).hexdigest()


def test_broken_download_resumes_as_another_file(hub: LiveServer, tmp_path: Path) -> None:
    code = f"""
        from huggingface_hub.file_download import http_get
        url = huggingface_hub.hf_hub_url("{REPO}", "model.safetensors", revision="seed-7")
        whole = Path(hf_hub_download("{REPO}", "model.safetensors", revision="seed-7"))
        answer = []
        for start in (0, 1, 2001, whole.stat().st_size - 1):
            with open("part", "wb") as part:
                part.write(whole.read_bytes()[:start])
                http_get(url, part, resume_size=start, expected_size=whole.stat().st_size)
            answer.append(sha256("part"))
    """
    assert answer(hub, tmp_path, code) == [sha256_of(LLAMA, seed=7)] * 4


def test_safetensors_metadata_miscounts(hub: LiveServer, tmp_path: Path) -> None:
    code = f"""
        made = HfApi().get_safetensors_metadata("{REPO}", revision="seed-7")
        answer = [made.sharded, made.parameter_count, len(made.weight_map)]
    """
    tensors = len(plan_of(LLAMA).tensors)
    assert answer(hub, tmp_path, code) == [False, {"F32": PARAMETERS}, tensors]


def test_shards_hold_other_tensors(sharding: LiveServer, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    code = """
        made = HfApi().get_safetensors_metadata("acme/sharded")
        folder = snapshot_download("acme/sharded", revision="seed-3")
        answer = [folder, made.sharded, made.parameter_count, made.weight_map]
    """
    folder, is_sharded, counts, where = answer(sharding, tmp_path, code)
    recipe = json.loads((Path(folder) / "recipe.json").read_text("utf-8"))
    plan = plan_of(recipe | {"seed": 3})
    assert is_sharded
    assert counts == {"F32": plan.total_parameters}
    index = json.loads((Path(folder) / "model.safetensors.index.json").read_text("utf-8"))
    assert index["weight_map"] == where
    assert index["metadata"]["total_size"] == plan.nbytes - len(plan.header)
    files = sorted(Path(folder).glob("*.safetensors"))
    assert len(files) > 2
    assert files[0].name == f"model-00001-of-{len(files):05}.safetensors"
    assert max(path.stat().st_size for path in files) <= 1_000_000
    wanted = service.generate(plan)
    got: dict[str, Any] = {}
    for path in files:
        tensors = safetensors.load_file(path)
        assert {name for name, file in where.items() if file == path.name} == set(tensors)
        got |= tensors
    assert set(got) == set(wanted)
    assert all(np.array_equal(got[name], wanted[name]) for name in wanted)
