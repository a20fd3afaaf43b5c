"""Learning from preferences: the losses are those of the papers and of TRL, the gradients are right, and the better reply wins."""

import json
import math
import signal
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from preference_rows import judged, pairs
from training_stage import make_dataset, make_example, run_training, signal_at

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError, Paused
from tutelage.core.records import Message
from tutelage.engine.torch_base import load_causal
from tutelage.training.adapters import trainable
from tutelage.training.bodies import PaddedBody, choose_body, head_weight
from tutelage.training.methods import METHODS
from tutelage.training.objectives.preference import (
    JudgedObjective,
    PairObjective,
    balanced,
    reference_logprobs,
    two_by_two,
    weigh_dpo,
    weigh_orpo,
)
from tutelage.training.objectives.preference_losses import dpo_loss, kto_loss, orpo_loss, share_right
from tutelage.training.pair_rows import mismatched_replies, render_judged, render_last, render_pair
from tutelage.training.settings import TrainingSettings

# Log-probabilities that two tiny models (seed 1: the policy; seed 0: the reference) give to three pairs of replies of 4, 3, 5 and
# 3, 5, 2 tokens, and to three judged replies. What TRL says of them stands in the tests: TRL 1.16.0 with torch 2.13 ran
# DPOTrainer.compute_loss, KTOTrainer.compute_loss and ORPOTrainer.odds_ratio_loss on the same models and token ids.
CHOSEN, REJECTED = [-27.347312, -19.097152, -32.968268], [-20.377729, -34.056909, -12.477543]
CHOSEN_BEFORE, REJECTED_BEFORE = [-27.310391, -18.83661, -30.813471], [-17.642076, -34.517024, -10.734446]
CHOSEN_LENGTHS, REJECTED_LENGTHS = [4, 3, 5], [3, 5, 2]
REPLIES, REPLIES_BEFORE = [-27.347312, -34.056909, -32.968268], [-27.310391, -34.517024, -30.813471]
OTHERS, OTHERS_BEFORE = [-32.641122, -26.390769, -24.46496], [-38.00553, -28.83554, -24.901966]
WANTED = torch.tensor([True, False, True])


def double(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("beta", "trl"), [(0.1, 0.6703535914421082), (0.5, 0.6404849290847778)])
def test_the_dpo_loss_is_that_of_trl(beta, trl):
    margins = double(CHOSEN) - double(CHOSEN_BEFORE) - (double(REJECTED) - double(REJECTED_BEFORE))
    assert float(dpo_loss(margins, beta=beta).mean()) == pytest.approx(trl, abs=2e-6)  # TRL works in fp32


def test_the_dpo_loss_by_hand():
    """No margin: -log sigmoid(0) = log 2. Margin 10 at beta 0.1: log(1 + 1/e)."""
    assert dpo_loss(double([0.0, 10.0]), beta=0.1).tolist() == pytest.approx([math.log(2), math.log(1 + math.exp(-1))], abs=1e-15)


def test_the_odds_ratio_part_of_orpo_is_that_of_trl():
    trl = double([-0.07155425101518631, -0.04946976155042648, -0.08865924924612045])  # 0.1 * log sigmoid(log odds ratio)
    chosen, rejected = double(CHOSEN) / double(CHOSEN_LENGTHS), double(REJECTED) / double(REJECTED_LENGTHS)
    assert (orpo_loss(chosen, rejected, weight=0.1) + chosen).tolist() == pytest.approx((-trl).tolist(), abs=1e-7)


def test_the_orpo_loss_by_hand():
    """Mean chances 1/2 and 1/5: odds 1 and 1/4, odds ratio 4, sigmoid(log 4) = 4/5; and -log 1/2 for the chosen reply."""
    found = orpo_loss(double([math.log(1 / 2)]), double([math.log(1 / 5)]), weight=0.3)
    assert float(found) == pytest.approx(math.log(2) + 0.3 * math.log(5 / 4), abs=1e-15)


@pytest.mark.parametrize(("undesirable", "trl"), [(1.0, 0.5441390872001648), (1.5, 0.6179779171943665)])
def test_the_kto_loss_is_that_of_trl(undesirable, trl):
    point = max(0.0, float((double(OTHERS) - double(OTHERS_BEFORE)).mean()))
    assert point == pytest.approx(2.7487, abs=1e-4)
    losses = kto_loss(double(REPLIES) - double(REPLIES_BEFORE), WANTED, reference_point=point, beta=0.1, weights=(1.0, undesirable))
    assert float(losses.mean()) == pytest.approx(trl, abs=2e-6)


def test_the_kto_loss_by_hand():
    """Ratio 13 over a point of 3 at beta 0.1: 1 - sigmoid(1) for a wanted reply, 1 - sigmoid(-1) for an unwanted one, weighted 2."""
    found = kto_loss(double([13.0, 13.0]), torch.tensor([True, False]), reference_point=3.0, beta=0.1, weights=(1.0, 2.0))
    sigmoid = 1 / (1 + math.exp(-1))
    assert found.tolist() == pytest.approx([1 - sigmoid, 2 * sigmoid], abs=1e-15)


def test_a_tie_counts_half():
    assert share_right(double([1.0, -1.0, 0.0, 2.0])) == 2.5 / 4


@dataclass(frozen=True)
class Setting:
    """A tiny model with a random adapter in fp64, and the untouched base."""

    model: torch.nn.Module
    plain: torch.nn.Module


@pytest.fixture
def setting(base):
    torch.manual_seed(5)
    model = METHODS["lora"].attach(load_causal(base).double(), TrainingSettings(rank=4))
    for weight in trainable(model).values():
        torch.nn.init.normal_(weight, std=0.1)
    return Setting(model, load_causal(base).double())


def plain_logprob(model, row):
    """The sum of the log-probabilities of a row's learned tokens, by transformers' own forward to all logits."""
    logits = model(input_ids=torch.tensor([row.ids])).logits[0, :-1]
    learned = torch.tensor(row.supervised[1:])
    return F.log_softmax(logits, -1).gather(1, torch.tensor(row.ids[1:])[:, None])[:, 0][learned].sum()


def gradients(model):
    found = {name: weight.grad.clone() for name, weight in trainable(model).items()}
    model.zero_grad()
    return found


def check(setting, objective, rows, expected):
    """Loss and gradients, in one group and row by row, equal those of `expected`."""
    expected.backward()
    right = gradients(setting.model)
    assert len(right) == 28
    objective.refresh()
    for tokens in (1, 10_000):
        total = 0.0
        for group in objective.micro_batches(rows, tokens=tokens):
            loss = objective.loss(group)
            loss.backward()
            total += float(loss.detach())
        assert total == pytest.approx(float(expected.detach()), rel=1e-6)  # the plain forward makes rotations in fp32
        for name, gradient in gradients(setting.model).items():
            assert (right[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def parts(setting):
    return choose_body(setting.model), head_weight(setting.model)


def test_dpo_gradients_are_those_of_the_plain_formula(setting, vocabulary, tmp_path):
    rows = [render_pair(example, CHATML, vocabulary) for example in pairs(6)]
    base = PaddedBody(setting.plain)
    reference = reference_logprobs(tmp_path / "reference.jsonl", base, head_weight(setting.plain), rows, tokens=500)
    with torch.no_grad():
        before = [[plain_logprob(setting.plain, one) for one in row.sequences] for row in rows]
    for row, logprobs in zip(rows, before, strict=True):
        assert reference[row.id] == pytest.approx([float(value) for value in logprobs], rel=1e-7)
    losses = [-F.logsigmoid(0.2 * (plain_logprob(setting.model, row.chosen) - c - plain_logprob(setting.model, row.rejected) + r))
              for row, (c, r) in zip(rows, before, strict=True)]
    check(setting, PairObjective(*parts(setting), weigh_dpo(reference, beta=0.2)), rows, sum(losses))


def test_orpo_gradients_are_those_of_the_plain_formula(setting, vocabulary):
    rows = [render_pair(example, CHATML, vocabulary) for example in pairs(6)]
    losses = []
    for row in rows:
        chosen, rejected = (plain_logprob(setting.model, one) / one.trained for one in row.sequences)
        odds = [value.exp() / (1 - value.exp()) for value in (chosen, rejected)]
        losses.append(-chosen - 0.3 * torch.log(torch.sigmoid(torch.log(odds[0] / odds[1]))))
    check(setting, PairObjective(*parts(setting), weigh_orpo(weight=0.3)), rows, sum(losses))


def test_kto_gradients_are_those_of_the_plain_formula_whatever_the_groups(setting, vocabulary, tmp_path):
    examples = judged(6)
    others = mismatched_replies(examples)
    rows = [render_judged(example, others[example.id], CHATML, vocabulary) for example in examples]
    plain = head_weight(setting.plain)
    reference = reference_logprobs(tmp_path / "reference.jsonl", PaddedBody(setting.plain), plain, rows, tokens=500)
    with torch.no_grad():
        drift = [plain_logprob(setting.model, row.mismatched) - plain_logprob(setting.plain, row.mismatched) for row in rows]
        before = [plain_logprob(setting.plain, row.reply) for row in rows]
    point = max(0.0, float(sum(drift)) / len(rows))
    losses = []
    for row, old in zip(rows, before, strict=True):
        ratio = plain_logprob(setting.model, row.reply) - old
        value = torch.sigmoid(0.2 * (ratio - point if row.wanted else point - ratio))
        losses.append((1.0 if row.wanted else 2.0) * (1 - value))
    assert {row.wanted for row in rows} == {True, False}
    check(setting, JudgedObjective(*parts(setting), reference, beta=0.2, weights=(1.0, 2.0)), rows, sum(losses))


def test_the_reference_is_read_from_its_file_when_it_is_there(setting, vocabulary, tmp_path):
    rows = [render_pair(example, CHATML, vocabulary) for example in pairs(4)]
    path = tmp_path / "reference.jsonl"
    first = reference_logprobs(path, PaddedBody(setting.plain), head_weight(setting.plain), rows, tokens=500)
    again = reference_logprobs(path, PaddedBody(setting.model), head_weight(setting.model), rows, tokens=500)  # another model
    assert again == first
    path.unlink()
    assert reference_logprobs(path, PaddedBody(setting.model), head_weight(setting.model), rows, tokens=500) != first


def test_an_untouched_model_is_in_doubt_about_every_pair(setting, vocabulary, tmp_path):
    rows = [render_pair(example, CHATML, vocabulary) for example in pairs(4)]
    body, weight = PaddedBody(setting.plain), head_weight(setting.plain)
    reference = reference_logprobs(tmp_path / "reference.jsonl", body, weight, rows, tokens=10_000)
    measured = PairObjective(body, weight, weigh_dpo(reference, beta=0.1)).measure(rows, tokens=10_000)
    assert measured.loss == pytest.approx(math.log(2), abs=1e-9)
    nats = -sum(reference[row.id][0] for row in rows)
    assert measured.bits_per_byte == pytest.approx(nats / math.log(2) / sum(row.chosen.reply_bytes for row in rows), rel=1e-9)


def test_only_the_last_turn_is_learned(vocabulary):
    """An earlier reply of the assistant is part of the question."""
    earlier = [Message(role="user", content="Draft."), Message(role="assistant", content="First."), Message(role="user", content="Again.")]
    row = render_last("r", [*earlier, Message(role="assistant", content="Second.")], CHATML, vocabulary)
    assert vocabulary.detokenize(row.targets) == "Second."
    assert row.targets[-1] == vocabulary.special("<|im_end|>")
    assert row.reply_bytes == len("Second.")


def test_a_mismatched_reply_is_that_of_the_next_row_of_the_part_that_says_something_else():
    rows = [make_example(name, "Q", text, part) for name, text, part in
            (("a", "one", "train"), ("b", "one", "train"), ("c", "two", "train"), ("v", "three", "validation"),
             ("w", "four", "validation"))]
    assert mismatched_replies(rows) == {"a": "two", "b": "two", "c": "one", "v": "four", "w": "three"}


def test_wanted_and_unwanted_replies_weigh_the_same(vocabulary):
    """Two wanted for one unwanted: the unwanted ones count twice."""
    rows = [render_judged(example, "Other.", CHATML, vocabulary) for example in judged(9)]
    assert balanced(rows) == (1.0, 2.0)
    assert balanced([row for row in rows if row.wanted]) == (1.0, 1.0)


def test_a_group_holds_at_most_its_tokens_of_both_replies(vocabulary):
    rows = [render_pair(example, CHATML, vocabulary) for example in pairs(4)]
    longest = max(row.longest for row in rows)
    assert [len(group) for group in two_by_two(rows, tokens=2 * 2 * longest)] == [2, 2]
    assert [len(group) for group in two_by_two(rows, tokens=1)] == [1, 1, 1, 1]


LEARN = {"maximum_steps": 12, "validate_every": 12, "learning_rate": 2e-3, "batch_rows": 6, "rank": 8}


def summary_of(artifact):
    return json.loads(artifact.file("training.json").read_text())


@pytest.mark.parametrize(("task", "rows"), [("dpo", pairs), ("orpo", pairs), ("kto", judged)])
def test_the_better_reply_wins_after_training(tmp_path, base, task, rows):
    summary = summary_of(run_training(tmp_path, base, make_dataset(tmp_path, rows()), task=task, **LEARN))
    assert summary["unit"] == "row"
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["best_score"] > summary["base_score"] + 0.3
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]


def test_a_paused_preference_training_ends_with_the_same_bits(tmp_path, base):
    changed = {"task": "kto", "maximum_steps": 4}
    whole = run_training(tmp_path, base, make_dataset(tmp_path, judged()), **changed)
    other = make_dataset(tmp_path / "other", judged())
    with pytest.raises(Paused):
        run_training(tmp_path / "other", base, other, signal_at(2, signal.SIGTERM), **changed)
    resumed = run_training(tmp_path / "other", base, other, **changed)
    name = "adapter/adapter_model.safetensors"
    assert resumed.file(name).read_bytes() == whole.file(name).read_bytes()


def test_a_pair_is_too_long_only_if_one_of_its_texts_is(tmp_path, base, vocabulary):
    rows = pairs()
    longest = max(render_pair(row, CHATML, vocabulary).longest for row in rows)
    made = run_training(tmp_path, base, make_dataset(tmp_path, rows), task="orpo", maximum_steps=1, maximum_tokens=longest)
    assert summary_of(made)["tokens_lost"] == 0


def test_kto_needs_both_kinds_of_replies(tmp_path, base):
    rows = [row.model_copy(update={"label": "true"}) for row in judged()]
    with pytest.raises(InputError, match=r"all 12 training rows are wanted replies; training\.task: kto learns from wanted and unwanted"):
        run_training(tmp_path, base, make_dataset(tmp_path, rows), task="kto")


def test_rows_without_preferences_are_refused(tmp_path, base):
    rows = [make_example("a", "Q", "A."), make_example("b", "Q", "B.", "validation")]
    with pytest.raises(InputError, match=r"2 rows of the task clause; this training\.task learns from preference rows only"):
        run_training(tmp_path, base, make_dataset(tmp_path, rows), task="dpo")
