"""A shop with two splits, two models that predicted them, and partitions; made once, only read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from eval.commands.report import report
from tests.eval.report.shop import (
    around_gold,
    by_model,
    doubt,
    freeze,
    partitioned,
    sold_at_random,
    stocked,
)
from warehouse.console import Group

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.store import Store

SHARE = {
    "promise": "share:2<=0.3",
    "confidence": 0.95,
    "made": True,
    "fit_value": 0.2,
    "judge_value": 0.21,
    "kept": True,
    "answer": "At most 30 % of traffic in tier 2.",
}
PRECISION = {
    "promise": "precision:4>=0.99",
    "confidence": 0.95,
    "made": False,
    "fit_value": None,
    "judge_value": None,
    "kept": None,
    "answer": "No threshold can promise this; about 900 queries would be needed.",
}


def reasoning(position: int, tier: int) -> str:
    """What a model wrote."""
    return f"The query names pan {position}.\nThe item is a wok.\nTier: {tier}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The store, and ids of its partitions: in one θ, in three, and one that was judged on what it was fitted on."""

    store: Store
    one: str
    three: str
    flattering: str


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Forty queries to fit on, forty to judge on, six pairs each."""
    store = stocked(tmp_path_factory.mktemp("shop"), sold_at_random(80, 6))
    splits = [
        freeze(store, "calibration", "query LIKE 'fit %'"),
        freeze(store, "eval", "query LIKE 'held %'"),
    ]
    fast = by_model(store, "answer-first", splits, around_gold(1, 2.0))
    slow = by_model(store, "reason-first", splits, around_gold(2, 1.5), reasoning)
    doubt(store, splits[1])
    return Shelf(
        store,
        one=partitioned(store, slow, *splits, promises=[SHARE, PRECISION], warnings=["forty queries only"]),
        three=partitioned(store, fast, *splits, kind="per-boundary"),
        flattering=partitioned(store, slow, splits[1], splits[1]),
    )


ONE_THETA = ("--predictor", "tiny.reason-first", "--split", "eval_v1", "--versus", "tiny.answer-first")


@pytest.fixture(scope="session")
def printed(shelf: Shelf) -> str:
    """The Markdown on the partition in one θ."""
    return run(shelf.store, *ONE_THETA, "--partition", shelf.one)


@pytest.fixture(scope="session")
def source(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The HTML on the same."""
    return page_of(shelf.store, tmp_path_factory.mktemp("page"), *ONE_THETA, "--partition", shelf.one)


def run(store: Store, *arguments: object, code: int = 0) -> str:
    """Run ``eval report``: what it printed, or its error."""
    group = Group("eval")
    group.add_command(report)
    asked: list[Any] = ["report", "--resamples", 100, *arguments, "--db", store.path]
    done = CliRunner().invoke(group, [*map(str, asked)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout if code == 0 else done.stderr


def page_of(store: Store, folder: Path, *arguments: object) -> str:
    """The HTML that it wrote."""
    out = folder / "report.html"
    run(store, *arguments, "--out", out)
    return out.read_text(encoding="utf-8")
