"""Augmentations of images: moved, mirrored, cropped, with a hole."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.specs import number, option
from kilter.data.augment import Augmentation, Mix, images


class _OfImages(Augmentation, abstract=True):
    """Base of augmentations of one image at a time."""

    def check(self, shape: tuple[int, ...]) -> None:
        images(self, shape)

    def apply(self, key: jax.Array, x: jax.Array) -> tuple[jax.Array, Mix | None]:
        return jax.vmap(self.one)(jax.random.split(key, len(x)), x), None

    def one(self, key: jax.Array, image: jax.Array) -> jax.Array:
        """One changed image ``(height, width, channels)``."""
        raise NotImplementedError


class Shift(_OfImages):
    """Moves each image by up to ``pixels`` up or down and left or right; what comes in is 0, or the border repeated.

    The same as padding by ``pixels`` and cropping at random (He et al. 2016, section 4.2, with 4 pixels).

    Args:
        pixels: greatest shift, the same in both directions.
        border: ``"zeros"``, ``"edge"`` (the outermost pixels repeated) or ``"wrap"`` (what goes out on one side).
    """

    formula: ClassVar[str] = "x moved by (u, v),  u, v uniform on -pixels .. pixels"
    source: ClassVar[str] = "He et al. 2016, section 4.2"
    choose: ClassVar[str] = "Images whose objects are not all in the middle; nearly always."

    pixels: int = option(default=2, kinds=int, range="[0, inf)", unit="pixels")
    border: str = option(default="zeros", choices=("zeros", "edge", "wrap"))

    def check(self, shape: tuple[int, ...]) -> None:
        super().check(shape)
        if self.pixels >= min(shape[:2]):
            raise InputError(
                f"{self!r}: pixels must be below the side of the images, which are {shape[0]} x {shape[1]}"
            )

    def one(self, key: jax.Array, image: jax.Array) -> jax.Array:
        mode = {"zeros": "constant", "edge": "edge", "wrap": "wrap"}[self.border]
        padded = jnp.pad(image, ((self.pixels, self.pixels), (self.pixels, self.pixels), (0, 0)), mode=mode)
        start = jax.random.randint(key, (2,), 0, 2 * self.pixels + 1)
        return jax.lax.dynamic_slice(padded, (start[0], start[1], 0), image.shape)


class Flip(_OfImages):
    """Mirrors each image with probability ``rate``, left to right or top to bottom.

    Krizhevsky et al. 2012, section 4.1. Not for digits and letters, which it turns into others.

    Args:
        rate: probability to mirror.
        axis: ``"horizontal"`` swaps left and right, ``"vertical"`` top and bottom.
    """

    formula: ClassVar[str] = "x mirrored with probability rate"
    source: ClassVar[str] = "Krizhevsky et al. 2012, section 4.1"
    choose: ClassVar[str] = "Photographs; never text and digits."

    rate: float = number(default=0.5, range="[0, 1]", search=(0.0, 0.5))
    axis: str = option(default="horizontal", choices=("horizontal", "vertical"))

    def one(self, key: jax.Array, image: jax.Array) -> jax.Array:
        mirrored = image[:, ::-1] if self.axis == "horizontal" else image[::-1]
        return jnp.where(jax.random.uniform(key) < self.rate, mirrored, image)


class Crop(_OfImages):
    """Cuts a random part out of each image and stretches it back to the whole, with linear interpolation.

    The part has a share of the area uniform on [``area``, 1] and the image's proportions times a factor whose logarithm
    is uniform on log(3/4) to log(4/3), held within the image. Szegedy et al. 2015, section 6, who take 0.08 and up. As
    torchvision's ``RandomResizedCrop``, which tries anew rather than holding the part within the image.

    Args:
        area: least share of the area that is kept.
    """

    formula: ClassVar[str] = "a part of area uniform on [area, 1], stretched to the whole"
    source: ClassVar[str] = "Szegedy et al. 2015, section 6"
    choose: ClassVar[str] = "Photographs, whose objects come in every size."

    area: float = number(default=0.5, range="(0, 1]", search=(0.1, 1.0))

    def one(self, key: jax.Array, image: jax.Array) -> jax.Array:
        area = jax.random.uniform(named(key, "area"), minval=self.area, maxval=1.0)
        stretch = jnp.exp(jax.random.uniform(named(key, "shape"), minval=-1.0, maxval=1.0) * jnp.log(4 / 3) / 2)
        sides = jnp.minimum(jnp.sqrt(area) * jnp.stack([stretch, 1 / stretch]), 1.0)
        room = jnp.array(image.shape[:2]) * (1.0 - sides)
        start = jax.random.uniform(named(key, "place"), (2,)) * room
        return jax.image.scale_and_translate(
            image, image.shape, (0, 1), 1.0 / sides, -start / sides, method="linear", antialias=False
        )


class Cutout(_OfImages):
    """Puts 0 in a square of ``size`` pixels at a random place of each image; at the border a part of it falls outside.

    DeVries and Taylor 2017: the middle of the square is uniform over the pixels.

    Args:
        size: side of the square.
    """

    formula: ClassVar[str] = "x with 0 in a square of size x size at a random place"
    source: ClassVar[str] = "DeVries and Taylor 2017"
    choose: ClassVar[str] = "A net that looks at one detail alone; on top of shifts and flips."

    size: int = option(default=8, kinds=int, range="[1, inf)", unit="pixels")

    def one(self, key: jax.Array, image: jax.Array) -> jax.Array:
        def inside(key: jax.Array, length: int) -> jax.Array:
            distance = jnp.arange(length) - (jax.random.randint(key, (), 0, length) - self.size // 2)
            return (distance >= 0) & (distance < self.size)

        rows, columns = (inside(named(key, name), size) for name, size in zip("yx", image.shape, strict=False))
        return jnp.where((rows[:, None] & columns)[..., None], 0.0, image)
