"""Torture, in short: ``python -m tools.torture`` does the same for longer."""

from tools.torture.ranges import ranges
from tools.torture.replicas import resumes
from tools.torture.sizes import sizes


def test_range_is_not_the_slice_of_the_whole() -> None:
    assert ranges(500).holds


def test_terabyte_is_made_before_it_is_asked_for() -> None:
    assert len(sizes()) == 3


def test_download_whose_server_is_killed_ends_in_another_file() -> None:
    assert resumes(3).holds
