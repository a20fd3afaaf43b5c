"""The fused loss equals the plain one, in value and gradient."""

import pytest
import torch
from torch.nn import functional

from tutelage.training.losses import head_loss


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("chunk", [3, 7, 256])
def test_loss_and_gradient_equal_plain_cross_entropy(kind, tolerance, chunk):
    torch.manual_seed(3)
    hidden, weight = torch.randn(17, 8, dtype=kind), torch.randn(31, 8, dtype=kind)
    targets = torch.randint(0, 31, (17,))
    ours, plain = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    loss = head_loss(ours, weight, targets, chunk=chunk) / 17
    expected = functional.cross_entropy(plain @ weight.T, targets)
    loss.backward()
    expected.backward()
    assert torch.allclose(loss.to(kind), expected, rtol=tolerance, atol=tolerance)
    assert torch.allclose(ours.grad, plain.grad, rtol=tolerance, atol=tolerance)


def test_measuring_needs_no_gradient():
    with torch.no_grad():
        loss = head_loss(torch.zeros(2, 4), torch.zeros(5, 4), torch.tensor([0, 4]))
    assert loss.item() == pytest.approx(2 * 1.6094379124341003)  # uniform over five: 2 ln 5


def test_a_repeated_target_counts_each_time():
    hidden, weight = torch.eye(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    hidden.requires_grad_()
    head_loss(hidden, weight, torch.tensor([0, 0])).backward()
    # softmax of (1, 0) is (e, 1) / (e + 1): the gradient of row 0 is (p0 - 1, p1), of row 1 (q0 - 1, q1) with q = (1, e) / (e + 1)
    p = 2.718281828459045 / 3.718281828459045
    assert torch.allclose(hidden.grad, torch.tensor([[p - 1, 1 - p], [-p, p]], dtype=torch.float64))
