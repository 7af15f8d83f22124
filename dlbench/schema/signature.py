"""What a task offers a model and expects of it: all that the two share.

A size of None is not known yet: `Task.outline` speaks before any data is read, a built task knows all sizes.
"""

from typing import Annotated, Literal

from pydantic import Field

from dlbench.schema.base import Value


class Image(Value):
    """Batches of images, (B, channels, height, width)."""

    kind: Literal["image"] = "image"
    channels: int | None = None
    height: int | None = None
    width: int | None = None


class Tokens(Value):
    """Batches of token sequences, (B, T) with T <= length; id 0 is padding.

    Those that a model answers with end with id 3, which counts to their length; what stands before the first is id 2.

    Attributes:
        shared: of an output: its ids mean the same tokens as those of the input.
    """

    kind: Literal["tokens"] = "tokens"
    vocabulary: int | None = None
    length: int | None = None
    shared: bool = False


class Vector(Value):
    """Batches of feature vectors, (B, size)."""

    kind: Literal["vector"] = "vector"
    size: int | None = None


class Classes(Value):
    """One of several classes for each example: the model answers with logits, (B, classes)."""

    kind: Literal["classes"] = "classes"
    classes: int | None = None


class Tags(Value):
    """One of several classes for each token of the input: the model answers with logits, (B, T, classes)."""

    kind: Literal["tags"] = "tags"
    classes: int | None = None


class Boxes(Value):
    """Boxes with classes on an image."""

    kind: Literal["boxes"] = "boxes"
    classes: int | None = None


class Pair(Value):
    """Two inputs at once."""

    kind: Literal["pair"] = "pair"
    first: Image | Tokens | Vector
    second: Image | Tokens | Vector


Input = Annotated[Image | Tokens | Vector | Pair, Field(discriminator="kind")]
Output = Annotated[Classes | Tags | Tokens | Boxes | Image, Field(discriminator="kind")]


class Signature(Value):
    """Input and output of a task."""

    input: Input
    output: Output

    def __str__(self) -> str:
        return f"{self.input.kind} → {self.output.kind}"
