"""What can be chosen on the page, and what each choice means, in a sentence."""

MODES = {
    "sum": "Gradient × activation, summed over positions: fast, and the parts sum to the value.",
    "target": "The same, weighted by the effect on the target.",
    "ig": "Gradients integrated on the way from the baseline: slower.",
    "ablate": "The measured change when a unit is set to its baseline: slow.",
    "frozen": "Attention, norms and gates held as they are in this photo, so that the parts sum to the value.",
}


SUM_OF_CURVED = "Gradient × activation, summed over positions: fast; what bends the network leaves a remainder."


BASELINES = {
    "zero": "Shares of each unit's whole activation.",
    "mean": "Shares of how far each unit is from its mean over {source}.",
}
"""What shares are measured from."""


SIGNS = {
    "positive": "Only units that excite the one above.",
    "both": "Excitatory and inhibitory units, ranked by magnitude.",
}


def without_means(network: str) -> str:
    """That there are no means to measure shares from, and how to get them."""
    return f"There are no means of {network}'s units yet; make an index of photos with: circuits exemplars FOLDER."


METHODS = {
    "gradient": "The plain gradient: which pixels the value depends on. Faithful, but noisy.",
    "gradient_x_input": "The gradient times the photo: what each pixel contributes.",
    "guided": "Only positive gradients are propagated back: easy to read, but not evidence.",
    "deconvnet": "Deconvolution (Zeiler and Fergus 2014): easy to read, but not evidence.",
}


STARTS = {"peak": "Around the place where it fired most.", "map": "From every place where it fired."}
