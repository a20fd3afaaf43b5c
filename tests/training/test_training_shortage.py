"""Memory that runs out halves what is computed at once and changes nothing else; a full disk is told with what is kept."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import training_stage
from training_stage import make_dataset, run_training, scratch_of, settings_of, small_examples

from tutelage.core.errors import InputError
from tutelage.core.events import Events, Recorder
from tutelage.core.store import Store
from tutelage.engine.torch_base import load_causal
from tutelage.training.adapters import trainable
from tutelage.training.bodies import PaddedBody, head_weight
from tutelage.training.checkpoint import NAME
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.settings import TrainingSettings
from tutelage.training.shortage import MemoryShort, Shrunk, disk_told, is_disk_full, is_out_of_memory
from tutelage.training.team import Alone

WEIGHTS = "adapter/adapter_model.safetensors"
SAID = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."
ALLOCATION = RuntimeError(SAID)


class Narrow(LanguageObjective):
    """An objective on a machine whose memory runs out where `lacks` says so, of the number of the call (from 1) and the rows."""

    def __init__(self, model, lacks, kind):
        super().__init__(PaddedBody(model), head_weight(model))
        self._lacks, self._kind, self._calls = lacks, kind, 0

    def loss(self, rows):
        self._calls += torch.is_grad_enabled()
        if self._lacks(self._calls, rows):
            raise self._kind
        return super().loss(rows)


class OneOfTwo(Alone):
    """A process that believes that there is another."""

    size = 2


def narrow_run(base, rows, scratch, lacks, *listeners, kind=ALLOCATION, tokens=10_000, dropout=0.0, steps=3, shrunk=(), team=Alone):
    torch.manual_seed(2)
    model = METHODS["lora"].attach(load_causal(base).double(), TrainingSettings(rank=4, dropout=dropout))
    settings = TrainingSettings(rank=4, batch_rows=8, maximum_steps=steps, validate_every=3, micro_batch_tokens=tokens, dropout=dropout)
    objective = Narrow(model, lacks, kind)
    state = Loop(model=model, objective=objective, train=rows[:12], validation=rows[12:13], settings=settings, scratch=scratch,
                 events=Events(*listeners), team=team(model, objective, rate=2e-3), shrunk=shrunk).run()
    return state, {name: weight.detach().clone() for name, weight in trainable(model).items()}


def never(call, rows):
    return False


@pytest.mark.parametrize("kind", [ALLOCATION, MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")])
def test_where_memory_runs_out_the_step_is_repeated_with_half_the_tokens_and_ends_with_the_same_bits(base, rows, tmp_path, kind):
    longest = max(len(row.ids) for row in rows)

    def lacks(call, group):
        return len(group) * max(len(row.ids) for row in group) > 2 * longest

    recorder = Recorder()
    state, found = narrow_run(base, rows, tmp_path / "a", lacks, recorder, kind=kind, dropout=0.2)
    told = [event.facts for event in recorder.events if event.key == "training.memory_short"]
    assert [facts["step"] for facts in told] == state.shrunk_at == [1, 1]  # eight rows at once, then half of them, then a quarter
    assert [facts["before"] for facts in told] == [10_000, told[0]["after"]]
    assert longest <= state.micro_batch_tokens == told[1]["after"] <= 2 * longest
    calm, expected = narrow_run(base, rows, tmp_path / "b", never, tokens=state.micro_batch_tokens, dropout=0.2)
    assert calm.shrunk_at == []
    # The same groups of rows from the same weights and random numbers: the same bits.
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_gradients_of_a_step_that_failed_half_way_are_forgotten(base, rows, tmp_path):
    tokens = 3 * max(len(row.ids) for row in rows)  # three rows at once: the second group of the first step fails
    state, found = narrow_run(base, rows, tmp_path / "a", lambda call, group: call == 2, tokens=tokens)
    assert state.shrunk_at == [1]
    calm, expected = narrow_run(base, rows, tmp_path / "b", never, tokens=tokens)
    assert [row.loss for row in state.curve[1:]] == pytest.approx([row.loss for row in calm.curve[1:]], rel=1e-9)
    assert all((found[name] - weight).norm() <= 1e-6 * weight.norm() for name, weight in expected.items())  # Adam divides by small numbers


def test_one_of_several_processes_says_what_it_needs_and_repeats_nothing_by_itself(base, rows, tmp_path):
    calls = []

    def lacks(call, group):
        calls.append(call)
        return call > 0

    with pytest.raises(MemoryShort, match="step 1: 10000 tokens at once are too many") as raised:
        narrow_run(base, rows, tmp_path, lacks, team=OneOfTwo)
    assert [call for call in calls if call] == [1]
    short, longest = raised.value.shrunk, max(len(row.ids) for row in rows[:12])
    assert (short.step, short.before) == (1, 10_000)
    assert longest <= short.after <= 2 * longest  # each process has four rows of the eight: half of them


def test_what_an_earlier_start_found_of_the_memory_is_kept_and_told_once(base, rows, tmp_path):
    found = (Shrunk(step=2, before=10_000, after=200),)
    for steps in (3, 6):  # the second goes on from the checkpoint of the first
        state, _ = narrow_run(base, rows, tmp_path, never, steps=steps, shrunk=found)
        assert (state.step, state.micro_batch_tokens, state.shrunk_at) == (steps, 200, [2])


def test_where_not_even_one_row_fits_the_error_says_what_to_lower(base, rows, tmp_path):
    with pytest.raises(InputError, match=r"out of memory in step 1, though one row at a time is computed \(the longest has \d+ tokens\)\. "
                                         r"Lower training\.maximum_tokens \(it is 1024\)"):
        narrow_run(base, rows, tmp_path, lambda call, group: call > 0)


def test_other_errors_are_no_lack_of_memory(base, rows, tmp_path):
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        narrow_run(base, rows, tmp_path, lambda call, group: True, kind=RuntimeError("shapes"))


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from training_stage import make_dataset, run_training, small_examples
work, base, step = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
dataset = make_dataset(work, small_examples())
def fill(event):
    if event.kind == "step" and event.facts["done"] == step:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    run_training(work, base, dataset, fill)
except Exception as error:
    print(type(error).__name__, getattr(error, "exit_code", ""), error)
"""


@pytest.mark.parametrize("step", [2, 6])
def test_a_full_disk_is_told_with_what_is_kept_and_the_same_command_goes_on_with_the_same_bits(tmp_path, base, calm, step):
    """A limit on the size of files stands for the full disk: after step 2 the checkpoint of the third fails, after step 6 the adapter."""
    support = str(Path(training_stage.__file__).parent)
    words = [sys.executable, "-c", LIMITED, support, str(tmp_path), str(base), str(step)]
    ended = subprocess.run(words, check=True, capture_output=True, text=True)
    assert ended.stdout.startswith(f"InputError 2 training: the disk of {tmp_path} is full ("), ended
    assert f"The checkpoint after step {step} is kept, and nothing half-written. Make room there, or give another folder" in ended.stdout
    dataset = make_dataset(tmp_path, small_examples())
    scratch = scratch_of(tmp_path, settings_of(), dataset)
    assert sorted(path.name for path in scratch.iterdir()) == [NAME, "promise.json"]
    assert not [path for path in (tmp_path / "training").iterdir() if path != scratch]
    assert Store(tmp_path).all("training") == []
    recorder = Recorder()
    resumed = run_training(tmp_path, base, dataset, recorder)
    assert [event.facts["step"] for event in recorder.events if event.key == "training.resumed"] == [step]
    assert resumed.file(WEIGHTS).read_bytes() == calm.file(WEIGHTS).read_bytes()


def test_all_kinds_of_full_disks_are_told_and_other_errors_pass(tmp_path):
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        with pytest.raises(InputError, match="No checkpoint was written yet, and nothing half-written"), disk_told(tmp_path, tmp_path):
            raise OSError(number, "full")
    with pytest.raises(PermissionError), disk_told(tmp_path, tmp_path):
        raise PermissionError(errno.EACCES, "not yours")
    assert is_disk_full(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert not is_disk_full(ValueError("shapes"))


def test_a_checkpoint_of_another_base_is_refused(tmp_path, base, rows):
    def train(origin):
        model = METHODS["lora"].attach(load_causal(base), TrainingSettings(rank=4))
        settings = TrainingSettings(rank=4, maximum_steps=1, validate_every=1)
        Loop(model=model, objective=LanguageObjective(PaddedBody(model), head_weight(model)), train=rows[:4], validation=rows[4:6],
             settings=settings, scratch=tmp_path, events=Events(), origin=origin).run()

    train("the base 111 with the chat format aaa")
    train("the base 111 with the chat format aaa")
    with pytest.raises(InputError, match=r"checkpoint\.pt: this checkpoint was learned from the base 111 with the chat format aaa, but the "
                                         r"training starts from the base 222 with the chat format aaa; such weights do not fit"):
        train("the base 222 with the chat format aaa")
