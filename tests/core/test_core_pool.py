"""Work shared among processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tutelage.core.errors import InputError, TutelageError
from tutelage.core.files import short_hash
from tutelage.core.pool import results


def test_results_come_in_the_order_of_the_tasks() -> None:
    tasks = [f"task {number}" for number in range(40)]
    shared, alone = (list(results(short_hash, tasks, processes, setting="")) for processes in (3, 1))
    assert shared == alone == [short_hash(task) for task in tasks]


def test_only_a_few_tasks_are_taken_ahead() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[str]:
        for number in range(100):
            taken.append(number)
            yield str(number)

    given = results(short_hash, tasks(), 2, setting="")
    next(given)
    assert len(taken) == 5
    given.close()
    assert len(taken) == 5


def test_an_error_of_ours_is_raised_as_it_is_and_another_one_with_its_trace() -> None:
    with pytest.raises(InputError, match=r"^the similarity threshold is 2"):
        list(results(_near_pairs_of_two, [2.0], 2, setting=""))
    with pytest.raises(TutelageError, match=r"(?s)the work failed in a process of its own:.*TypeError: expected str, bytes or os.PathLike"):
        list(results(os.fspath, [3], 2, setting=""))


def _near_pairs_of_two(threshold: float) -> None:
    from tutelage.text.similarity import near_pairs

    near_pairs(["a"], ["en"], threshold)


def test_a_process_that_is_killed_is_an_error_and_the_others_are_ended() -> None:
    before = _children()
    with pytest.raises(TutelageError, match=r"ended in the middle of it \(exit code 3;.*documents.processes: 1"):
        list(results(os._exit, [3, 3, 3], 2, setting="documents.processes"))
    deadline = time.monotonic() + 10
    while _children() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _children() - before == set()


def _children() -> set[str]:
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if "pool import serve" in line}


def test_what_a_task_prints_does_not_disturb_the_results() -> None:
    assert list(results(print, ["noise", "more noise"], 2, setting="")) == [None, None]


UNGUARDED = """
from tutelage.core.files import short_hash
from tutelage.core.pool import results
print(*results(short_hash, ["a", "b"], 2, setting=""))
"""


@pytest.mark.parametrize("how", [["-c", UNGUARDED], ["-"]])
def test_a_program_without_a_guard_or_a_file_can_share_work(how: list[str]) -> None:
    done = subprocess.run([sys.executable, *how], input=UNGUARDED, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{short_hash('a')} {short_hash('b')}\n", "")
