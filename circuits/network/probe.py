"""Run a module on an example before it is explained: does it take it, is it sure of its answer, and one row a photo?

1. The copy of the user's module runs once, as it was made, before anything is rewritten. What it says then is what the
   prepared network is compared with.
2. The prepared network runs on three photos, of which two are equal: each must give what it gives alone. Where it does
   not, as with statistics of the batch, the network is run one photo at a time (`rows`).
"""

import re
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from circuits.errors import InputError
from circuits.image.preprocessing import Preprocessing
from circuits.network.copying import has_lazy
from circuits.network.execute import execute, image_node
from circuits.network.fx import line_of
from circuits.network.outputs import output_node
from circuits.network.signature import image_arguments, output_tensors

_SIDES = (28, 32, 64, 96, 112, 128, 160, 192, 224, 227, 256, 299)
"""Input sizes that are tried where another does not fit."""
_SAME = 1e-3
"""Of an output, relative to its largest value: what a batch may change."""


def example_for(preprocessing: Preprocessing) -> Tensor:
    """Seeded noise of a network's input size, (1, c, h, w)."""
    shape = (1, preprocessing.channels, *preprocessing.size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float32)


def first_pass(module: nn.Module, example: Tensor, *, name: str) -> list[Tensor]:
    """The outputs of a plain copy of a module for an example; lazy modules are made by it.

    Raises:
        InputError: if it wants more than one input, does not take the example, or gives another answer each time.
    """
    image_arguments(module.forward, example)
    with torch.random.fork_rng(devices=[]):
        if has_lazy(module):
            torch.manual_seed(0)
            _run(module, example, name)
            module.cpu().requires_grad_(False)
        before = torch.get_rng_state()
        outputs = _run(module, example, name)
        if not torch.equal(before, torch.get_rng_state()):
            _refuse_chance(module, example, outputs, name)
    if not outputs:
        raise InputError(f"{name} puts out no tensor; make it return its logits, (N, classes).")
    return outputs


def _run(module: nn.Module, example: Tensor, name: str) -> list[Tensor]:
    try:
        return _outputs(module, example)
    except (Exception, SystemExit) as error:  # the network's own code may raise anything
        raise InputError(_why_not_taken(module, example, error, name)) from error


def _outputs(module: nn.Module, example: Tensor) -> list[Tensor]:
    """Run a module as its code may want it: without gradients, or with them, or on numbers of its weights' type."""
    dtype = next((value.dtype for value in module.parameters() if value.is_floating_point()), torch.float32)
    with _compiling_nothing(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lazy modules, and whatever users' code warns of
        try:
            return _run_plainly(module, example.clone())
        except RuntimeError as error:
            if "grad" in str(error):
                with torch.enable_grad():  # its forward asks for gradients; no leaf, so that it may be overwritten
                    outputs = output_tensors(_called(module, example.clone().requires_grad_().clone()))
                    return [each.detach().float() for each in outputs]
            if dtype is torch.float32:
                raise
            return _run_plainly(module, example.to(dtype))


def _compiling_nothing() -> AbstractContextManager[Any]:
    """Let what `torch.compile` has decorated run as it was written; it was never asked for where it is not loaded."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def _called(module: nn.Module, image: Tensor) -> Any:
    args, kwargs = image_arguments(module.forward, image)
    return module(*args, **kwargs)


@torch.no_grad()
def _run_plainly(module: nn.Module, example: Tensor) -> list[Tensor]:
    return [each.detach().float() for each in output_tensors(_called(module, example))]


def _why_not_taken(module: nn.Module, example: Tensor, error: Exception | SystemExit, name: str) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    given = example.shape[1]
    if (wanted := re.search(r"to have (\d+) channels, but got (\d+) channels", reason)) and int(wanted[2]) == given:
        channels = int(wanted[1])
        if channels in (1, 3):
            way = f"give mean and std of {channels} number{'s' * (channels > 1)} each, for images of so many channels"
        else:
            way = "a photo has 3, or 1 in grey: put a layer before it that makes its channels of a photo's"
        return f"{name} does not take an input of {tuple(example.shape)}: it reads {channels} channels; {way}."
    size = fitting_size(lambda images: _outputs(module, images), given)
    looks_like_size = re.search(r"shape|size|dimension|must match|too small|assert", f"{type(error)} {reason}".lower())
    is_other = isinstance(error, IndexError | KeyError) and not size  # as of `batch["image"]`, which is no tensor
    way = f"; {size}give its size" if size or (looks_like_size and not is_other) else line_of(error)
    return f"{name} does not take an input of {tuple(example.shape)}: {reason}{way}."


def fitting_size(run: Callable[[Tensor], list[Tensor]], channels: int) -> str:
    """`is it 32 × 32? `, if that is the only usual size that a network takes and gives one row for; else empty."""
    fitting: list[int] = []
    for side in _SIDES:
        try:
            outputs = run(torch.zeros(1, channels, side, side))
        except (Exception, SystemExit):  # whatever its code raises for a size that it is not made for
            continue
        if outputs and all(len(each) == 1 for each in outputs if each.dim() in (2, 4)):
            fitting.append(side)
        if len(fitting) > 1:
            return ""
    return f"is it {fitting[0]} × {fitting[0]}? " if fitting else ""


class _FirstDraw(TorchFunctionMode):
    """Notes the line at which the first random number is drawn."""

    line = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = None if self.line else torch.get_rng_state()
        result = func(*args, **(kwargs or {}))
        if before is not None and not torch.equal(before, torch.get_rng_state()):
            self.line = line_of(traceback.extract_stack()[:-1])
        return result


def _refuse_chance(module: nn.Module, example: Tensor, outputs: list[Tensor], name: str) -> None:
    first = _FirstDraw()
    with first:
        again = _outputs(module, example)
    if all(_is_same(one, other) for one, other in zip(outputs, again, strict=True)):
        return
    raise InputError(
        f"{name} gives another answer each time it sees the same photo, because it draws random numbers in eval mode"
        f"{first.line}; make it certain, as F.dropout(x, p, self.training) is."
    )


def refuse_memory(module: nn.Module, example: Tensor, *, name: str) -> None:
    """Refuse a plain copy of a module that says another thing when it sees the same photo again.

    Raises:
        InputError: if it does.
    """
    first, again = _outputs(module, example), _outputs(module, example)
    if not all(_is_same(one, other) for one, other in zip(first, again, strict=True)):
        raise InputError(
            f"{name} gives another answer each time it sees the same photo, because its forward changes what it keeps, "
            "such as a buffer or a counter; let it change nothing in eval mode."
        )


def check_rows(traced: fx.GraphModule, outputs: list[Tensor], example: Tensor, *, name: str) -> None:
    """Refuse a network that gives any other number of rows for one photo than one.

    Raises:
        InputError: if it does.
    """
    rows = next((len(each) for each in outputs if each.dim() in (2, 4) and len(each) != 1), 1)
    if rows != 1:
        height, width = example.shape[2:]
        size = fitting_size(partial(_run_traced, traced), example.shape[1])
        raise InputError(
            f"{name} gives {rows} rows for one photo of {height} × {width}; "
            f"{f'{size}give its size (--size)' if size else 'it must give one: explain the part of it that does'}."
        )


def _run_traced(traced: fx.GraphModule, images: Tensor) -> list[Tensor]:
    ends = output_node(traced).all_input_nodes
    with torch.no_grad():
        values = execute(traced, {image_node(traced): images}, ends)
    return [values[end] for end in ends]


def runs_in_batches(traced: fx.GraphModule, top: fx.Node, example: Tensor, alone: Tensor) -> bool:
    """Whether each photo of a batch gives what it gives alone.

    Args:
        traced: the prepared network.
        top: the node of its output.
        example: a photo, (1, c, h, w).
        alone: its output, (1, …).
    """
    # Of another brightness and contrast, so that statistics of a batch of both differ from those of each.
    other = example.flip(2, 3) * 0.4 + 0.7

    def run(images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            values: Tensor = execute(traced, {image_node(traced): images}, [top])[top]
        return values

    try:
        together = run(torch.cat([example, example, other]))  # in no order that is the same from its end
    except Exception:  # as of `x.view(1, -1)`
        return False
    expected = torch.cat([alone, alone, run(other)])
    return _is_same(together, expected)


def _is_same(found: Tensor, expected: Tensor) -> bool:
    # NaN, which damaged weights make of every photo, is no difference; it has a sentence of its own.
    if found.shape != expected.shape or not torch.equal(found.isfinite(), expected.isfinite()):
        return False
    found, expected = found[found.isfinite()], expected[expected.isfinite()]
    scale = float(expected.abs().max()) if expected.numel() else 0.0
    return bool(((found - expected).abs() <= _SAME * max(scale, 1e-12)).all())
