"""What runs short while a training runs: memory, which is told from other errors, and the disk, which is told to a person."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tutelage.core.errors import InputError, TutelageError
from tutelage.core.records import Record
from tutelage.training.checkpoint import NAME, step_of

MEMORY_SIGNS = ("can't allocate memory", "not enough memory", "DefaultCPUAllocator", "out of memory")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_SIGNS = tuple(os.strerror(number) for number in DISK_FULL)


class Shrunk(Record):
    """Memory ran out in a step (the first is 1): at most `after` tokens are computed at once since, `before` they were more."""

    step: int
    before: int
    after: int


class MemoryShort(Exception):
    """Memory ran out in one of several processes. The others wait for it in an exchange, so all must begin anew."""

    def __init__(self, shrunk: Shrunk) -> None:
        super().__init__(f"step {shrunk.step}: {shrunk.before} tokens at once are too many")
        self.shrunk = shrunk


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, of the processor or of a GPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in MEMORY_SIGNS))


def free_memory() -> None:
    """Give back what a failed computation left behind."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that the disk, a quota or a largest file size is used up."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in DISK_FULL) or any(sign in str(error) for sign in DISK_SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def disk_told(folder: Path, scratch: Path) -> Iterator[None]:
    """Context in which a full disk is raised as InputError, with what is kept in `scratch`. Other errors pass as they are."""
    try:
        yield
    except TutelageError:
        raise
    except Exception as error:
        if not is_disk_full(error):
            raise
        path = scratch / NAME
        kept = f"The checkpoint after step {step_of(path)} is kept" if path.exists() else "No checkpoint was written yet"
        raise InputError(f"training: the disk of {folder} is full ({' '.join(str(error).split())}). {kept}, and nothing half-written. Make "
                         "room there, or give another folder by --work, and run the same command again to go on.") from error
