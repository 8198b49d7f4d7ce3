# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Running a network on one batch of one domain."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer

from monai_gu2net.data.domain import Domain
from monai_gu2net.inferers.poses import logits_in_poses
from monai_gu2net.inferers.windows import check_memory, logits_in_windows
from monai_gu2net.transforms.domain_choice import DOMAIN_META

__all__ = ["LandmarkInferer"]


class LandmarkInferer(Inferer):
    """Calls ``network(image, domain)`` on a plain tensor, in a chosen precision.

    A MetaTensor's bookkeeping at every operation slows a network down, so the tensor inside is passed.
    MONAI's engines autocast on CUDA only and to float16, which needs a scaled loss; this inferer can autocast itself,
    on every device and to bfloat16, which needs none. That is for training: bfloat16 heatmaps move the maximum by up to
    a pixel in some percent of the landmarks.

    Where no domain is passed, an image that :class:`~monai_gu2net.transforms.MarkDomaind` marked goes to its own.

    An image that is larger than what its domain sees at once is seen in windows of that size, by MONAI's
    ``sliding_window_inference``: they overlap by half, and each counts most in its middle. Its heatmaps are kept in
    float32, 4 bytes for each landmark and pixel: 3.2 GiB for 51 landmarks and 256 x 256 x 256 voxels.

    An image of a domain with a mean shape may lie in any pose. A network that is not being trained looks at it in
    several, and at last in that of the shape; what it finds is on the grid of the image.

    Args:
        domains: by name, in the network's order, of which the first further argument is one's name or index; without
            it a single domain is meant. None: every image is seen as a whole.
        precision: "float32" (as the tensors are) or "bfloat16"; :func:`~monai_gu2net.engines.decide_precision` says
            which is faster.

    Raises:
        ValueError: precision is neither.

    Raises (when called):
        ValueError: no domain is passed, and the images are marked with different ones; or the heatmaps of a large image
            do not fit into memory.
    """

    def __init__(self, *, domains: Mapping[str, Domain] | None = None, precision: str = "float32") -> None:
        super().__init__()
        self.domains = dict(domains or {})
        if precision not in ("bfloat16", "float32"):
            raise ValueError(
                f"precision must be 'bfloat16' or 'float32'; got {precision!r}. Choose one, or let "
                "engines.decide_precision do it."
            )
        self.precision = precision

    def copies(self, domain: Domain) -> int:
        """Of the heatmaps of an image, at a time."""
        return 1 if domain.mean_shape is None else 3

    def __call__(self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any) -> torch.Tensor:
        """Logits (B, N, *spatial) of image (B, C, *spatial); further arguments go to the network."""
        args = with_domain(inputs, args)
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        if isinstance(network, torch.nn.Module) and network.training:
            return self.logits(image, lambda part: network(part, *args), self.domain(args))
        return self.found(image, lambda part: network(part, *args), self.domain(args))

    def found(
        self, image: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor], domain: Domain | None
    ) -> torch.Tensor:
        """Logits as :meth:`logits`, in the pose that the network knows, whatever that of the image is."""
        if domain is None or domain.mean_shape is None:
            return self.last_look(image, network, domain)

        def look(part: torch.Tensor, turned: Domain) -> torch.Tensor:
            return self.logits(part, network, turned)

        def last_look(part: torch.Tensor, turned: Domain) -> torch.Tensor:
            return self.last_look(part, network, turned)

        return torch.cat([logits_in_poses(one, look, last_look, domain) for one in image.split(1)])

    def last_look(
        self, image: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor], domain: Domain | None
    ) -> torch.Tensor:
        """Logits as :meth:`logits`, of the look that counts."""
        return self.logits(image, network, domain)

    def domain(self, args: tuple[Any, ...]) -> Domain | None:
        """The domain that a network's arguments name; None: it is not known, and any image is seen as a whole."""
        which = args[0] if args and args[0] is not None else 0 if len(self.domains) == 1 else None
        if isinstance(which, int) and 0 <= which < len(self.domains):
            return list(self.domains.values())[which]
        return self.domains.get(which) if isinstance(which, str) else None

    def logits(
        self, image: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor], domain: Domain | None
    ) -> torch.Tensor:
        """Logits (B, N, *spatial) of image (B, C, *spatial) by a network of the image alone."""

        def run(part: torch.Tensor) -> torch.Tensor:
            return network(_channels_last(part) if part.ndim == 4 else part)

        with self._autocast(image.device):
            if domain is None or domain.target_spacing is None or not _exceeds(image, domain.size):
                return run(image)
            check_memory(image, len(domain.landmarks), copies=self.copies(domain))
            return logits_in_windows(image, run, domain.size)

    def _autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        bfloat16 = self.precision == "bfloat16"
        return torch.autocast(device.type, torch.bfloat16) if bfloat16 else contextlib.nullcontext()


def _exceeds(image: torch.Tensor, size: tuple[int, ...]) -> bool:
    return any(length > most for length, most in zip(image.shape[2:], size, strict=True))


def _channels_last(image: torch.Tensor) -> torch.Tensor:
    """The image, channels last, and in strides that say so.

    Of one channel PyTorch calls both layouts the same and gives the strides of channels first; the first convolution
    then answers channels first, and the next ones rearrange all their features.
    """
    batch, channels, *size = image.shape
    strides = (channels * size[0] * size[1], 1, channels * size[1], channels)
    return image.contiguous(memory_format=torch.channels_last).as_strided((batch, channels, *size), strides)


def with_domain(inputs: torch.Tensor, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """A network's further arguments: as they are or, where there are none, the domain that the images are marked with.

    Raises:
        ValueError: the images of a batch are marked with different domains.
    """
    if args or not isinstance(inputs, MetaTensor) or DOMAIN_META not in inputs.meta:
        return args
    mark = inputs.meta[DOMAIN_META]
    names = {mark} if isinstance(mark, str) else set(mark)  # MONAI collates marks into a list
    if len(names) != 1:
        raise ValueError(f"A batch must be of one domain; its images are marked {sorted(names)}. Pass them one by one.")
    return (names.pop(),)
