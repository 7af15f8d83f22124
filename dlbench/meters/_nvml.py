"""NVIDIA's management library, as meters need it: the handle of a device."""

from typing import Any

import pynvml
import torch


def handle(device: torch.device) -> Any:
    """NVML's handle of a CUDA device, found by its identity: `CUDA_VISIBLE_DEVICES` gives devices other numbers.

    Raises:
        pynvml.NVMLError: there is no driver, or it does not know the device.
    """
    pynvml.nvmlInit()
    return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
