"""Monte Carlo values of reasoning steps: where a chain that ends wrong went wrong.

From the end of each step of a sample the same model writes K continuations. The share of them that ends on the gold
tier is the value of the step: how much of the way is still open. Continuations are samples of a configuration of their
own, so that they have keys, parts, lineage and a bill like all others; samples that begin alike share them.

Source: Wang et al., Math-Shepherd (arXiv 2312.08935), section 3.3, soft estimation; Luo et al. (arXiv 2406.06592).
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.backends import Decoding, Message
from curation.backends.opening import DEFAULT, Engine, find_model
from curation.budget import UNLIMITED, Budget
from curation.checks.chain import read_chain
from curation.checks.checked_text import CheckedText
from curation.configurations import Configuration, model_id, pick_configuration
from curation.grading import parse
from curation.models import SERVED
from curation.prompts import for_continuing, parse_template, prompt_hash
from curation.sampling import sample
from curation.sampling_plan import Rendered, by_template
from curation.selection import selected_pairs
from warehouse.errors import TierwiseError
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.parts import arrow_schema, replace_rows
from warehouse.schema import TABLE_BY_NAME

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Mapping, Sequence

    import duckdb

    from curation.backends import Backend
    from curation.drawing import Progress
    from curation.grading import Format
    from curation.models import ModelReference, ServedModel
    from curation.prompts import Template
    from warehouse.store import Store


@dataclass(frozen=True, slots=True)
class ChainStep:
    """A step of a chain.

    Attributes:
        name: As findings name it.
        start: Its first character in the text.
        stop: The one after its last.
        next_start: Where the text goes on: behind the line break, where one follows.
    """

    name: str
    start: int
    stop: int
    next_start: int


def chain_steps(text: str, *, finished: bool, form: Format = "reason-first") -> list[ChainStep]:
    """The steps of a text, lines of a rationale or sentences: up to where it gives its tier, or after it.

    Args:
        text: What was generated.
        finished: Whether it came to an end; else what its token limit cut through is no step.
        form: Where the tier stands.
    """
    verdict = parse(text, form).offset if form == "reason-first" else None
    chain = read_chain(CheckedText(text=text, form=form, tier=None, query="", title=""))
    steps = []
    for line in chain.lines:
        if verdict is not None and line.stop > verdict >= line.start:
            break
        after = text[line.stop :]
        blank = len(after) - len(after.lstrip())
        # A sentence goes on with a blank, which tokens carry at their front.
        skipped = blank if "\n" in after[:blank] else 0
        steps.append(ChainStep(line.step, line.start, line.stop, line.stop + skipped))
    is_cut = not finished and bool(steps) and steps[-1].next_start == len(text)
    return steps[:-1] if is_cut and not text.endswith("\n") else steps


@dataclass(frozen=True, slots=True)
class _Base:
    """The configuration whose samples are continued."""

    configuration_id: str
    text: str
    template: Template
    decoding: Decoding
    model_id: str
    model_name: str


def continue_steps(
    store: Store,
    load: Callable[[ModelReference | ServedModel], Backend],
    *,
    engine: Engine = DEFAULT,
    configuration: str | None = None,
    model: str | None = None,
    rollouts: int = 8,
    samples: int = 1,
    where: str | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    budget: Budget = UNLIMITED,
    dry_run: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Draw what is missing of `rollouts` continuations from the end of each step; return the counts.

    Killed at any moment, the same call again goes on. Values are in the view ``step_values``.

    Args:
        store: The store; written before anything is drawn, then for checkpoints.
        load: Opens the model; called only if something is missing.
        engine: Where else it is served.
        configuration: Beginning of the id of the configuration whose samples are continued, reason-first; the newest
            finished without.
        model: Where its model is now, if not where it was sampled.
        rollouts: Continuations wanted from the end of each step.
        samples: Samples taken of each pair, those of the lowest index.
        where: SQL condition over ``pair_overview``.
        limit: At most so many pairs, the same ones each time.
        retry_failed: Try again what failed before.
        budget: Once it is spent nothing more is begun.
        dry_run: Only count what is missing.
        report: Called after each finished batch.

    Raises:
        TierwiseError: No such configuration or pairs, one that cannot be continued, or a model that is another.
    """
    store.merge_waiting()
    with store.read() as connection:
        base = _read_base(connection, configuration)
        # By itself first, so that what is wrong with it is told in its own words.
        selected_pairs(connection, where)
        # A limit is one of pairs that have a sample.
        where = (
            f"({where or 'true'}\n) AND pair_id IN "
            f"(SELECT pair_id FROM samples WHERE configuration_id = '{base.configuration_id}')"
        )
        selected_pairs(connection, where, limit)
        begun = connection.execute(_SAMPLES, [base.configuration_id, samples]).fetchall()
    if not begun:
        raise TierwiseError(
            f"no sample of {base.text} on the selected pairs; `python -m curation sample` first, or name another "
            "--configuration"
        )
    found = find_model(model or base.model_name, engine)
    if str(model_id(found)) != base.model_id:
        raise TierwiseError(
            f"{found.name} is another model than that of {base.text}; name its own place with --model"
        )
    continuing = Configuration(found, for_continuing(base.template), base.decoding)
    steps, beginnings = _steps(begun, continuing.configuration_id)
    counts = {"samples": len(begun), "steps": len(steps)}
    if not dry_run:
        _save_steps(store, steps, base)
    drawn = sample(
        store,
        continuing,
        lambda: load(found),
        n=rollouts,
        where=where,
        limit=limit,
        kind="continuations",
        render=_render(base.template, beginnings),
        retry_failed=retry_failed,
        budget=budget,
        dry_run=dry_run,
        report=report,
    )
    return {"continued": base.configuration_id, **counts, **drawn}


# Samples of the text that the pair has now; what an item had that was taken down is empty.
_SAMPLES = """
    SELECT CAST(s.sample_id AS VARCHAR), CAST(s.pair_id AS VARCHAR), s.text, s.finish_reason = 'stop', r.messages
    FROM samples s SEMI JOIN selected USING (pair_id) JOIN rendered_prompts r USING (pair_id, prompt_hash)
    JOIN pairs p ON p.pair_id = s.pair_id AND p.item_version_id = r.item_version_id
    WHERE s.configuration_id = ?::UUID AND s.sample_index < ? AND s.text <> '' ORDER BY s.sample_id
"""


def _read_base(connection: duckdb.DuckDBPyConnection, prefix: str | None) -> _Base:
    picked = pick_configuration(connection, prefix)
    if picked.format != "reason-first":
        raise TierwiseError(
            f"{picked.text} gives its tier before any step: there is nothing to continue; name a reason-first "
            "configuration with --configuration"
        )
    name, text, decoding, identity, model, path = connection.execute(
        "SELECT t.name, t.text, c.decoding, CAST(m.model_id AS VARCHAR), m.name, m.path FROM configurations c "
        "JOIN prompts t USING (prompt_id) JOIN models m USING (model_id) WHERE configuration_id = ?::UUID",
        [picked.configuration_id],
    ).fetchall()[0]
    parameters = Decoding(**json.loads(decoding))
    if parameters.temperature == 0:
        raise TierwiseError(
            f"{picked.text} is greedy: all continuations would be one; sample with a temperature first"
        )
    # The server of a served model stands in its path.
    served = model.startswith(SERVED) and "://" in path
    place = (
        f"{SERVED}{path}#{model.removeprefix(SERVED)}"
        if served
        else model
        if model.startswith(SERVED)
        else path
    )
    return _Base(
        picked.configuration_id, picked.text, parse_template(name, text), parameters, identity, place
    )


def _steps(
    begun: Sequence[tuple[str, str, str, bool, str]], continued_by: uuid.UUID
) -> tuple[list[dict[str, Any]], dict[tuple[str, str], list[str]]]:
    """Rows of ``sample_steps``; and by pair and prompt the beginnings of answers, each once."""
    rows = []
    beginnings: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for sample_id, pair_id, text, finished, stored in begun:
        messages = tuple(Message(**turn) for turn in json.loads(stored))
        key = pair_id, str(prompt_hash(messages))
        for index, step in enumerate(chain_steps(text, finished=finished), 1):
            beginning = text[: step.next_start]
            beginnings[key][beginning] = None
            rows.append(
                {
                    "step_id": str(content_id("step", sample_id, index)),
                    "sample_id": sample_id,
                    "pair_id": pair_id,
                    "step_index": index,
                    "step": step.name,
                    "span_start": step.start,
                    "span_stop": step.stop,
                    "continued_by": str(continued_by),
                    "prefix_hash": str(prompt_hash(_continued(messages, beginning))),
                }
            )
    return rows, {key: list(each) for key, each in beginnings.items()}


def _save_steps(store: Store, steps: Sequence[dict[str, Any]], base: _Base) -> None:
    import pyarrow as pa

    run = Run("steps", {"continued": base.configuration_id})
    with store.write(run) as connection:
        table = TABLE_BY_NAME["sample_steps"]
        rows = [{**step, "run_id": str(run.run_id)} for step in steps]
        connection.register("steps_read", pa.Table.from_pylist(rows, schema=arrow_schema(table)))
        connection.execute(f"CREATE TEMP TABLE fresh_steps AS FROM {table.name} LIMIT 0")
        connection.execute("INSERT INTO fresh_steps BY NAME FROM steps_read")
        run.summary = replace_rows(
            connection,
            table.name,
            "fresh_steps",
            compared=("span_start", "span_stop", "continued_by", "prefix_hash"),
            among="sample_id IN (SELECT sample_id FROM fresh_steps)",
        )


def _render(
    template: Template, beginnings: Mapping[tuple[str, str], list[str]]
) -> Callable[[dict[str, Any]], list[Rendered]]:
    once = by_template(template)

    def render(row: dict[str, Any]) -> list[Rendered]:
        return [
            Rendered(_continued(prompt.messages, beginning))
            for prompt in once(row)
            for beginning in beginnings.get((row["pair_id"], str(prompt_hash(prompt.messages))), ())
        ]

    return render


def _continued(messages: tuple[Message, ...], beginning: str) -> tuple[Message, ...]:
    return (*messages, Message("assistant", beginning))
