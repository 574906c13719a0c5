"""The documents say what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click

from annotation.__main__ import main as annotation
from curation.__main__ import main as curation
from docs.generate import STAGES
from eval.__main__ import main as evaluate
from warehouse.__main__ import main as warehouse

ROOT = Path(__file__).resolve().parent.parent
GROUPS = {"warehouse": warehouse, "curation": curation, "annotation": annotation, "eval": evaluate}


def test_generated_documents_are_current(tmp_path: Path) -> None:
    # A process of its own, since click keeps a command's help option as whoever asked first had it.
    subprocess.run([sys.executable, "-m", "docs.generate", tmp_path], cwd=ROOT, check=True)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"commands.md", "data-dictionary.md"}
    for name in sorted(made):
        now = (tmp_path / name).read_text(encoding="utf-8")
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == now, "run `make docs`"


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for package, group in GROUPS.items():
        for name in group.commands:
            assert re.search(rf"python -m {package} {name}\b|^\| `{name}\b", readme, re.MULTILINE), name


def test_every_stage_is_in_the_readme_and_every_stage_there_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"-m (training\.[a-z]+)", readme))
    assert named == {stage.name for stage in STAGES}


def test_every_command_in_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"python -m (warehouse|curation|annotation|eval) ([a-z][a-z-]*)(?: ([a-z]+))?", readme)
    assert named
    for package, verb, second in named:
        group: click.Group = GROUPS[package]
        assert verb in group.commands, verb
        command = group.commands[verb]
        if isinstance(command, click.Group):
            assert second in command.commands, f"{verb} {second}"


def test_every_path_in_the_readme_tree_exists() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("## What is where")[1].split("```")[1]
    folder = ROOT
    for line in tree.strip().splitlines():
        name = line.split()[0]
        folder = ROOT if not line.startswith(" ") else folder
        assert (folder / name).exists(), line
        if not line.startswith(" ") and name.endswith("/"):
            folder = ROOT / name
