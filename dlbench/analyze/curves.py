"""Learning curves of several seeds → one curve with a band. Knows nothing of models and charts."""

from collections.abc import Sequence

import pandas as pd


def pool(curves: Sequence[pd.DataFrame], column: str) -> pd.DataFrame:
    """Mean and range over seeds at every step that all seeds reached, so that no mean jumps when a seed stops.

    Args:
        curves: one a seed, with columns `step`, `epoch`, `elapsed_s` and `column`; rows without a value are left out.

    Returns:
        Columns `step`, `epoch`, `elapsed_s` (means), `mean`, `low`, `high`, `n`, in order of the step; empty if no
        step is common.
    """
    usable = [curve.dropna(subset=[column]) for curve in curves if {column, "step"} <= set(curve.columns)]
    usable = [curve for curve in usable if len(curve)]
    empty = pd.DataFrame(columns=["step", "epoch", "elapsed_s", "mean", "low", "high", "n"])
    if not usable:
        return empty
    rows = pd.concat(
        [curve.reindex(columns=["step", "epoch", "elapsed_s", column]) for curve in usable], ignore_index=True
    )
    grouped = rows.groupby("step")
    pooled = grouped[["epoch", "elapsed_s"]].mean()
    pooled["mean"] = grouped[column].mean()
    pooled["low"], pooled["high"] = grouped[column].min(), grouped[column].max()
    pooled["n"] = grouped[column].size()
    return pooled[pooled["n"] == len(usable)].reset_index()
