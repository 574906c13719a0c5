"""The review loop at size: samples pushed, answers pulled, agreement measured.

    python -m benchmarks.review [--answers 10000]

Pairs of made-up text with a sample each go through `annotation push`, get one answer each by way of Argilla's API, and
come back through `annotation pull`, twice. Beside the first pull stands what people write by hand: the SDK's iteration
over all records with their responses, into a list in memory; the two take turns, three times, each pull into a store of
its own. Aims: the first pull of 10,000 answers under 60 s, a second one with nothing new under 5 s.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from annotation.home import Home
from annotation.review.agreement import measure
from annotation.review.pull import pull
from annotation.review.push import Target, push
from annotation.review.records import Selection
from annotation.serving import Options, serving
from tests.annotation.shelf import Judged, fill
from warehouse.store import Store

if TYPE_CHECKING:
    import argilla as rg

_BATCH, _TURNS = 250, 3


def judged(count: int) -> list[Judged]:
    """Pairs, eight to a query, with an answer of 60 words each."""
    made = []
    for number in range(count):
        draw = random.Random(number)
        words = " ".join(f"word{draw.randint(1, 20_000)}" for _ in range(60))
        description = " ".join(f"word{draw.randint(1, 20_000)}" for _ in range(80))
        tier = draw.randint(1, 4)
        made.append(
            Judged(f"query {number // 8}", f"Item {number}", tier, (f"{tier}\n{words}.",), description)
        )
    return made


def answer_all(dataset: rg.Dataset, users: dict[str, str]) -> None:
    """Two annotators answer every record, with a span in every second."""
    client = dataset._client
    offset = 0
    while True:
        page = client.http_client.get(
            f"/api/v1/datasets/{dataset.id}/records", params={"offset": offset, "limit": _BATCH}
        ).json()["items"]
        if not page:
            return
        items = [
            {
                "id": record["id"],
                "fields": record["fields"],
                "metadata": record["metadata"],
                "responses": [_response(record, user) for user in users.values()],
            }
            for record in page
        ]
        client.http_client.put(
            f"/api/v1/datasets/{dataset.id}/records/bulk", json={"items": items}
        ).raise_for_status()
        offset += len(page)


def _response(record: dict[str, Any], user: str) -> dict[str, Any]:
    draw = random.Random(f"{record['external_id']}{user}")
    values: dict[str, Any] = {
        "tier": str(draw.randint(1, 4)),
        "quality": draw.randint(1, 5),
        "failing_steps": draw.choice([["none"], ["item"], ["query", "verdict"]]),
    }
    if draw.random() < 0.5:
        start = draw.randint(0, 200)
        values["hallucinations"] = [{"label": "unsupported", "start": start, "end": start + 20}]
    return {
        "user_id": user,
        "status": "submitted",
        "values": {name: {"value": value} for name, value in values.items()},
    }


def by_hand(dataset: rg.Dataset) -> list[dict[str, Any]]:
    """What a script without Tierwise does: every response in a list."""
    return [
        {"record": record.id, "user": response.user_id, response.question_name: response.value}
        for record in dataset.records(with_responses=True, with_suggestions=False)
        for response in record.responses
    ]


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@click.command()
@click.option("--answers", type=click.IntRange(100), default=10_000, show_default=True)
def main(answers: int) -> None:
    """Print the table."""
    import argilla as rg

    with tempfile.TemporaryDirectory(prefix="tw-review-") as name:
        folder = Path(name)
        store = Store(folder / "x.duckdb")
        fill(store, judged(answers // 2))
        home = Home.of(store)
        options = Options(port=0, annotators=("ann", "bob"))
        with serving(home, options, lambda text: click.echo(text, err=True)) as (ready, _):
            users = home.credentials()
            os.environ |= {"ARGILLA_API_URL": ready.url, "ARGILLA_API_KEY": str(users["owner"].api_key)}
            pushed = _seconds(lambda: push(store, Selection(), Target(overlap=2), lambda _done, _total: None))
            again = _seconds(lambda: push(store, Selection(), Target(), lambda _done, _total: None))
            client = rg.Argilla(api_url=ready.url, api_key=users["owner"].api_key)
            dataset = client.datasets("review", workspace="tierwise")
            assert dataset is not None
            ids = {u.username: str(u.id) for u in client.users if u.username in ("ann", "bob")}
            click.echo("answering", err=True)
            answer_all(dataset, ids)
            turns: dict[str, list[float]] = {"ours": [], "sdk": [], "second": []}
            for turn in range(_TURNS):
                copy = Store(Path(shutil.copy(store.path, folder / f"{turn}.duckdb")))
                turns["ours"].append(_seconds(lambda: pull(copy, None, lambda _n: None)))  # noqa: B023
                turns["sdk"].append(_seconds(lambda: by_hand(dataset)))
                turns["second"].append(_seconds(lambda: pull(copy, None, lambda _n: None)))  # noqa: B023
            with copy.read() as connection:
                found = connection.execute("SELECT count(*) FROM current_reviews").fetchall()[0][0]
            agreed = _seconds(lambda: measure(copy, None, resamples=1000, seed=0))
            client.http_client.close()
    ratios = [sdk / ours for sdk, ours in zip(turns["sdk"], turns["ours"], strict=True)]
    rows = [
        (f"push of {answers // 2:,} records", pushed, ""),
        ("the same push again", again, ""),
        (f"pull of {found:,} answers", median(turns["ours"]), "aim 60"),
        (
            "the same by the SDK into a list",
            median(turns["sdk"]),
            f"{median(ratios):.2f} × ours ({min(ratios):.2f} to {max(ratios):.2f})",
        ),
        ("a second pull, nothing new", median(turns["second"]), "aim 5"),
        ("agreement, 1,000 resamples", agreed, ""),
    ]
    click.echo("\n| | seconds | |\n|---|---|---|")
    for what, seconds, note in rows:
        click.echo(f"| {what} | {seconds:.1f} | {note} |")


if __name__ == "__main__":
    main()
