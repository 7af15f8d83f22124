"""The question after a validation: shall this job go on? The worker waits for the answer, blocked, not polling.

The other end is the warm process, which passes question and answer on (`dlbench.worker.warm`). Where there is none
(the inline executor) nothing is asked: what the answers would have been is found out afterwards, from the curve.
"""

import os

CHANNEL = "_DLBENCH_QUESTION"
"""Environment variable with the descriptor of the socket to ask through."""

ASK, GO = b"?", b"+"


def ask() -> bool | None:
    """Ask; True: go on, False: stop. None: there is nobody to ask."""
    channel = os.environ.get(CHANNEL)
    if channel is None:
        return None
    try:
        os.write(int(channel), ASK)
        return os.read(int(channel), 1) == GO
    except OSError:  # whoever would answer is gone, and this process soon is
        return False
