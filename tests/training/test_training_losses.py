"""The loss equals cross-entropy, value and gradient, without a tensor of all logits."""

import math

import pytest
import torch
import torch.nn.functional as F

from tutelage.training.losses import head_loss


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize("chunk", [64, 256])
def test_loss_and_gradient_equal_cross_entropy(dtype, tolerance, chunk):
    torch.manual_seed(3)
    hidden = torch.randn(150, 24, dtype=dtype, requires_grad=True)
    weight = torch.randn(700, 24, dtype=dtype)
    targets = torch.randint(700, (150,))
    (head_loss(hidden, weight, targets, chunk=chunk) / 150).backward()
    again = hidden.detach().clone().requires_grad_()
    expected = F.cross_entropy(again @ weight.T, targets)
    expected.backward()
    loss = head_loss(hidden, weight, targets, chunk=chunk).detach() / 150
    assert abs(float(loss) - expected.item()) < tolerance * expected.item()
    assert (hidden.grad - again.grad).abs().max() < tolerance * again.grad.abs().max()


def test_a_loss_worked_by_hand():
    """Logits 0, 0 and ln 3 give the chances 1/5, 1/5 and 3/5: the loss of the last is ln(5/3), of the first ln 5."""
    hidden, weight = torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0], [0.0], [math.log(3)]])
    assert float(head_loss(hidden, weight, torch.tensor([2, 0]))) == pytest.approx(math.log(5 / 3) + math.log(5), abs=1e-6)


def test_no_tensor_of_all_logits_exists():
    """1,000 positions x 5,000 words are 5,000,000 logits; the largest tensor made is a chunk of 64 x 5,000."""
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.untyped_storage().nbytes() // 4)
            return result

    hidden, weight = torch.randn(1000, 8, requires_grad=True), torch.randn(5000, 8)
    with Watch():
        head_loss(hidden, weight, torch.randint(5000, (1000,)), chunk=64)
    assert largest == 64 * 5000


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
