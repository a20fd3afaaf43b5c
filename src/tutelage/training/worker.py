"""One of the processes that train together: `python -m tutelage.training.worker JOB`, started by torch's launcher."""

from __future__ import annotations

import os
import pickle
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tutelage.core.errors import Paused, TutelageError
from tutelage.core.events import Events, JsonLines
from tutelage.core.files import write_whole
from tutelage.training.devices import Device
from tutelage.training.loop import Loop
from tutelage.training.meeting import STOP
from tutelage.training.objectives import Objective
from tutelage.training.orphan import end_with_starter
from tutelage.training.schedule import highest_rate
from tutelage.training.sharing import TEAMS
from tutelage.training.shortage import MemoryShort, disk_told
from tutelage.training.start import start_model
from tutelage.training.tasks import TASKS
from tutelage.training.together import Together
from tutelage.training.workers import DONE, TOLD, Done, Failed, Job, failed_file, short_file

SILENCE = timedelta(minutes=10)  # longest wait for another process: much longer than a step or a measurement differs among them


def main(file: str) -> int:
    """Train as one of several. Gives the exit code: 0 also where all pause, 1 after an error, which is written down."""
    end_with_starter()
    found: Job = pickle.loads(Path(file).read_bytes())
    job = found.seen_from(Path(file).parent)
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    has_gpus = torch.cuda.is_available()
    if has_gpus:
        torch.cuda.set_device(local)
    torch.set_num_threads(job.threads)
    dist.init_process_group("nccl" if has_gpus else "gloo", timeout=SILENCE)
    try:
        with disk_told(job.work, job.scratch):
            train(job, rank, on_gpu=has_gpus)
        return 0
    except TutelageError as error:
        write_whole(job.scratch / failed_file(rank), Failed(kind=type(error).__name__, text=str(error)).model_dump_json())
        return 0 if isinstance(error, Paused) else 1
    except MemoryShort as error:
        write_whole(job.scratch / short_file(rank), error.shrunk.model_dump_json())
        return 1
    finally:
        dist.destroy_process_group()


def train(job: Job, rank: int, *, on_gpu: bool) -> None:
    """Train to the end. Only the first process writes the checkpoint and tells."""
    events = Events(JsonLines(job.scratch / TOLD)) if rank == 0 else Events()
    team = make_team(job, rank, on_gpu=on_gpu)
    Loop(model=team.model, objective=team.objective, train=job.ready.train, validation=job.ready.validation, settings=job.settings,
         scratch=job.scratch, events=events, origin=job.origin, team=team, shrunk=job.shrunk).run()
    if rank == 0:
        write_whole(job.scratch / DONE, Done(unit=team.objective.unit, path=team.objective.path).model_dump_json())


def make_team(job: Job, rank: int, *, on_gpu: bool) -> Together[Any]:
    """The model as it stands before the first step, the same in each process, and its share of the work."""
    settings, own = job.settings, job.scratch / f"process-{rank}"
    own.mkdir(exist_ok=True)
    kind = TEAMS[job.sharing]
    name = "cuda" if on_gpu and kind.loads_on_gpu else "cpu"  # weights to be sharded go to the GPU layer by layer
    device = Device(name, torch.bfloat16 if on_gpu else torch.float32, job.threads)
    model = start_model(settings, job.ready, folder=job.base_folder, device=device)

    def objective() -> Objective[Any]:
        made: Objective[Any] = TASKS[settings.task].objective(model, settings, ready=job.ready, base_folder=job.base_folder, scratch=own,
                                                              plain=kind.plain)
        return made

    return kind(model, objective, rate=highest_rate(settings), stop_file=job.scratch / STOP)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
