"""A run of its own, for tests that send signals to it: `run_listed.py STORE JOBS` with JOBS a list of parameters."""

import json
import sys
from pathlib import Path

from tiny_jobs import TINY, Heard, Listed, entry

from dlbench.executors import local
from dlbench.executors._warm import Warm
from dlbench.run.loop import Loop, RunOptions
from dlbench.run.signals import interruptible
from dlbench.store.folder import Store


def main() -> int:
    store = Store.open(Path(sys.argv[1]), create=True)
    entries = [entry(**params) for params in json.loads(sys.argv[2])]
    with store.writer(), Warm(**TINY) as warm:
        loop = Loop(Listed(entries), store, local.build(warm), RunOptions(slots=3, grace_s=5.0), Heard())
        with interruptible(loop.interrupt) as heard:
            outcome = loop.run()
    sys.stdout.write(json.dumps(outcome.counts))
    return 128 + heard.number if heard.number else 0


if __name__ == "__main__":
    sys.exit(main())
