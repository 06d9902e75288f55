"""Torture, in short: ``make torture`` does the same for longer."""

from tools.torture.__main__ import MARK, PAGE, TESTS
from tools.torture.fuzz import Fuzzer, fuzz
from tools.torture.ranges import ranges
from tools.torture.replicas import resumes
from tools.torture.sizes import sizes
from tools.torture.stalls import stalls, streams


def test_range_is_not_the_slice_of_the_whole() -> None:
    assert ranges(500).holds


def test_terabyte_is_made_before_it_is_asked_for() -> None:
    assert len(sizes()) == 3


def test_download_whose_server_is_killed_ends_in_another_file() -> None:
    assert resumes(3).holds


def test_fuzzed_request_breaks_the_server() -> None:
    figure = fuzz(2_000, seed=7)
    assert figure.holds, figure


def test_fuzzer_makes_other_requests_the_next_time() -> None:
    one, other = Fuzzer(3), Fuzzer(3)
    assert [one.request() for _ in range(200)] == [other.request() for _ in range(200)]


def test_stalled_readers_take_memory_or_health() -> None:
    memory, _ = stalls(50)
    assert memory.holds


def test_bodies_that_stream_hold_up_health() -> None:
    assert streams(20).holds


def test_page_lacks_what_torture_found() -> None:
    head, mark, table = PAGE.read_text("utf-8").partition(MARK)
    assert head
    assert mark
    assert table.count("| holds |") >= len(TESTS)
    assert "SHORT" not in table
