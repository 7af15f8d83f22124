"""The verdict: what was found, in sentences that a manager understands."""

from dlbench.analyze.results import Results
from dlbench.analyze.verdict import headline, verdicts
from dlbench.schema.blocks import Block, Section, Text

POSITION = 10


def build(results: Results) -> Section | None:
    """A sentence for each task and dataset, with what limits it."""
    blocks: list[Block] = []
    for verdict in verdicts(results):
        blocks.append(Text(text=verdict.sentence, level="lead", tone="good" if verdict.decided else "normal"))
        blocks += [Text(text=caveat, tone="warning") for caveat in verdict.caveats]
    if not blocks:
        blocks = [Text(text=headline(results), level="lead")]
    return Section(title="Verdict", anchor="verdict", blocks=tuple(blocks))
