"""The best weights so far, held in memory, and the wait for better ones."""

import torch

from dlbench.schema.metric import Better


class Best:
    """Watches one score over validations; keeps a copy of the weights where asked to.

    Args:
        model: its state dict is what is kept.
        better: which way the score improves.
        keep: whether weights are kept at all.
    """

    def __init__(self, model: torch.nn.Module, better: Better, *, keep: bool) -> None:
        self.model = model
        self.sign = -1.0 if better == "lower" else 1.0
        self.keep = keep
        self.score: float | None = None
        self.row = -1
        self.waited = 0
        self._weights: dict[str, torch.Tensor] = {}

    def see(self, score: float | None, row: int) -> None:
        """Take in the score of validation number `row`; None and ties are not better."""
        if score is not None and (self.score is None or self.sign * score > self.sign * self.score):
            self.score, self.row, self.waited = score, row, 0
            if self.keep:
                self._copy()
        else:
            self.waited += 1

    def reached(self, target: float) -> bool:
        """Whether the best score is at least as good as a target."""
        return self.score is not None and self.sign * self.score >= self.sign * target

    def restore(self) -> None:
        """Put the best weights back into the model, where they were kept."""
        if self._weights:
            self.model.load_state_dict(self._weights)

    def _copy(self) -> None:
        state = self.model.state_dict()
        if not self._weights:
            self._weights = {name: tensor.detach().clone() for name, tensor in state.items()}
        else:
            for name, tensor in state.items():
                self._weights[name].copy_(tensor)
