"""When memory runs out: how to tell, and what to say."""

import torch

from dlbench.meters.memory import peak_bytes, resettable
from dlbench.schema.metric import Metric

OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "STATUS_ALLOC_FAILED",
    "bad_alloc",
    "could not create a primitive",
)
"""What allocators of the CPU, CUDA, cuBLAS and cuDNN say, and oneDNN, whose kernels need working memory."""

NO_SUCH_KERNEL = "primitive descriptor"
"""In what oneDNN says where it has no kernel for a dtype or a shape."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY) and NO_SUCH_KERNEL not in str(error)


def reason_of(error: BaseException) -> str:
    """Why a job that ran out of memory failed, and what to do."""
    said = str(error).partition("\n")[0] or type(error).__name__
    return f"out of memory: {said}; try a smaller batch_size"


def peak_reached(device: torch.device, phase: str, baseline_bytes: int) -> Metric:
    """The memory that a job had when it was refused more: `<phase>_peak_memory_bytes`, marked as not a whole step's."""
    peak = peak_bytes(device)
    return Metric(
        name=f"{phase}_peak_memory_bytes",
        value=None if peak is None else max(0, peak - baseline_bytes),
        unit="bytes",
        better="lower",
        reason=resettable() if peak is None else None,
        detail={"reached": True},
    )
