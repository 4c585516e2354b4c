"""The package's name on the index, and the other package that is installed under its import name."""

import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import circuits
from circuits.errors import mixed_installation
from circuits.files import DISTRIBUTION, versions
from tests.support import limits
from tests.support.commandline import refusal, run

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_distribution_has_the_name_that_its_files_and_errors_use() -> None:
    assert f'name = "{DISTRIBUTION}"' in PYPROJECT
    assert versions("torch").keys() == {"circuits", "torch"}
    assert f'\nversion = "{versions()["circuits"]}"\n' in PYPROJECT


def test_both_commands_start_the_command_line() -> None:
    scripts = re.findall(r'^([\w-]+) = "circuits\.cli\.main:main"$', PYPROJECT, re.MULTILINE)
    assert sorted(scripts) == ["circuit-explorer", "circuits"]


def test_the_lowest_versions_are_those_of_every_dependency() -> None:
    told = limits.python(ROOT / ".ci" / "lowest").stdout
    pinned = dict(line.split("==") for line in told.splitlines())
    needed = tomllib.loads(PYPROJECT)["project"]["dependencies"]
    assert [f"{name}>={pinned[name]}" for name in pinned][: len(needed)] == needed


def test_a_folder_that_is_ours_alone_is_fine() -> None:
    assert mixed_installation() is None
    assert mixed_installation(str(Path(circuits.__file__).parent)) is None


@pytest.fixture
def framework(tmp_path: Path) -> Path:
    """A folder with a package `circuits` that is the event framework's."""
    (tmp_path / "circuits" / "core").mkdir(parents=True)
    (tmp_path / "circuits" / "core" / "manager.py").touch()
    (tmp_path / "circuits" / "__init__.py").touch()
    return tmp_path


def test_the_event_framework_in_the_same_folder_is_told_in_one_sentence(framework: Path) -> None:
    told = mixed_installation(str(framework / "circuits"))
    assert re.fullmatch(
        r"Another package named circuits, .* pip uninstall circuits, then pip install [^.]*\.", told or ""
    )


def test_what_uninstalling_it_took_away_is_told_with_how_to_bring_it_back(tmp_path: Path) -> None:
    told = mixed_installation(str(tmp_path))
    assert re.fullmatch(r".* has no __init__\.py, .* pip install .* circuit-explorer brings it back\.", told or "")


def test_the_first_import_warns(framework: Path) -> None:
    for name in ("__init__.py", "__init__.pyi", "errors.py"):
        (framework / "circuits" / name).write_bytes(Path(circuits.__file__).with_name(name).read_bytes())
    said = limits.python("-c", "import circuits", cwd=framework, check=False)
    assert said.returncode == 0
    assert "UserWarning: Another package named circuits" in said.stderr


def test_the_command_line_refuses_to_run_on_the_other_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuits.cli.main.circuits", ModuleType("circuits"))
    monkeypatch.setattr("circuits.cli.main.mixed_installation", lambda: "Another package lies here.")
    assert refusal(run("--version")) == "Error: Another package lies here."
