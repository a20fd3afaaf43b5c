"""Several processes for one training: what is refused, how they share the model, what each computes, and how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from training_stage import settings_of

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.training.launch import told_of
from tutelage.training.parallel import NAMES, Machine, count_parameters, decide
from tutelage.training.rows import TrainingRow
from tutelage.training.settings import TOGETHER, Devices, TrainingSettings
from tutelage.training.sharing import TEAMS
from tutelage.training.together import deal

GB = 10**9
FOUR = Machine(gpus=(80 * GB,) * 4, room=None)
CPU = Machine(gpus=(), room=8 * GB)


def plan(machine: Machine, *, parameters: int = 10**9, **changed):
    return decide(settings_of(**changed), machine, parameters=lambda: parameters, language="en")


def rows(*lengths: int) -> list[TrainingRow]:
    return [TrainingRow(id=f"r{place}", ids=(5,) * length, supervised=(False,) + (True,) * (length - 1), reply_bytes=1)
            for place, length in enumerate(lengths)]


def test_one_process_is_the_default_whatever_the_machine_has():
    assert [(plan(machine).processes, plan(machine).sharing) for machine in (FOUR, CPU)] == [(1, "one")] * 2


def test_all_takes_one_process_for_each_gpu_and_one_without_a_gpu():
    assert plan(FOUR, devices={"processes": "all"}).processes == 4
    assert plan(CPU, devices={"processes": "all"}).sharing == "one"


@pytest.mark.parametrize(("method", "parameters", "sharing"), [
    ("lora", 8, "ddp"),  # 8 G weights of 2 bytes are 16 GB of 80
    ("lora", 70, "fsdp"),  # 140 GB
    ("full", 3, "ddp"),  # 16 bytes each: 48 GB, less than 0.7 x 80
    ("full", 4, "fsdp"),  # 64 GB, more than 56
])
def test_whole_models_are_held_where_they_fit_a_gpu_and_shards_where_not(method, parameters, sharing):
    own = {} if method == "lora" else {"learning_rate": 1e-4}
    chosen = plan(FOUR, parameters=parameters * GB, method=method, devices={"processes": 4}, **own)
    assert chosen.sharing == sharing
    assert "of 80.0 GB" in chosen.why


def test_without_a_gpu_the_processes_divide_the_memory():
    # 1.2 G weights of 4 bytes are 4.8 GB: within 0.7 x 8 GB, but not within 0.7 x 4 GB.
    assert plan(Machine((), 16.0 * GB), parameters=12 * 10**8, devices={"processes": 2}).sharing == "ddp"
    assert plan(CPU, parameters=12 * 10**8, devices={"processes": 2}).sharing == "fsdp"


def test_what_the_recipe_asks_for_is_taken():
    chosen = plan(FOUR, parameters=70 * GB, devices={"processes": 2, "sharing": "ddp"})
    assert (chosen.processes, chosen.sharing, chosen.why) == (2, "ddp", "the recipe asks for it")


def test_a_way_to_share_needs_something_to_share():
    with pytest.raises(ValidationError, match=r"sharing is 'fsdp', but only one process trains\. Raise processes, or leave sharing out\."):
        settings_of(devices={"sharing": "fsdp"})


def test_processes_are_counted_over_all_machines_and_their_gpus_and_memory_on_each():
    chosen = plan(FOUR, devices={"processes": "all", "machines": 3}, batch_rows=12)
    assert (chosen.processes, chosen.here, chosen.machines) == (12, 4, 3)
    assert plan(CPU, devices={"machines": 2}).here == 1
    # 1.2 G weights of 4 bytes are 4.8 GB: within 0.7 x 8 GB, which each machine has.
    assert plan(CPU, parameters=12 * 10**8, devices={"machines": 2}).sharing == "ddp"
    with pytest.raises(InputError, match=r"training\.batch_rows: is 8; 12 processes need at least a row each\. Raise batch_rows to 12"):
        plan(FOUR, devices={"processes": "all", "machines": 3}, batch_rows=8)


def test_an_address_needs_machines_that_look_for_it():
    with pytest.raises(ValidationError, match=r"address is '10\.0\.0\.1', but only one machine trains\. Raise machines, or leave address"):
        settings_of(devices={"processes": 2, "address": "10.0.0.1"})


def test_deepspeed_is_taken_only_where_it_is_asked_for_and_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    assert plan(FOUR, parameters=70 * GB, devices={"processes": 4}).sharing == "fsdp"
    said = (r"training\.devices\.sharing: is zero2, which needs DeepSpeed, and that is not installed\. Run "
            r"`pip install tutelage\[deepspeed\]`, or set sharing: fsdp")
    with pytest.raises(ExtraMissing, match=said):
        plan(FOUR, devices={"processes": 4, "sharing": "zero2"})


@pytest.mark.parametrize(("changed", "said"), [
    ({"task": "dpo"}, r"devices\.processes is 2, but the task dpo is trained by one process only; sft, pretraining, classification can "),
    ({"task": "distillation"}, "the task distillation is trained by one process only"),
    ({"method": "adapter"}, "the method adapter is trained by one process only; full, frozen_embeddings, last_layers, lora can be shared"),
    ({"minutes": 5}, "minutes is 5 and devices.processes 2, but what several processes take is not probed.*and set maximum_steps"),
])
def test_what_several_processes_cannot_share_is_refused_when_the_recipe_is_checked(changed, said):
    with pytest.raises(ValidationError, match=said):
        settings_of(devices={"processes": 2}, **changed)
    settings_of(devices={"processes": 1}, **changed)
    with pytest.raises(ValidationError, match=r"devices\.machines"):
        settings_of(devices={"machines": 2}, **changed)


def test_each_process_needs_a_row_of_every_step():
    with pytest.raises(InputError, match=r"training\.batch_rows: is 1; 2 processes need at least a row each\. Raise batch_rows to 2"):
        plan(CPU, devices={"processes": 2}, batch_rows=1)


def test_more_processes_than_gpus_are_refused():
    with pytest.raises(InputError, match=r"training\.devices\.processes: is 5; this machine has 4 GPUs, and each process needs its own\."):
        plan(FOUR, devices={"processes": 5}, batch_rows=8)


def test_every_choice_of_the_recipe_has_a_name_and_a_team():
    choices = get_args(Devices.model_fields["sharing"].annotation)
    assert set(choices) == {"auto", *TEAMS} == {"auto", *NAMES}
    assert set(TOGETHER["task"]) < set(get_args(TrainingSettings.model_fields["task"].annotation))
    assert set(TOGETHER["method"]) < set(get_args(TrainingSettings.model_fields["method"].annotation))


def test_weights_are_counted_by_the_headers_of_their_files(base):
    # 400 words at most, of 64 numbers; see tiny_model: embedding and norm, and twice a layer of 4 + 3 matrices and 2 norms.
    layer = 64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 128 * 64 + 2 * 64
    counted = count_parameters(base) - 64 - 2 * layer
    assert counted % 64 == 0
    assert 256 < counted // 64 <= 400


def test_rows_are_dealt_there_and_back_so_that_each_process_has_about_the_same_tokens():
    # The longest first: 8 7 to the first and the second, 6 5 to the second and the first, 4 3 as 8 7, and 2 to the second.
    assert [[len(row.ids) for row in part] for part in deal(rows(2, 3, 4, 5, 6, 7, 8), 2)] == [[4, 5, 8], [2, 3, 6, 7]]
    assert [len(part) for part in deal(rows(4), 3)] == [1, 0, 0]


def test_a_process_that_was_killed_is_named_before_those_that_broke_for_it(tmp_path):
    failure = ChildFailedError("train", {0: gone(0, 1), 1: gone(1, -signal.SIGKILL), 2: gone(2, -signal.SIGTERM)})
    said = told_of(failure, tmp_path, tmp_path / "logs-0", 3)
    assert said == ("training: process 1 of 3 (counted from 0) was ended by SIGKILL. A system that is short of memory does so: if it comes "
                    "again, lower training.micro_batch_tokens or training.devices.processes. No checkpoint was written yet. Run the same "
                    "command again to go on from there.")


def test_a_process_that_broke_off_is_told_with_its_last_words(tmp_path):
    log = tmp_path / "logs-0" / "run" / "attempt_0" / "1" / "stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text("Traceback (most recent call last):\n  File x\nRuntimeError: no such device\n[W] a warning\n")
    said = told_of(ChildFailedError("train", {0: gone(0, -signal.SIGTERM), 1: gone(1, 1)}), tmp_path, tmp_path / "logs-0", 2)
    assert said.startswith("training: process 1 of 2 (counted from 0) broke off: RuntimeError: no such device. Its log is in ")


def test_processes_that_cannot_be_started_are_told(tmp_path):
    said = told_of(OSError("no port is free"), tmp_path, tmp_path / "logs-0", 2)
    assert said.startswith("training: the 2 processes could not be started (no port is free). ")


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks a process up in /proc")
def test_a_process_ends_when_the_one_that_started_it_is_gone():
    inner = "import time; from tutelage.training.orphan import end_with_starter as end; end(); print(1, flush=True); time.sleep(60)"
    code = ("import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE); "
            "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)")
    starter = subprocess.Popen([sys.executable, "-c", code, inner], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    child = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    ends = time.monotonic() + 10
    while is_running(child) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(rank: int, code: int) -> ProcessFailure:
    return ProcessFailure(local_rank=rank, pid=os.getpid(), exitcode=code, error_file="<N/A>")

