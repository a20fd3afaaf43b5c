"""The loss equals cross-entropy, value and gradients, without a tensor of all logits."""

import math

import pytest
import torch
import torch.nn.functional as F

from tutelage.training.losses import head_loss, token_losses


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize("words", [1, 64, 256, 1000])
@pytest.mark.parametrize("learned", [False, True])
def test_loss_and_gradients_equal_cross_entropy(dtype, tolerance, words, learned):
    torch.manual_seed(3)
    hidden = torch.randn(150, 24, dtype=dtype, requires_grad=True)
    weight = torch.randn(700, 24, dtype=dtype, requires_grad=learned)
    targets = torch.randint(700, (150,))
    loss = head_loss(hidden, weight, targets, words=words) / 150
    loss.backward()
    again, plain = (part.detach().clone().requires_grad_() for part in (hidden, weight))
    expected = F.cross_entropy(again @ plain.T, targets)
    expected.backward()
    assert abs(loss.item() - expected.item()) < tolerance * expected.item()
    assert (hidden.grad - again.grad).abs().max() < tolerance * again.grad.abs().max()
    if learned:
        assert (weight.grad - plain.grad).abs().max() < tolerance * plain.grad.abs().max()
    else:
        assert weight.grad is None


def test_an_embedding_that_is_the_output_layer_too_gets_both_gradients():
    torch.manual_seed(4)
    weight = torch.randn(90, 8, dtype=torch.float64, requires_grad=True)
    ids, targets = torch.randint(90, (40,)), torch.randint(90, (40,))
    head_loss(weight[ids], weight, targets, words=32).backward()
    plain = weight.detach().clone().requires_grad_()
    F.cross_entropy(plain[ids] @ plain.T, targets, reduction="sum").backward()
    assert (weight.grad - plain.grad).abs().max() < 1e-9 * plain.grad.abs().max()


def test_each_position_has_a_loss_of_its_own_that_can_be_weighted():
    torch.manual_seed(5)
    hidden = torch.randn(30, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(90, 8, dtype=torch.float64, requires_grad=True)
    targets, scales = torch.randint(90, (30,)), torch.randn(30, dtype=torch.float64)
    losses = token_losses(hidden, weight, targets, words=32)
    (losses * scales).sum().backward()
    again, plain = (part.detach().clone().requires_grad_() for part in (hidden, weight))
    expected = F.cross_entropy(again @ plain.T, targets, reduction="none")
    (expected * scales).sum().backward()
    assert torch.allclose(losses, expected, rtol=1e-12)
    assert torch.allclose(hidden.grad, again.grad, rtol=1e-9)
    assert torch.allclose(weight.grad, plain.grad, rtol=1e-9)


def test_large_logits_overflow_nowhere():
    """Logits 0 and 2,000: the losses are 2,000 and 0, whichever comes first."""
    weight = torch.tensor([[0.0], [2000.0]])
    for words in (1, 2):
        assert token_losses(torch.ones(2, 1), weight, torch.tensor([0, 1]), words=words).tolist() == [2000.0, 0.0]
        assert token_losses(torch.ones(2, 1), weight.flip(0), torch.tensor([1, 0]), words=words).tolist() == [2000.0, 0.0]


def test_half_precision_gives_nearly_the_loss_and_the_gradient_of_full_precision():
    torch.manual_seed(6)
    hidden = torch.randn(40, 16).bfloat16().requires_grad_()
    weight = (torch.randn(300, 16) * 0.3).bfloat16()
    targets = torch.randint(300, (40,))
    loss = head_loss(hidden, weight, targets, words=64)
    loss.backward()
    again = hidden.detach().float().requires_grad_()
    expected = F.cross_entropy(again @ weight.float().T, targets, reduction="sum")
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=0.01)  # bfloat16 keeps 8 bits
    assert hidden.grad.dtype is torch.bfloat16
    assert (hidden.grad.float() - again.grad).norm() < 0.02 * again.grad.norm()


def test_a_loss_worked_by_hand():
    """Logits 0, 0 and ln 3 give the chances 1/5, 1/5 and 3/5: the loss of the last is ln(5/3), of the first ln 5."""
    hidden, weight = torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0], [0.0], [math.log(3)]])
    assert float(head_loss(hidden, weight, torch.tensor([2, 0]))) == pytest.approx(math.log(5 / 3) + math.log(5), abs=1e-6)


@pytest.mark.parametrize("learned", [False, True])
def test_no_tensor_of_all_logits_exists(learned):
    """1,000 positions x 5,000 words are 5,000,000 logits; the largest tensor made is a slice of 1,000 x 64."""
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.untyped_storage().nbytes() // 4)
            return result

    hidden, weight = torch.randn(1000, 8, requires_grad=True), torch.randn(5000, 8, requires_grad=learned)
    with Watch():
        head_loss(hidden, weight, torch.randint(5000, (1000,)), words=64).backward()
    assert largest == 1000 * 64


def test_without_a_gradient_wanted_the_loss_is_the_same():
    torch.manual_seed(0)
    hidden, weight, targets = torch.randn(70, 8), torch.randn(90, 8), torch.randint(90, (70,))
    with torch.no_grad():
        plain = head_loss(hidden, weight, targets)
    assert float(plain) == float(head_loss(hidden.requires_grad_(), weight, targets).detach())


def test_a_repeated_target_counts_each_time():
    hidden, weight = torch.eye(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    hidden.requires_grad_()
    head_loss(hidden, weight, torch.tensor([0, 0])).backward()
    # softmax of (1, 0) is (e, 1) / (e + 1): the gradient of row 0 is (p - 1, 1 - p), of row 1 (-p, p) with p = e / (e + 1)
    p = 2.718281828459045 / 3.718281828459045
    assert torch.allclose(hidden.grad, torch.tensor([[p - 1, 1 - p], [-p, p]], dtype=torch.float64))
