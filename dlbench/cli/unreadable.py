"""Records that cannot be read, told to the user: they count as missing, and nobody should wonder why."""

from dlbench.store.folder import Store


def unreadable(store: Store) -> list[str]:
    """A line for each file of a store that could not be read since the last call, in the order of reading."""
    lines = [f"{path} {why} It counts as missing." for path, why in store.unreadable.items()]
    store.unreadable.clear()
    return lines
