"""How a model is trained: the `train:` block of a suite.

A field marked `cost` changes what a training step costs; a cost job's id keeps those and drops the rest.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dlbench.schema.base import Json, Value

FORWARD_AND_BACKWARD = 3
"""Operations of a training step over those of a forward pass (Kaplan et al. 2020, §2.1)."""

OptimizerName = Literal["sgd", "adam", "adamw", "muon"]
ScheduleName = Literal["constant", "linear", "cosine", "one_cycle", "multi_step", "noam"]


def _f(default: Any, help: str, *, cost: bool = False, **limits: Any) -> Any:
    return Field(default, description=help, json_schema_extra={"cost": cost}, **limits)


class TrainSettings(Value):
    """Budget, optimiser, schedule, stopping and thread count of a train job."""

    epochs: float | None = _f(None, "budget: passes over the training split", gt=0, le=1e6)
    steps: int | None = _f(None, "budget: optimiser steps", gt=0, le=10**12)
    seconds: float | None = _f(None, "budget: seconds of training, validation excluded; the job runs alone", gt=0)
    batch_size: int = _f(64, "examples per forward pass", gt=0, le=2**24)
    accumulate: int = _f(1, "forward passes per optimiser step (cost jobs take one)", gt=0, le=2**16)
    optimizer: OptimizerName = _f("adamw", "sgd, adam, adamw or muon (matrices; AdamW elsewhere)", cost=True)
    lr: float = _f(1e-3, "peak learning rate", gt=0)
    momentum: float = _f(0.9, "momentum of sgd and muon; 0 turns it off", cost=True, ge=0, lt=1)
    nesterov: bool = _f(False, "Nesterov momentum for sgd", cost=True)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = _f(
        (0.9, 0.999), "decay rates of adam and adamw"
    )
    eps: float = _f(1e-8, "denominator offset of adam and adamw", gt=0)
    weight_decay: float = _f(0.0, "decay of matrices and higher; biases, norms and embeddings are left out", ge=0)
    schedule: ScheduleName = _f("constant", "how the learning rate falls after warm-up")
    warmup: float = _f(0.0, "linear warm-up: a fraction of the budget if below 1, else optimiser steps", ge=0)
    final_lr: float = _f(0.0, "where linear, cosine and one_cycle end, as a fraction of lr", ge=0, le=1)
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = _f(
        (0.5, 0.75), "where multi_step multiplies lr by lr_decay, as fractions of the budget after warm-up"
    )
    lr_decay: float = _f(0.1, "what multi_step multiplies lr by at each milestone", gt=0, le=1)
    clip_norm: float | None = _f(None, "largest global gradient norm", cost=True, gt=0)
    label_smoothing: float = _f(0.0, "weight of the uniform distribution in the target", ge=0, lt=1)
    evaluate_every: int | None = _f(None, "optimiser steps between validations; default: once an epoch", gt=0)
    patience: int | None = _f(None, "early stopping: validations without a better score before training ends", gt=0)
    keep: Literal["best", "last"] = _f("best", "which weights are scored on the test split")
    target: float | None = _f(None, "validation score whose time is taken; the job runs alone")
    stop_at_target: bool = _f(False, "end as soon as the target is reached")
    channels_last: bool = _f(False, "convolution weights with channels innermost in memory", cost=True)
    compile: bool = _f(False, "run the model through torch.compile", cost=True)
    grad_checkpointing: bool = _f(False, "compute a model's blocks again in the backward pass: less memory", cost=True)
    checkpoint: bool = _f(False, "leave the scored weights as checkpoint.pt")
    threads: int = _f(1, "threads of one train job", gt=0, le=4096)

    @model_validator(mode="before")
    @classmethod
    def _one_budget(cls, data: Json) -> Json:
        if isinstance(data, dict):
            given = [key for key in ("epochs", "steps", "seconds") if data.get(key) is not None]
            if len(given) > 1:
                raise ValueError(f"{' and '.join(given)} are both given: a job has one budget")
            if not given:
                return {**data, "epochs": 1}
        return data

    @model_validator(mode="after")
    def _coherent(self) -> "TrainSettings":
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs optimizer: sgd with momentum above 0")
        if self.schedule == "noam" and not self.warmup:
            raise ValueError("schedule noam falls as it rose: it needs a warmup above 0")
        if self.stop_at_target and self.target is None:
            raise ValueError("stop_at_target needs a target")
        return self

    @property
    def clocked(self) -> bool:
        """Whether the job's own clock is a result or a budget, so that it must run alone."""
        return self.seconds is not None or self.target is not None


def cost_fields() -> frozenset[str]:
    """Names of the `train` fields that change what a training step costs."""
    extra = {name: field.json_schema_extra for name, field in TrainSettings.model_fields.items()}
    return frozenset(name for name, marks in extra.items() if isinstance(marks, dict) and marks.get("cost"))
