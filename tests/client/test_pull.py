"""Pulling: the right bytes or an error, and never an incomplete file under its final name."""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

import service
from service.checkpoint.files import INDEX, WEIGHTS, Cut, checkpoint
from service.checkpoint.save import save_checkpoint
from service.client.listing import Reference, listing
from service.client.pull import RECORD, fetch
from service.client.remote import Remote
from service.errors import RemoteError
from tests.client.faulty import (
    COMMIT,
    NAME,
    Answer,
    Fault,
    Faulty,
    cut,
    digest_of,
    etag_of,
    faulty,
    responding,
    with_headers,
)
from tests.support import recipe_of, tensor

RECIPE = recipe_of(*(tensor(shape=[100, 100], name=f"t{i}") for i in range(4)))
SIZE = 163_000


def save(folder: Path, shard_size: str = "5GB", seed: int = 0) -> Path:
    recipe = service.parse(RECIPE | {"seed": seed})
    made = checkpoint(
        recipe,
        service.compile(recipe),
        Cut.model_validate({"shard_size": shard_size}),
        service.Limits(),
    )
    save_checkpoint(made, folder)
    return folder


@pytest.fixture
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with faulty(save(tmp_path_factory.mktemp("one"))) as server:
        yield server


@pytest.fixture
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with faulty(save(tmp_path_factory.mktemp("four"), "40000")) as server:
        yield server


def pulled(server: Faulty, folder: Path, source: str = NAME) -> list[float]:
    """Pull, and return the seconds of each wait."""
    waits: list[float] = []
    with Remote(server.url, waits.append) as remote:
        found = listing(remote, Reference.of(source))
        seen: list[int] = []
        fetch(remote, found, folder, seen.append)
    assert sum(seen) == found.nbytes
    return waits


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def hidden(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(".")}


def check_same(server: Faulty, folder: Path) -> None:
    assert visible(folder) == visible(server.folder)
    for name in visible(folder):
        assert (folder / name).read_bytes() == (server.folder / name).read_bytes()
    assert hidden(folder) == {RECORD}


def nothing(_: Answer) -> None:
    return None


def test_pulled_files_are_not_the_services(one: Faulty, four: Faulty, tmp_path: Path) -> None:
    for server in (one, four):
        assert pulled(server, tmp_path / server.folder.name) == []
        check_same(server, tmp_path / server.folder.name)
    recipe_id = hashlib.sha256((one.folder / "recipe.json").read_bytes()).hexdigest()
    pulled(one, tmp_path / "by-id", recipe_id)
    check_same(one, tmp_path / "by-id")


def test_name_that_moves_gives_a_mixture(four: Faulty, tmp_path: Path) -> None:
    pulled(four, tmp_path / "out", f"{NAME}@r3")
    first, *rest = four.requests
    assert first.path == f"/{NAME}/resolve/r3/recipe.json"
    assert all(request.path.startswith(f"/{NAME}/resolve/{COMMIT}/") for request in rest)


def test_cut_connection_loses_or_repeats_bytes(one: Faulty, tmp_path: Path) -> None:
    one.faults = [cut(70_000), nothing, cut(1), cut(0)]
    waits = pulled(one, tmp_path)
    check_same(one, tmp_path)
    first, lost, second, third, last = one.downloads()
    assert (first.start, lost.start, third.start, last.start) == (0, 70_000, 70_001, 70_001)
    assert second.headers["If-Range"] == etag_of((one.folder / WEIGHTS).read_bytes())
    assert [0.25 <= w <= 2 for w in waits] == [True] * 4
    assert waits[2] <= 0.5  # the attempt before it made progress, which resets the backoff


def test_service_without_ranges_gives_bytes_twice(one: Faulty, tmp_path: Path) -> None:
    whole = (one.folder / WEIGHTS).read_bytes()
    full = Answer(200, {"ETag": etag_of(whole), "Content-Length": str(len(whole))}, whole)
    one.faults = [cut(70_000), lambda _: full]
    pulled(one, tmp_path)
    check_same(one, tmp_path)


def test_service_that_sends_the_same_piece_is_asked_forever(one: Faulty, tmp_path: Path) -> None:
    whole = (one.folder / WEIGHTS).read_bytes()
    piece = Answer(200, {"ETag": etag_of(whole), "Content-Length": str(len(whole))}, whole[:9])
    one.faults = [lambda _: piece] * 20
    with pytest.raises(RemoteError):
        pulled(one, tmp_path)
    assert len(one.downloads()) == 7


def test_pull_that_ended_starts_over(one: Faulty, tmp_path: Path) -> None:
    one.faults = [cut(90_000), *[nothing] * 6]
    with pytest.raises(RemoteError, match="disconnected"):
        pulled(one, tmp_path)
    assert visible(tmp_path) == set()
    one.requests.clear()
    pulled(one, tmp_path)
    assert [request.start for request in one.downloads()] == [90_000]
    check_same(one, tmp_path)


def test_part_of_another_file_is_continued(one: Faulty, tmp_path: Path) -> None:
    one.faults = [cut(90_000), *[nothing] * 6]
    with pytest.raises(RemoteError):
        pulled(one, tmp_path)
    save(one.folder, seed=1)
    pulled(one, tmp_path)
    check_same(one, tmp_path)


def test_part_that_is_too_long_is_kept(one: Faulty, tmp_path: Path) -> None:
    one.faults = [cut(90_000), *[nothing] * 6]
    with pytest.raises(RemoteError):
        pulled(one, tmp_path)
    (part,) = tmp_path.iterdir()
    part.write_bytes(bytes(SIZE * 2))
    pulled(one, tmp_path)
    check_same(one, tmp_path)


def test_shard_that_came_is_asked_for_again(four: Faulty, tmp_path: Path) -> None:
    four.faults = [with_headers(), with_headers(), *[nothing] * 7]
    with pytest.raises(RemoteError):
        pulled(four, tmp_path)
    assert visible(tmp_path) == {f"model-0000{i}-of-00004.safetensors" for i in (1, 2)}
    four.requests.clear()
    pulled(four, tmp_path)
    assert [request.path.rpartition("/")[2][10] for request in four.downloads()] == ["3", "4"]
    check_same(four, tmp_path)
    four.requests.clear()
    pulled(four, tmp_path)
    assert four.downloads() == []
    (tmp_path / "model-00002-of-00004.safetensors").write_bytes(b"changed")
    pulled(four, tmp_path)
    check_same(four, tmp_path)


def test_record_that_is_damaged_ends_the_pull(four: Faulty, tmp_path: Path) -> None:
    for text in (b"[]", b"{", b"\xff", b'{"model-00001-of-00004.safetensors": 1}', b"[" * 100_000):
        (tmp_path / RECORD).write_bytes(text)
        pulled(four, tmp_path)
        check_same(four, tmp_path)


def test_old_index_speaks_of_new_shards(four: Faulty, tmp_path: Path) -> None:
    pulled(four, tmp_path)
    save(four.folder, "40000", seed=1)
    four.faults = [with_headers(), *[nothing] * 7]
    with pytest.raises(RemoteError):
        pulled(four, tmp_path)
    assert INDEX not in visible(tmp_path)
    pulled(four, tmp_path)
    check_same(four, tmp_path)


def test_weights_of_another_cut_are_left_beside(one: Faulty, four: Faulty, tmp_path: Path) -> None:
    pulled(one, tmp_path / "out")
    with pytest.raises(FileExistsError, match=r"another checkpoint, model\.safetensors:"):
        pulled(four, tmp_path / "out")
    check_same(one, tmp_path / "out")
    pulled(four, tmp_path / "other")
    with pytest.raises(FileExistsError, match=r"of-00004\.safetensors and 2 more: "):
        pulled(one, tmp_path / "other")


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_busy_service_is_given_up(status: int, one: Faulty, tmp_path: Path) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    one.faults = [responding(status, Retry_After=after) for after in ("7", "0", date, "soon")]
    waits = pulled(one, tmp_path)
    assert waits[:2] == [7, 0]
    assert 90 < waits[2] <= 100
    assert 0 < waits[3] <= 4
    check_same(one, tmp_path)


def test_service_that_wants_hours_is_waited_for(one: Faulty, tmp_path: Path) -> None:
    one.faults = [responding(503, Retry_After="3600")]
    with pytest.raises(RemoteError, match="503 Service Unavailable"):
        pulled(one, tmp_path)
    assert len(one.downloads()) == 1


def test_wrong_url_is_tried_again(one: Faulty, tmp_path: Path) -> None:
    one.server_close()
    waits: list[float] = []
    with Remote(one.url, waits.append) as remote, pytest.raises(RemoteError, match="refused"):
        listing(remote, Reference.of(NAME))
    assert waits == []


def test_file_that_changes_is_mixed_with_the_old(one: Faulty, tmp_path: Path) -> None:
    def change(answer: Answer) -> None:
        save(one.folder, seed=1)

    one.faults = [cut(70_000), change]
    with pytest.raises(RemoteError, match="pull again"):
        pulled(one, tmp_path)
    assert visible(tmp_path) == set()
    pulled(one, tmp_path)
    check_same(one, tmp_path)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (with_headers(ETag='"other"'), "pull again"),
        (lambda a: a._replace(headers={"Content-Length": a.headers["Content-Length"]}), "again"),
        (with_headers(Content_Length="7"), "announced 7 bytes"),
        (with_headers(Content_Length=str(2 * SIZE)), "bytes"),
        (with_headers(Content_Encoding="gzip"), "compressed"),
        (lambda a: a._replace(status=206), "206"),
        (lambda a: a._replace(status=204, body=b""), "204"),
        (responding(301, Location="/elsewhere"), "404"),
        (responding(404), "404 Not Found"),
        (responding(500), "500 Internal Server Error"),
    ],
)
def test_answer_to_something_else_is_taken(
    fault: Fault, said: str, one: Faulty, tmp_path: Path
) -> None:
    one.faults = [fault]
    with pytest.raises(RemoteError, match=said):
        pulled(one, tmp_path)
    assert visible(tmp_path) == set()


def test_body_without_end_fills_the_disk(one: Faulty, tmp_path: Path) -> None:
    def endless(answer: Answer) -> Answer:
        headers = {k: v for k, v in answer.headers.items() if k != "Content-Length"}
        return answer._replace(headers=headers, body=answer.body + b"more")

    one.faults = [endless]
    with pytest.raises(RemoteError, match="longer than announced"):
        pulled(one, tmp_path)
    assert visible(tmp_path) == set()


@pytest.mark.parametrize("sent", ["bytes 0-9/10", "bytes 9-*/*", ""])
def test_other_range_is_taken(sent: str, one: Faulty, tmp_path: Path) -> None:
    one.faults = [cut(70_000), with_headers(Content_Range=sent)]
    with pytest.raises(RemoteError, match="another range"):
        pulled(one, tmp_path)
    assert visible(tmp_path) == set()


def test_wrong_digest_is_kept(one: Faulty, tmp_path: Path) -> None:
    one.head = with_headers(Repr_Digest=digest_of(b"other"))
    with pytest.raises(RemoteError, match="SHA-256"):
        pulled(one, tmp_path)
    assert list(tmp_path.iterdir()) == []
    right = digest_of((one.folder / WEIGHTS).read_bytes())
    one.head = with_headers(Repr_Digest=f"md5=:AAAA:, {right}")
    pulled(one, tmp_path)
    check_same(one, tmp_path)


@pytest.mark.parametrize(
    "headers",
    [{"ETag": 'W/"weak"'}, {"ETag": ""}, {"Content_Length": "x"}, {"X_Repo_Commit": "main"}],
)
def test_service_of_another_kind_is_believed(
    headers: dict[str, str], one: Faulty, tmp_path: Path
) -> None:
    one.head = with_headers(**headers)
    with pytest.raises(RemoteError):
        pulled(one, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../x.safetensors",
        "/tmp/x.safetensors",
        "a/x.safetensors",
        "a\\\\x.safetensors",
        "C:x.safetensors",
        ".x.safetensors",
        ".safetensors",
        "",
        "..",
        "x\\n.safetensors",
        "x\\u0000.safetensors",
        "config.json",
        "train.py",
        "x" * 300 + ".safetensors",
    ],
)
def test_service_writes_where_it_likes(name: str, one: Faulty, tmp_path: Path) -> None:
    (one.folder / INDEX).write_text(f'{{"weight_map": {{"w": "{name}"}}}}')
    with pytest.raises(RemoteError, match="not allowed"):
        pulled(one, tmp_path / "out")
    assert one.downloads() == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "index", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"w": []}}', "[" * 100_000]
)
def test_index_that_is_none_ends_in_a_traceback(index: str, one: Faulty, tmp_path: Path) -> None:
    (one.folder / INDEX).write_text(index)
    with pytest.raises(RemoteError, match="is not an index"):
        pulled(one, tmp_path / "out")


def test_index_of_numbers_ends_in_a_traceback(one: Faulty, tmp_path: Path) -> None:
    (one.folder / INDEX).write_text('{"weight_map": {"w": 1}}')
    with pytest.raises(RemoteError, match="not allowed: 1"):
        pulled(one, tmp_path / "out")


def test_recipe_of_another_id_is_taken(one: Faulty, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="does not match the recipe id"):
        pulled(one, tmp_path, "0" * 64)


def test_two_pulls_write_one_file(one: Faulty, tmp_path: Path) -> None:
    one.faults = [cut(90_000), *[nothing] * 6]
    with pytest.raises(RemoteError):
        pulled(one, tmp_path)
    (part,) = tmp_path.iterdir()
    with part.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RemoteError, match="another process is writing"):
            pulled(one, tmp_path)
    pulled(one, tmp_path)
    check_same(one, tmp_path)


def test_full_disk_leaves_a_visible_part(
    one: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            pulled(one, tmp_path)
    assert visible(tmp_path) == set()
    pulled(one, tmp_path)
    assert len(one.downloads()) == 1
    check_same(one, tmp_path)


@pytest.mark.parametrize(
    "text", ["mlp", "me/", "/mlp", "me/mlp/x", "me/mlp@", "me/mlp@a/b", "../mlp", "a" * 63, ""]
)
def test_source_that_is_none_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("is neither NAMESPACE/NAME")):
        Reference.of(text)
