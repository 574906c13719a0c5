"""A model of a few million parameters learns the shop's rationales: how often its form holds, and its steps are right.

    python -m benchmarks.rationales                        # reason-first
    python -m benchmarks.rationales --prompt answer-first

All by the real commands: a generated shop, of which twelve categories and three kinds of query are taken, its
derivations as a teacher's rationales, frozen splits (the combinations of the eval split are unseen in training), SFT of
a randomly initialised model with a tokenizer of its own, one greedy answer to each held-out pair. What it says is held
against the shop's truth, step by step. The errors that `curation check` finds, which knows no truth, are held against
it too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click
import duckdb
import numpy as np

from curation.rationales.rationale import Rationale
from curation.rationales.reading import AGAINST_VERDICT, Reject, read_answer
from curation.shop import INGEST_OPTIONS
from curation.shop.derivations import parse_derivation
from curation.shop.wordings import Steps, steps_right

if TYPE_CHECKING:
    from curation.grading import Format

_CATEGORIES = (
    "running socks", "hiking socks", "beanie", "headband", "desk lamp", "clip-on lamp",
    "laptop sleeve", "laptop hard case", "sleeping bag", "camping quilt", "foam camping mat", "inflatable camping mat",
)  # fmt: skip
_TAKEN = (
    "kind IN ('plain', 'question', 'negation') AND query_id IN "
    f"(SELECT query_id FROM queries WHERE regexp_extract(intent, ': ([^;]+)', 1) IN {_CATEGORIES})"
)
HELD_OUT = "pair_id IN (SELECT pair_id FROM split_members WHERE split = 'eval_v1')"
_OTHERS = "query_id NOT IN (SELECT query_id FROM split_queries WHERE role <> 'train')"
_ANSWERS = """
    SELECT s.text, s.finish_reason, s.completion_tokens, q.text, q.text || ' ' || v.title, q.intent, j.reason,
        EXISTS (SELECT 1 FROM current_findings f WHERE f.text_id = s.sample_id AND f.severity = 'error')
    FROM (FROM samples SEMI JOIN newest_configuration USING (configuration_id)) s
    JOIN split_members p ON p.pair_id = s.pair_id AND p.split = 'eval_v1' JOIN queries q USING (query_id)
    JOIN item_versions v ON v.item_version_id = p.item_version_id JOIN judgments j ON j.judgment_id = p.judgment_id
    ORDER BY s.sample_id
"""


def run(*arguments: object, store: Path | None = None) -> str:
    """Run ``python -m …`` and return what it prints; end the benchmark if it fails."""
    at_store = ["--db", str(store)] if store else []
    command = [sys.executable, "-m", *map(str, arguments), *at_store]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[2:])}\n{done.stdout}{done.stderr}")
    return done.stdout


def _prepare(store: Path, pairs: int, held_out: int, prompt: str) -> None:
    """A store with the shop's pairs, their rationales and two splits."""
    shop = store.with_name("shop.csv")
    run("curation", "synthesize", "--pairs", pairs, "--seed", 11, "--out", shop)
    run("curation", "ingest", "table", shop, *INGEST_OPTIONS, store=store)
    run("curation", "rules", "load", "shop", store=store)
    run("curation", "rationales", "--teacher", "shop", "--where", _TAKEN, store=store)
    of_eval = ("--role", "eval", "--where", _TAKEN, "--size", held_out)
    run("curation", "split", "create", "eval", *of_eval, store=store)
    apart = ("--where", f"{_TAKEN} AND {_OTHERS}", "--drop-near-copies")
    taught = ("--rationales", "shop", "--prompt", prompt)
    run("curation", "split", "create", "train", *apart, *taught, store=store)


def trained_model(
    folder: Path, prompt: str, pairs: int, held_out: int, steps: int, width: int, layers: int
) -> tuple[Path, Path]:
    """The store of the shop and the model trained on its rationales in `folder`, made if they are not there."""
    store, model = folder / "shop.duckdb", folder / "trained"
    if (model / "config.json").is_file():
        return store, model
    folder.mkdir(parents=True, exist_ok=True)
    _prepare(store, pairs, held_out, prompt)
    settings = {
        "max_steps": steps,
        "per_device_train_batch_size": 16,
        "learning_rate": 3e-3,
        # A model that starts from nothing learns to read from prompts too: their titles come back in brand lines.
        "prompt-loss-weight": 0.2,
        "bf16": True,
        "attn_implementation": "eager",
        "gradient_checkpointing": False,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 100,
        "save_steps": 500,
        "logging_steps": 50,
    }
    options = [each for name, value in settings.items() for each in (f"--{name}", value)]
    new, shape = folder / "new-model", ("--width", width, "--layers", layers, "--vocabulary", 3_000)
    run("training.scratch", "--split", "train_v1", "--out", new, *shape, store=store)
    run("training.sft", "--split", "train_v1", "--model", new, "--out", model, *options, store=store)
    return store, model


def _training(store: Path, model: Path) -> tuple[float, float]:
    """Millions of parameters of the trained model, and the minutes that training took."""
    from safetensors.torch import load_file

    with duckdb.connect(str(store), read_only=True) as connection:
        seconds = connection.execute(
            "SELECT epoch(ended_at - started_at) FROM runs WHERE kind = 'sft' AND status = 'finished'"
        ).fetchall()[0][0]
    parameters = sum(tensor.numel() for tensor in load_file(model / "model.safetensors").values())
    return parameters / 1e6, seconds / 60


def _judge(store: Path, form: Format) -> tuple[dict[str, list[tuple[str, bool]]], dict[str, int], float]:
    """For each promise of a rationale, whether each answer keeps it, by query; rejects by reason; mean tokens."""
    with duckdb.connect(str(store), read_only=True) as connection:
        answers = connection.execute(_ANSWERS).fetchall()
    kept: dict[str, list[tuple[str, bool]]] = {}
    rejects: dict[str, int] = {}
    for text, finish, _, query, about, intent, reason, is_found in answers:
        rationale = read_answer(text, form, about, finished=finish == "stop")
        if isinstance(rationale, Reject):
            rejects[rationale.reason] = rejects.get(rationale.reason, 0) + 1
            right = Steps(*[False] * len(fields(Steps)))
        else:
            right = steps_right(rationale, parse_derivation(intent, reason))
        read = isinstance(rationale, Rationale)
        formed = read or (isinstance(rationale, Reject) and rationale.reason == AGAINST_VERDICT)
        kept.setdefault("in the form", []).append((query, formed))
        kept.setdefault("digit and verdict agree", []).append((query, read))
        for field in fields(Steps):
            kept.setdefault(f"{field.name} right", []).append((query, getattr(right, field.name)))
        kept.setdefault("every step right", []).append((query, right.all))
        if not right.all:
            kept.setdefault("of answers with a wrong step, those with an error found", []).append(
                (query, is_found)
            )
        if is_found:
            kept.setdefault("of answers with an error found, those with a wrong step", []).append(
                (query, not right.all)
            )
    return kept, rejects, sum(answer[2] for answer in answers) / len(answers)


def share_of(answers: list[tuple[str, bool]]) -> str:
    """Share that keeps it, with a 95 % interval by bootstrap over queries."""
    by_query: dict[str, list[bool]] = {}
    for query, kept in answers:
        by_query.setdefault(query, []).append(kept)
    sums = np.array([[sum(each), len(each)] for each in by_query.values()])
    drawn = np.random.default_rng(0).integers(len(sums), size=(2_000, len(sums)))
    totals = sums[drawn].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], (0.025, 0.975))
    return f"{sums[:, 0].sum() / sums[:, 1].sum():.3f} ({low:.3f} to {high:.3f})"


@click.command()
@click.option("--prompt", type=click.Choice(["answer-first", "reason-first"]), default="reason-first")
@click.option("--pairs", default=100_000, show_default=True)
@click.option("--held-out", default=400, show_default=True)
@click.option("--steps", default=3_000, show_default=True)
@click.option("--width", default=192, show_default=True)
@click.option("--layers", default=4, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="A folder to work in and leave.")
def main(
    prompt: Format, pairs: int, held_out: int, steps: int, width: int, layers: int, keep: Path | None
) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        store, model = trained_model(folder, prompt, pairs, held_out, steps, width, layers)
        drawn = ("--n", 1, "--temperature", 0, "--max-tokens", 256, "--prompt", prompt, "--batch-size", 64)
        run("curation", "sample", "--model", model, *drawn, "--where", HELD_OUT, store=store)
        run("curation", "check", "--where", HELD_OUT, store=store)
        kept, rejects, tokens = _judge(store, prompt)
        parameters, minutes = _training(store, model)
    click.echo(
        f"{parameters:.1f} million parameters, {steps} steps of 16 in {minutes:.0f} minutes, {prompt}, "
        f"{tokens:.0f} tokens an answer, {len(kept['in the form'])} held-out pairs"
    )
    click.echo("| | share of answers |\n|---|---|")
    for name, answers in kept.items():
        click.echo(f"| {name} | {share_of(answers)} |")
    click.echo(f"rejects: {rejects or 'none'}")


if __name__ == "__main__":
    main()
