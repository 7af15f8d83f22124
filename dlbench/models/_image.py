"""What models of images share: the signature they accept, its sizes, the signatures of well-known datasets.

A batch holds `image` (B, channels, height, width), normalised floats.
"""

from dlbench.schema.signature import Classes, Image, Signature

MNIST = Signature(input=Image(channels=1, height=28, width=28), output=Classes(classes=10))
CIFAR10 = Signature(input=Image(channels=3, height=32, width=32), output=Classes(classes=10))
IMAGENET = Signature(input=Image(channels=3, height=224, width=224), output=Classes(classes=1000))


def reads_image_tells_class(signature: Signature) -> bool:
    """Whether it is image classification; sizes do not matter."""
    return isinstance(signature.input, Image) and isinstance(signature.output, Classes)


def sizes(signature: Signature) -> tuple[int, int, int, int]:
    """Channels, height, width and classes of an image classification whose sizes are all known.

    Raises:
        ValueError: another kind of signature, or a size of None.
    """
    image, output = signature.input, signature.output
    if not isinstance(image, Image) or not isinstance(output, Classes):
        raise ValueError(f"this model reads images and tells a class; the signature is {signature}")
    if image.channels is None or image.height is None or image.width is None or output.classes is None:
        raise ValueError(f"a model is built only when every size is known; the signature is {signature!r}")
    return image.channels, image.height, image.width, output.classes


def values(image: Image) -> int:
    """Values of one image whose sizes are all known.

    Raises:
        ValueError: a size of None.
    """
    if image.channels is None or image.height is None or image.width is None:
        raise ValueError(f"a model is built only when every size is known; the input is {image!r}")
    return image.channels * image.height * image.width
