"""How good is a circuit? What its units and edges keep of the target, beside controls of the same shape."""

from circuits.evaluation.card import Card
from circuits.evaluation.controls import by_activation, by_gradient, by_tracing, by_weights, random_like, randomised
from circuits.evaluation.edges import score_edges
from circuits.evaluation.evaluating import evaluate
from circuits.evaluation.scoring import Score, Scored, score_units
from circuits.evaluation.sets import Search, Sources, Units, sources_of, units_of

__all__ = [
    "Card",
    "Score",
    "Scored",
    "Search",
    "Sources",
    "Units",
    "by_activation",
    "by_gradient",
    "by_tracing",
    "by_weights",
    "evaluate",
    "random_like",
    "randomised",
    "score_edges",
    "score_units",
    "sources_of",
    "units_of",
]
