"""`circuits render`: pictures of what units look for."""

from circuits.cli import picture_options as its
from circuits.cli.options import Layers, NetworkBesidePictures, NetworkName
from circuits.files import check_writable


def render(
    units: its.Units,
    file: its.File,
    sheet: its.Sheet = None,
    size: its.PictureSize = 128,
    steps: its.Steps = 256,
    seed: its.Seed = 0,
    diverse: its.Diverse = None,
    interpolate: its.Interpolate = None,
    filmstrip: its.Filmstrip = None,
    objective: its.Objective = None,
    photo: its.PhotoFile = None,
    direction: its.Direction = None,
    power: its.Power = None,
    images: its.Images = "fourier",
    spectrum: its.Spectrum = None,
    colours: its.Colours = "imagenet",
    alpha: its.Alpha = False,
    opacity: its.Opacity = None,
    prior: its.Prior = None,
    start: its.Start = None,
    transform: its.TransformName = "standard",
    total_variation: its.TotalVariation = 0.0,
    l1: its.L1 = 0.0,
    l2: its.L2 = 0.0,
    blur_gradient: its.BlurGradient = 0.0,
    blur_image: its.BlurImage = 0.0,
    network: NetworkName = "builtin",
    layers: Layers = "auto",
    *,
    options: NetworkBesidePictures,
) -> None:
    """Pictures of what units look for: one gives its picture, several a labelled sheet."""
    from circuits.cli.console import note, progress
    from circuits.cli.drawing import draw, tell_dead
    from circuits.cli.output import Output
    from circuits.cli.picture_settings import Manner
    from circuits.cli.render_targets import Subject

    output = Output(file, sheet)
    check_writable(file)
    subject = Subject(tuple(units), objective, photo, direction, power, diverse, interpolate, filmstrip)
    manner = Manner(
        size, steps, seed, images, spectrum, colours, alpha, opacity, prior, start,
        transform, total_variation, l1, l2, blur_gradient, blur_image,
    )  # fmt: skip
    loaded = options.load(network, layers)
    items = subject.items(loaded)
    output.check(loaded, items, subject, manner)
    with progress("Rendering") as report:
        rows = draw(loaded, items, subject, manner, report)
    tell_dead(rows)
    output.write(loaded, rows, subject, manner)
    note(f"Wrote {file}.")
