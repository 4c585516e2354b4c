"""`circuits what-if` on the hand-wired network, whose answers are known."""

import json
import math
import re
from pathlib import Path

import pytest

from tests.support.commandline import on_handmade, refusal, run, save_photo

RED, GREEN, BLUE = 255 / 255, 128 / 255, 64 / 255
WARM, COLD = 3 * (2 * RED - GREEN) - (BLUE + 0.5) + 0.1, BLUE + 0.5


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    return [str(save_photo(tmp_path)), *on_handmade(tmp_path)]


def test_json_tells_each_class_before_and_after(asked: list[str]) -> None:
    result = run("what-if", *asked, "--unit", "conv2:0=0.5", "-u", "conv1:2-3=2", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["changes"] == [
        {"unit": "conv1:2", "factor": 2.0},
        {"unit": "conv1:3", "factor": 2.0},
        {"unit": "conv2:0", "factor": 0.5},
    ]
    warm, cold = told["effects"]
    assert (warm["class"], warm["label"], cold["label"]) == (0, "warm", "cold")
    assert warm["before"]["logit"] == pytest.approx(WARM, abs=1e-5)
    assert warm["after"]["logit"] == pytest.approx(1.5 * (2 * RED - GREEN) - (2 * BLUE + 0.5) + 0.1, abs=1e-5)
    assert cold["after"]["logit"] == pytest.approx(2 * BLUE + 0.5, abs=1e-5)
    assert cold["before"]["probability"] == pytest.approx(1 / (1 + math.exp(WARM - COLD)), abs=1e-5)


def test_the_table_shows_before_and_after(asked: list[str]) -> None:
    result = run("what-if", *asked, "--unit", "conv2:1@1,2=0", "--unit", "conv2:0=0", "--top", 1)
    assert result.exit_code == 0
    assert "conv2:0 × 0, conv2:1@1,2 × 0:" in result.stdout
    after = -COLD * 15 / 16 + 0.1
    assert after < 0
    assert f"{WARM:.2f} → −{-after:.2f}" in result.stdout
    assert f"−{WARM - after:.2f}" in result.stdout
    assert not re.search(r"-\d", result.stdout.partition("\n")[2])
    share = 100 / (1 + math.exp(COLD - WARM)), 100 / (1 + math.exp(COLD * 15 / 16 - after))
    assert f"{share[0]:.1f} → {share[1]:.1f} %" in result.stdout
    # Cold leads afterwards.
    assert "cold" in result.stdout


def test_a_class_that_does_not_lead_is_shown_if_asked_for(asked: list[str]) -> None:
    changed = ["what-if", *asked, "--unit", "conv2:2=0", "--top", 1]
    assert "cold" not in run(*changed).stdout
    assert f"{COLD:.2f} → {COLD:.2f}" in run(*changed, "--class", "cold").stdout


def test_many_changes_are_counted_and_not_listed(asked: list[str]) -> None:
    units = [f"--unit=conv1:0@{row},{column}=0" for row in range(4) for column in range(3)]
    assert "conv1:0@2,1 × 0 and 4 more:" in run("what-if", *asked, *units).stdout


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        ("conv2:0", "--unit 'conv2:0' has no factor; write UNIT=FACTOR, such as conv4:17=0."),
        ("conv2:0=much", "--unit 'conv2:0=much' has no factor"),
        ("conv2:0=5", "The factor of conv2:0 is 5.0; it must be a number from 0"),
        ("conv2:0=nan", "The factor of conv2:0 is nan"),
        ("conv2:9=0", "No unit conv2:9"),
        ("fc:warm=0", "fc:0 is 'warm' itself"),
        ("=0", "No layer ''"),
    ],
)
def test_what_cannot_be_changed_is_said_in_one_sentence(asked: list[str], unit: str, sentence: str) -> None:
    assert sentence in refusal(run("what-if", *asked, "--unit", unit))


def test_two_factors_for_a_unit_are_refused(asked: list[str]) -> None:
    said = refusal(run("what-if", *asked, "-u", "conv2:0-2=0", "-u", "conv2:1=2"))
    assert said == "Error: --unit gives conv2:1 two factors, 0 and 2; give it one."


def test_without_a_unit_the_help_is_named(asked: list[str]) -> None:
    assert "Missing option '--unit'" in refusal(run("what-if", *asked))
