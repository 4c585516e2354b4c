"""Write docs/networks.md: what every classifier of torchvision does when it is put through `tests.zoo_checks`.

    PYTHONPATH=. python docs/make_networks.py            all of them, ten minutes or more
    PYTHONPATH=. python docs/make_networks.py resnet18   only some; the other rows stay as they are

The file is written anew after each network, so that an interrupted run may go on with what is left.
"""

import sys
from pathlib import Path

import torch
import torchvision

from tests.zoo_checks import DEPTH, NAMES, known_rows, row

PAGE = Path(__file__).with_name("networks.md")
HEAD = f"""# Networks

Every image classifier of torchvision, put through the whole of the library with random weights. The table is made by
`docs/make_networks.py`, with torchvision {{version}}; the checks are those of `tests/zoo_checks.py`. The tests run them
for the smallest of each family, and `pytest -m slow tests/test_zoo.py -s` for all. For each network:

1. It loads by its name with random weights, and has the same layers as one that is prepared from a live module.
2. Prepared, it puts out what the original does. Column *output*: the largest difference, relative to the largest
   output.
3. A circuit is traced to depth {DEPTH}. In each layer a unit's edges are compared with one plain gradient through the
   whole network, with nothing cut, sliced or batched. Column *edges*: the largest difference, relative to Σ |S|.
4. The books are closed in float64. Where a layer is piecewise linear over the one below, what its units do not account
   for is the biases alone, computed independently (the cap of a ReLU6 counts as one). Column *books*: the largest gap,
   relative to the larger of |f| and Σ |S|. Column *exact*: of how many layers above the lowest this holds. In the
   others GELU, SiLU, hard-swish, squeeze-and-excitation, layer norm or attention lie between; there the file calls what
   is left the `remainder`, and the check sees that it is more than the biases.
5. A unit each of the lowest, a middle and the highest layer is drawn. The circuit is written to a file, read, and
   expanded from there.

MaxViT takes only multiples of 224 pixels. The others were run at 64 pixels (Inception v3 at 80), which changes the size
of the maps and nothing else.

## Transformers

Swin and MaxViT work by the same definition: a layer is a tensor that every path passes through. Swin's tensors are
(N, H, W, C), tokens in the rows and columns of the photo's patches; they are turned to (N, C, H, W), and its blocks are
its layers. MaxViT's windows are no rows and columns of the photo; its layers are its blocks, outside of which the
tensors are whole again.

The vision transformers (`vit_…`) are refused, with a sentence that says why: their tensors are (N, tokens, channels),
with a class token among the patches, so that a unit has no map to show over the photo; and the logits read that one
token alone.

## Table

| network | layers | from … to | exact | output | edges | books | status |
| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |
"""


def main(names: list[str]) -> None:
    """Make the rows of some networks anew, and write the page after each."""
    torch.set_num_threads(1)
    for name in names or NAMES:
        rows = known_rows(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
        rows[name] = row(name)
        print(rows[name], flush=True)
        table = "\n".join(rows[known] for known in NAMES if known in rows)
        version = torchvision.__version__.partition("+")[0]
        PAGE.write_text(f"{HEAD.format(version=version)}{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
