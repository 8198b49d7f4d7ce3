# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Finding heatmaps in an image: a network cut down to one domain, and test-time augmentation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from monai_gu2net.data.domain import Domain
from monai_gu2net.inferers.inferer import LandmarkInferer, with_domain
from monai_gu2net.inferers.polarity import logits_of_either_polarity
from monai_gu2net.transforms.beyond import beyond_border

__all__ = ["TTAInferer"]

_LEAST, _MOST = 1e-30, 1 - 2**-24  # float32 probabilities whose logits are finite


class TTAInferer(LandmarkInferer):
    """Runs a trained network, on the image and on slightly turned, scaled and shifted versions of it.

    The heatmaps of each version are brought back to the grid of the image, where their mean is taken over the versions
    that show a pixel. The first one is the image itself; the others are the same for every image. None is mirrored, for
    left and right landmarks are different ones. A radiograph that is recognised only when it is inverted is seen
    inverted, see :func:`~monai_gu2net.inferers.polarity.logits_of_either_polarity`.

    A network that can take one domain out (``specialize``), as those of this package, runs so: without the other
    domains' weights and with batch norms folded. What was taken out is kept, and taken out anew when the network is
    another one or its weights have changed.

    Args:
        tta: test-time augmentation: number of versions of the image; 1 is the image alone.
        degrees: they are turned by at most this, about each axis in 3-D.
        scale: and enlarged or shrunk by at most this fraction.
        shift_px: and shifted by at most this along each axis, in pixels of the network's input.
        seed: of the draws.
        precision: see :class:`LandmarkInferer`.
        domains: see :class:`LandmarkInferer`.
        compiled: what makes another callable of a network, called with a network of the image alone and an image, such
            as a :class:`monai_gu2net.export.Backend`. A network in training mode runs as it is.

    Raises:
        ValueError: tta is not a positive whole number, or precision is not known.
    """

    def __init__(
        self,
        *,
        tta: int = 1,
        degrees: float = 5.0,
        scale: float = 0.05,
        shift_px: float = 2.0,
        seed: int = 0,
        precision: str = "float32",
        domains: Mapping[str, Domain] | None = None,
        compiled: Callable[[torch.nn.Module, Tensor], Callable[[Tensor], Tensor]] | None = None,
    ) -> None:
        super().__init__(domains=domains, precision=precision)
        if isinstance(tta, bool) or not isinstance(tta, int) or tta < 1:
            raise ValueError(f"tta must be a positive whole number; got {tta!r}. 1 is the image itself.")
        self.tta, self.degrees, self.scale, self.shift_px, self.seed = tta, degrees, scale, shift_px, seed
        self.compiled = compiled
        self._taken_out: dict[Any, tuple[list[Any], Callable[[Tensor], Tensor]]] = {}

    def copies(self, domain: Domain) -> int:
        """See :class:`LandmarkInferer`."""
        return super().copies(domain) if self.tta == 1 else 3

    def __call__(  # type: ignore[override]
        self, inputs: Tensor, network: torch.nn.Module, *args: Any
    ) -> Tensor:
        """Logits (B, N, *spatial) of the mean heatmaps of image (B, C, *spatial); the rest goes to the network."""
        args = with_domain(inputs, args)
        image = inputs.as_subclass(Tensor)  # without the mark, which has been read
        run, domain = self._one_domain(network, args, image), self.domain(args)
        if image.ndim == 4:  # a volume's values have a meaning that nobody inverts
            return logits_of_either_polarity(image, lambda seen: self.found(seen, run, domain))
        return self.found(image, run, domain)

    def last_look(self, image: Tensor, network: Callable[[Tensor], Tensor], domain: Domain | None) -> Tensor:
        """See :class:`LandmarkInferer`; the mean of the versions."""
        logits = self.logits(image, network, domain)
        if self.tta == 1:
            return logits
        image = image.float()
        outside, _ = beyond_border(image.flatten(0, 1), "lowest" if image.ndim == 5 else "zeros")
        outside = outside.unflatten(0, image.shape[:2])
        total = logits.float().sigmoid()
        del logits  # of a volume they are large
        seen = torch.ones_like(total[:1, :1])
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.tta - 1):
            matrix, shift = self._draw(image.ndim - 2, generator)
            if domain is not None and domain.target_spacing is not None:  # it is in millimetres that a turn is one
                lengths = torch.tensor(domain.target_spacing, dtype=matrix.dtype)
                matrix = matrix * lengths / lengths.unsqueeze(-1)
            version = _resample(image - outside, matrix, shift) + outside
            heatmaps = self.logits(version, network, domain).float().sigmoid()
            back = torch.linalg.inv(matrix)
            shown = _resample(torch.ones_like(heatmaps[:1, :1]), back, -back @ shift)
            total += _resample(heatmaps, back, -back @ shift)
            seen += shown
            del heatmaps
        return total.div_(seen).clamp_(_LEAST, _MOST).logit_()

    def _one_domain(self, network: torch.nn.Module, args: tuple[Any, ...], image: Tensor) -> Callable[[Tensor], Tensor]:
        """The network of the domain that the arguments name, which takes the image alone."""
        take_out = getattr(network, "specialize", None)
        if not isinstance(network, torch.nn.Module) or network.training or not (take_out or self.compiled):
            return lambda part: network(part, *args)
        tensors = chain(network.parameters(), network.buffers())
        # one made in inference mode does not count its changes, so nothing equals its state
        state = [network, *((t.data_ptr(), object() if t.is_inference() else t._version) for t in tensors)]
        kept = self._taken_out.get(args)
        if kept is None or kept[0] != state:
            alone = take_out(*args or (None,)) if take_out else _OfImage(network, args)
            run = alone if self.compiled is None else self.compiled(alone, image)
            kept = self._taken_out[args] = state, run
        return kept[1]

    def _draw(self, dims: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Matrix (D, D) and shift (D,) of a version, about the centre of the image."""
        numbers = 2 * torch.rand(dims * dims + dims + 1, generator=generator, dtype=torch.float64) - 1
        turn = math.radians(self.degrees) * numbers[: dims * dims].view(dims, dims).triu(1)
        matrix = torch.linalg.matrix_exp(turn - turn.T) * (1 + self.scale * numbers[-1])
        return matrix, self.shift_px * numbers[dims * dims : -1]


class _OfImage(torch.nn.Module):
    """A network that takes the image alone, for its other arguments are given."""

    def __init__(self, network: torch.nn.Module, others: tuple[Any, ...]) -> None:
        super().__init__()
        self.network, self.others = network, others
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image, *self.others)
        return logits


def _resample(image: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """(B, C, *spatial) whose pixel q is the image's at centre + matrix (q - centre) + shift; 0 outside."""
    size = image.shape[2:]
    centre = torch.tensor([(length - 1) / 2 for length in size], dtype=torch.float64)
    axes = [torch.arange(length, dtype=torch.float64) for length in size]
    pixels = torch.stack(torch.meshgrid(axes, indexing="ij"), dim=-1) - centre
    # grid_sample counts from -1 to 1 between the centres of the first and the last pixel, last axis first
    places = (pixels @ matrix.T + shift) / centre.clamp(min=0.5)
    grid = places.flip(-1).to(image).expand(image.shape[0], *places.shape)
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
