"""How much of a store MLflow is not known to show, counted without importing it."""

from collections.abc import Iterable

from dlbench.store.folder import Store
from dlbench.store.ledger import Ledger
from dlbench.store.shelf import Shelf


def pending_count(store: Store, uri: str, suites: Iterable[str] | None = None) -> int:
    """How many runs of a store are not known to be in an MLflow; mlflow is not imported.

    Args:
        uri: absolute tracking URI.
        suites: names; default: all.
    """
    ledger = Ledger(store.root, uri)
    names = store.suites() if suites is None else suites
    return sum(len(ledger.missing(Shelf(store, name).items())) for name in names)
