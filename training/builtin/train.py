"""How the built-in network was trained: `python -m training.builtin.train DATA --out FOLDER`.

1. Every epoch draws photos so that small classes count more than their size (`data.shares`).
2. Every photo is seen as a random view (`data.vary`), small at first and larger towards the end: small
   views cost less, and objects then look about as large as in the whole photos that are classified
   later (Touvron 2019, "Fixing the train-test resolution discrepancy").
3. The network predicts the class; a second linear layer, thrown away later, predicts the finer synset
   from the same features, so that these tell breeds and kinds apart.
4. Stochastic gradient descent with Nesterov momentum, the rate rising and falling once (Smith 2017,
   "Super-convergence"); the running average of the weights is what is kept.
5. Classes were drawn more evenly than they occur; the logits' biases are moved half of the way back.
6. Batch norms get the statistics of whole photos, which are sharper than the views (`measure`).
7. Batch norms are folded into the convolutions and the weights written with 16 bits.

Chance depends on the seed and the epoch alone, so a run that was interrupted ends like one that was not.
"""

import copy
import json
import math
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from jaxtyping import Float, Int
from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.nn import functional

from circuits.builtin import MEAN, STD
from circuits.builtin.architecture import CHANNELS, BuiltinNetwork, build
from training.builtin.classes import LABELS
from training.builtin.data import Photos, draw, read, shares, shift, vary
from training.builtin.folding import fold, pooled_features
from training.builtin.recipe import SECOND, Recipe, phase_at, rate_at

SHIFT = 8
"""Farthest move of a sharp view along a side, in pixels."""


class Trainee(nn.Module):
    """The network in training, with the layer that predicts the synset."""

    def __init__(self, synsets: int) -> None:
        super().__init__()
        self.network = build(batch_norm=True)
        self.fine = nn.Linear(CHANNELS[-1], synsets)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the classes and of the synsets."""
        features = pooled_features(self.network, x)
        return self.network.fc(features), self.fine(features)


@dataclass
class Run:
    """What a run needs to go on: written after every epoch."""

    trainee: Trainee
    average: Trainee
    optimizer: torch.optim.SGD
    epoch: int
    steps: int
    seconds: float


def start(recipe: Recipe, synsets: int) -> Run:
    """A run that has done no epoch yet."""
    torch.manual_seed(recipe.seed)
    trainee = Trainee(synsets).to(memory_format=torch.channels_last)
    weights = [weight for weight in trainee.parameters() if weight.ndim > 1]
    others = [weight for weight in trainee.parameters() if weight.ndim == 1]
    groups = [{"params": weights, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum, nesterov=True)
    return Run(trainee, copy.deepcopy(trainee), optimizer, epoch=0, steps=0, seconds=0.0)


def save(run: Run, recipe: Recipe, path: Path) -> None:
    """Write a checkpoint; an interrupted write leaves the earlier one."""
    state = {
        "recipe": asdict(recipe),
        "trainee": run.trainee.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "epoch": run.epoch,
        "steps": run.steps,
        "seconds": run.seconds,
    }
    unfinished = path.with_name(path.name + ".part")
    torch.save(state, unfinished)
    os.replace(unfinished, path)


def resume(recipe: Recipe, synsets: int, path: Path) -> Run:
    """The run of a checkpoint, or a new one if there is none.

    Raises:
        ValueError: if the checkpoint was written by another recipe.
    """
    run = start(recipe, synsets)
    if not path.exists():
        return run
    state: dict[str, Any] = torch.load(path, weights_only=True)
    differing = [key for key, value in asdict(recipe).items() if state["recipe"].get(key) != value]
    if differing:
        key = differing[0]
        raise ValueError(
            f"{path} was written with {key} {state['recipe'].get(key)!r}, not {asdict(recipe)[key]!r}; "
            "repeat its options, or choose another --out."
        )
    run.trainee.load_state_dict(state["trainee"])
    run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.epoch, run.steps, run.seconds = state["epoch"], state["steps"], state["seconds"]
    return run


def begin(recipe: Recipe, synsets: int, path: Path, *, after: Path | None) -> Run:
    """The run of a checkpoint or, if there is none, a new one: from random or from another run's averaged weights."""
    run = resume(recipe, synsets, path)
    if after is not None and run.epoch == 0:
        average = torch.load(after, weights_only=True)["average"]
        run.trainee.load_state_dict(average)
        run.average.load_state_dict(average)
    return run


def normalise(pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Subtract the mean, divide by the standard deviation; channels last in memory, which is faster."""
    scaled = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    return scaled.contiguous(memory_format=torch.channels_last)


def train_epoch(run: Run, photos: Photos, recipe: Recipe, *, progress: Progress) -> float:
    """One epoch, in place.

    Returns:
        The mean loss.
    """
    begun = time.monotonic()
    generator = torch.Generator().manual_seed(recipe.seed * 100_003 + run.epoch)
    portions = shares(photos, power=recipe.power, emphasis=dict(recipe.emphasis))
    drawn = draw(photos.classes, portions, count=len(photos), generator=generator)
    batches = [batch for batch in torch.split(drawn, recipe.batch) if len(batch) > 1]
    size, closest = phase_at(run.epoch / recipe.epochs, recipe)
    run.trainee.network.conv1.requires_grad_(run.epoch / recipe.epochs < recipe.settled)
    task = progress.add_task(f"epoch {run.epoch + 1}", total=len(batches), loss=math.nan)
    total = 0.0
    run.trainee.train()
    for step, batch in enumerate(batches):
        rate = rate_at((run.epoch + step / len(batches)) / recipe.epochs, recipe)
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        count = round(recipe.sharp * len(batch))
        blurred, sharp = batch[count:], batch[:count]
        views = vary(photos.pixels[blurred], photos.boxes[blurred], size=size, closest=closest, generator=generator)
        if count:
            moved = shift(photos.pixels[sharp], reach=SHIFT, generator=generator)
            views = torch.cat([moved, views])
        total += train_step(run, recipe, normalise(views), photos.classes[batch], photos.synsets[batch])
        progress.update(task, advance=1, loss=total / (step + 1))
    run.epoch += 1
    run.seconds += time.monotonic() - begun
    progress.remove_task(task)
    return total / len(batches)


def train_step(
    run: Run,
    recipe: Recipe,
    views: Float[Tensor, "n 3 h w"],
    classes: Int[Tensor, " n"],
    synsets: Int[Tensor, " n"],
) -> float:
    """One step on one batch, in place; the loss before it."""
    with torch.autocast("cpu", torch.bfloat16):
        coarse, fine = run.trainee(views)
    loss = functional.cross_entropy(coarse.float(), classes, label_smoothing=recipe.smoothing)
    loss = loss + recipe.fine * functional.cross_entropy(fine.float(), synsets)
    run.optimizer.zero_grad()
    torch.autograd.backward(loss)
    run.optimizer.step()
    run.steps += 1
    # At first the average must follow quickly, or the random weights of the start would stay in it.
    keep = min(recipe.averaging, (1 + run.steps) / (10 + run.steps))
    with torch.no_grad():
        pairs = zip(run.average.state_dict().values(), run.trainee.state_dict().values(), strict=True)
        for average, current in pairs:
            if average.is_floating_point():
                average.lerp_(current, 1 - keep)
            else:
                average.copy_(current)
    return float(loss.detach())


@torch.no_grad()
def predict(network: BuiltinNetwork, photos: Photos, *, batch: int = 250) -> Int[Tensor, " n"]:
    """The class that the network gives each whole photo: one view, nothing averaged."""
    network.eval()
    answers = [network(normalise(pixels.float() / 255)).argmax(1) for pixels in torch.split(photos.pixels, batch)]
    return torch.cat(answers)


def recalls(answers: Int[Tensor, " n"], classes: Int[Tensor, " n"]) -> dict[str, float]:
    """Part of each class's photos that were given that class; classes without photos are left out.

    >>> recalls(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    {'cat': 0.5, 'dog': 1.0}
    """
    right = (answers == classes).double()
    return {
        label: float(right[classes == index].mean())
        for index, label in enumerate(LABELS)
        if bool((classes == index).any())
    }


@torch.no_grad()
def measure(network: BuiltinNetwork, photos: Photos, *, count: int, batch: int) -> None:
    """Set the batch norms' means and variances, in place, to those of whole photos as they are.

    Views in training are magnified and so blurred; statistics of such views do not fit the sharp photos
    that are classified later. `count` photos, spread over all, are looked at; weights stay as they are.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network.train()
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(0))[:count]
    for chosen in torch.split(order, batch):
        pooled_features(network, normalise(photos.pixels[chosen].float() / 255))
    network.eval()


@torch.no_grad()
def finish(run: Run, photos: Photos, recipe: Recipe) -> BuiltinNetwork:
    """The averaged network, folded, its biases corrected for how often classes were drawn.

    A logit learns log p(class | photo) under the frequencies of training; other frequencies need
    log(wanted / drawn) added (Menon 2021, "Long-Tail Learning via Logit Adjustment"), of which this
    adds the part `recipe.prior`. A class without photos keeps its bias.
    """
    trained = copy.deepcopy(run.average.network)
    measure(trained, photos, count=recipe.measured, batch=recipe.batch)
    network = fold(trained)
    drawn = shares(photos, power=recipe.power, emphasis=dict(recipe.emphasis))
    occurring = shares(photos, power=1.0, emphasis={})
    shift = torch.where(drawn > 0, torch.log(occurring / drawn), 0.0)
    network.fc.bias.add_(recipe.prior * shift)
    return network


def export(network: BuiltinNetwork, folder: Path) -> None:
    """Write `weights.safetensors` and `labels.txt`, each in one stroke."""
    halves = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    contents = {
        "weights.safetensors": to_bytes(halves),
        "labels.txt": "".join(f"{label}\n" for label in LABELS).encode(),
    }
    for name, content in contents.items():
        (folder / f"{name}.part").write_bytes(content)
        os.replace(folder / f"{name}.part", folder / name)


def report(console: Console, answers: Int[Tensor, " n"], photos: Photos, folder: Path, *, run: Run) -> None:
    """Print the accuracy, overall and per class, and write it to `accuracy.json`."""
    by_class = recalls(answers, photos.classes)
    top = float((answers == photos.classes).double().mean())
    balanced = sum(by_class.values()) / len(by_class)
    table = Table("class", "photos", "recall", title=f"top-1 {top:.1%}, mean over classes {balanced:.1%}")
    for label, recall in by_class.items():
        table.add_row(label, str(int((photos.classes == LABELS.index(label)).sum())), f"{recall:.0%}")
    console.print(table)
    figures = {"top1": top, "balanced": balanced, "epochs": run.epoch, "seconds": run.seconds, "recall": by_class}
    (folder / "accuracy.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def main(
    data: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The archive of photos (.npz).")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoint, weights and figures.")] = Path("trained"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the photos.")] = Recipe.epochs,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is left to chance.")] = Recipe.seed,
    check: Annotated[int, typer.Option(min=1, help="Validate after every so many epochs.")] = 5,
    after: Annotated[
        Path | None, typer.Option(exists=True, help="A checkpoint of the first run: do the second, from its weights.")
    ] = None,
) -> None:
    """Train the built-in network, or go on where the last run in the folder stopped."""
    console = Console()
    recipe = Recipe(epochs=epochs, seed=seed) if after is None else replace(SECOND, epochs=epochs, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    training, held_out = read(data)
    synsets = int(training.synsets.max()) + 1
    run = begin(recipe, synsets, out / "checkpoint.pt", after=after)
    columns = (*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(*columns, console=console, transient=True) as progress:
        while run.epoch < recipe.epochs:
            loss = train_epoch(run, training, recipe, progress=progress)
            save(run, recipe, out / "checkpoint.pt")
            line = f"epoch {run.epoch}/{recipe.epochs}: loss {loss:.3f}, {run.seconds:.0f} s"
            if run.epoch % check == 0 or run.epoch == recipe.epochs:
                answers = predict(finish(run, training, recipe), held_out)
                line += f", held out {float((answers == held_out.classes).double().mean()):.1%}"
            console.print(line)
    network = finish(run, training, recipe)
    export(network, out)
    report(console, predict(network, held_out), held_out, out, run=run)


if __name__ == "__main__":
    typer.run(main)
