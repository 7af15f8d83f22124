"""What a forward pass is counted to write."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dlbench.worker.elements import Elements


def test_results_of_operators_count_and_views_do_not() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        x = torch.empty(5, 8)
    with torch.no_grad(), Elements() as elements:
        model(x).T.reshape(15)[1:].unsqueeze(0)
    assert elements.count == 5 * (16 + 16 + 3) + 15, "reshaping what is transposed copies it"


def test_operations_are_counted_beside_it() -> None:
    layer, x = nn.Linear(8, 16, device="meta"), torch.empty(2, 5, 8, device="meta")
    with torch.no_grad(), Elements() as elements, FlopCounterMode(display=False) as flops:
        layer(x)
    assert elements.count == 2 * 5 * 16
    assert flops.get_total_flops() == 2 * (2 * 5) * 8 * 16


def test_every_time_step_of_a_recurrent_layer_counts() -> None:
    layer = nn.RNN(8, 16, batch_first=True, device="meta")
    counts = []
    for length in (4, 8, 12):
        with torch.no_grad(), Elements() as elements:
            layer(torch.empty(2, length, 8, device="meta"))
        counts.append(elements.count)
    assert counts[2] - counts[1] == counts[1] - counts[0] >= 4 * 2 * 16 * 2
