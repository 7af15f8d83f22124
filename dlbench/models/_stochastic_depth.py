"""Stochastic depth: in training, a residual branch is left out for some examples, so that shorter networks train too.

Huang et al. 2016, Deep Networks with Stochastic Depth, §3, drawn for each example by itself as in EfficientNet (drop
connect) and DeiT (drop path). Kept branches are divided by their chance to be kept, so evaluation needs no change.
"""

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Blanks the whole branch of random examples in training; goes before the sum with the shortcut.

    Args:
        chance: to be left out, below 1.
    """

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, branch: Tensor) -> Tensor:
        """The branch, some examples (along the first axis) blank and the others scaled up; same shape."""
        if not self.training or self.chance == 0:
            return branch
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1)).bernoulli_(1 - self.chance)
        return branch * (kept / (1 - self.chance))


def rising(most: float, blocks: int) -> list[float]:
    """Chances of the blocks of a network, evenly from 0 at the first to `most` at the last.

    The linear rule of Huang 2016, §3, which starts one step above 0; later models let the first block be.
    """
    return [most * number / max(1, blocks - 1) for number in range(blocks)]
