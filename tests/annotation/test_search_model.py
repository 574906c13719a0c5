"""Random operations on a dataset, compared with a model of what Argilla promises."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import argilla as rg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.annotation.review import KINDS, LABELS, ModelRecord, Review, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.annotation.conftest import Served

EXAMPLES, STEPS = 6, 50
OVERLAP = 2
USERS = ("ann", "bob")

words = st.sampled_from(["red", "Steel", "pan", "crème", "无线", "5", "kettle", "redder"])
texts = st.lists(words, min_size=1, max_size=5).map(" ".join)
metadata = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(KINDS),
        "tier": st.integers(1, 4),
        "confidence": st.sampled_from([0.25, 0.5, 0.75]),
    },
)
suggestions = st.none() | st.tuples(
    st.sampled_from(LABELS), st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from(["m1", "m2"])
)
numbers = st.integers(0, 30)


class Operations(RuleBasedStateMachine):
    """What users and programs do to a dataset, and what they ask of it."""

    served: Served

    @initialize()
    def make(self) -> None:
        self.review = Review(self.served, OVERLAP)
        self.model: dict[str, ModelRecord] = {}
        self.responses: dict[tuple[str, str], str] = {}
        self.made = 0

    def teardown(self) -> None:
        if hasattr(self, "review"):
            self.review.dataset.delete()

    def pick(self, number: int) -> str:
        return sorted(self.model)[number % len(self.model)]

    @rule(added=st.lists(st.tuples(texts, texts, metadata, suggestions), min_size=1, max_size=4))
    def add(self, added: list[tuple[str, str, dict[str, Any], Any]]) -> None:
        records = []
        for title, text, values, suggestion in added:
            name = f"r{self.made:03d}"
            self.made += 1
            self.model[name] = ModelRecord(title, text, values, suggestion)
            records.append(record(name, title, text, metadata=values, suggestions=_suggested(suggestion)))
        self.review.log(records)

    @precondition(lambda self: self.model)
    @rule(number=numbers, title=texts, text=texts)
    def edit_texts(self, number: int, title: str, text: str) -> None:
        name = self.pick(number)
        self.model[name].title, self.model[name].text = title, text
        self.review.log([record(name, title, text, metadata=self.model[name].metadata)])

    @precondition(lambda self: self.model)
    @rule(number=numbers, values=metadata)
    def edit_metadata(self, number: int, values: dict[str, Any]) -> None:
        name = self.pick(number)
        self.model[name].metadata = values
        self.review.request("PATCH", f"records/{self.review.ids[name]}", json={"metadata": values})

    @precondition(lambda self: self.model)
    @rule(number=numbers, suggestion=suggestions.filter(bool))
    def suggest(self, number: int, suggestion: tuple[str, float, str]) -> None:
        name = self.pick(number)
        value, score, agent = self.model[name].suggestion = suggestion
        body = {
            "question_id": str(self.review.questions["right"]),
            "value": value,
            "score": score,
            "agent": agent,
        }
        self.review.request("PUT", f"records/{self.review.ids[name]}/suggestions", json=body)

    @precondition(lambda self: self.model)
    @rule(number=numbers)
    def withdraw_suggestions(self, number: int) -> None:
        name = self.pick(number)
        self.model[name].suggestion = None
        self.review.request("PATCH", f"records/{self.review.ids[name]}", json={"suggestions": []})

    @precondition(lambda self: self.model)
    @rule(
        number=numbers,
        user=st.sampled_from(USERS),
        status=st.sampled_from(["submitted", "draft", "discarded"]),
        label=st.sampled_from(LABELS),
        quality=st.integers(1, 5),
    )
    def respond(self, number: int, user: str, status: str, label: str, quality: int) -> None:
        name = self.pick(number)
        values = {"right": label, "quality": quality}
        body = {"status": status, "values": {q: {"value": value} for q, value in values.items()}}
        if (response := self.responses.get((name, user))) is None:
            self.responses[name, user] = self.review.respond(name, user, status, values)
        else:
            self.review.request("PUT", f"responses/{response}", user=user, json=body)
        self.model[name].responses[user] = (status, values)

    @precondition(lambda self: self.responses)
    @rule(number=numbers)
    def withdraw_response(self, number: int) -> None:
        name, user = sorted(self.responses)[number % len(self.responses)]
        self.review.request("DELETE", f"responses/{self.responses.pop((name, user))}", user=user)
        del self.model[name].responses[user]

    @precondition(lambda self: self.model)
    @rule(chosen=st.sets(numbers, min_size=1, max_size=3))
    def delete(self, chosen: set[int]) -> None:
        names = {self.pick(number) for number in chosen}
        self.review.delete(sorted(names))
        for name in names:
            del self.model[name]
            for user in USERS:
                self.responses.pop((name, user), None)

    @rule(first=words, second=words, form=st.sampled_from(["{} {}", "{} | {}", "{} -{}", '"{} {}"']))
    def look_for_texts(self, first: str, second: str, form: str) -> None:
        a, b = first.lower(), second.lower()

        def matches(its: ModelRecord) -> bool:
            words = [word.lower() for word in its.words()]
            return {
                "{} {}": a in words and b in words,
                "{} | {}": a in words or b in words,
                "{} -{}": a in words and b not in words,
                # A phrase is of one field or of the two in a row.
                '"{} {}"': (a, b) in itertools.pairwise(words),
            }[form]

        assert sorted(self.review.find(form.format(first, second))) == self.names(matches)

    @rule(word=words, length=st.integers(1, 3))
    def look_for_a_beginning(self, word: str, length: int) -> None:
        beginning = word[:length].lower()

        def matches(its: ModelRecord) -> bool:
            return any(word.lower().startswith(beginning) for word in its.words())

        assert sorted(self.review.find(f"{word[:length]}*")) == self.names(matches)

    @rule(kind=st.sampled_from(KINDS), tier=st.integers(1, 4), word=st.none() | words)
    def filter_by_metadata(self, kind: str, tier: int, word: str | None) -> None:
        def matches(its: ModelRecord) -> bool:
            return (
                its.metadata.get("kind") == kind
                and its.metadata.get("tier", 0) >= tier
                and (word is None or word.lower() in [w.lower() for w in its.words()])
            )

        found = self.review.find(word, ("metadata.kind", "==", kind), ("metadata.tier", ">=", tier))
        assert sorted(found) == self.names(matches)

    @rule(label=st.sampled_from(LABELS), agent=st.sampled_from(["m1", "m2"]))
    def filter_by_suggestion(self, label: str, agent: str) -> None:
        conditions = (
            ("right.suggestion", "==", label),
            ("right.agent", "==", agent),
            ("right.score", ">=", 0.5),
        )

        def matches(its: ModelRecord) -> bool:
            return its.suggestion is not None and its.suggestion in [(label, 0.5, agent), (label, 0.9, agent)]

        assert sorted(self.review.find(None, *conditions)) == self.names(matches)

    @rule(
        user=st.sampled_from(USERS),
        statuses=st.sets(st.sampled_from(["submitted", "draft", "discarded", "pending"])),
    )
    def filter_a_queue(self, user: str, statuses: set[str]) -> None:
        scope = {"entity": "response", "property": "status"}
        wanted = [{"type": "terms", "scope": scope, "values": sorted(statuses)}] if statuses else []
        total, found = self.review.search(user, **({"filters": {"and": wanted}} if wanted else {}))

        def matches(its: ModelRecord) -> bool:
            return not statuses or its.responses.get(user, ("pending", {}))[0] in statuses

        assert sorted(found) == self.names(matches)
        assert total == len(found)

    @rule(label=st.sampled_from(LABELS), quality=st.integers(1, 5))
    def filter_by_response(self, label: str, quality: int) -> None:
        found = self.review.find(None, ("right.response", "==", label), ("quality.response", ">=", quality))

        def matches(its: ModelRecord) -> bool:
            given = [values for _, values in its.responses.values()]
            return any(v["right"] == label for v in given) and any(v["quality"] >= quality for v in given)

        assert sorted(found) == self.names(matches)

    @rule(by=st.sampled_from(["kind", "tier", "confidence"]), order=st.sampled_from(["asc", "desc"]))
    def sort(self, by: str, order: str) -> None:
        _, found = self.review.search(
            sort=[{"scope": {"entity": "metadata", "metadata_property": by}, "order": order}]
        )
        assert sorted(found) == sorted(self.model)
        values = [self.model[name].metadata.get(by) for name in found]
        present = [value for value in values if value is not None]
        assert values[: len(present)] == present == sorted(present, reverse=order == "desc")

    @rule(user=st.sampled_from(USERS))
    def count_all(self, user: str) -> None:
        progress = self.review.dataset.progress()
        statuses = Counter(its.status(OVERLAP) for its in self.model.values())
        assert (progress["total"], progress["completed"]) == (len(self.model), statuses["completed"])
        own = self.review.request("GET", f"me/datasets/{self.review.dataset.id}/metrics", user=user)[
            "responses"
        ]
        given = Counter(its.responses.get(user, ("pending", {}))[0] for its in self.model.values())
        assert own == {
            "total": len(self.model),
            **{s: given[s] for s in ("submitted", "draft", "discarded", "pending")},
        }
        for prop in self.review.dataset.settings.metadata:
            metrics = self.review.request("GET", f"metadata-properties/{prop.id}/metrics")
            values = [its.metadata[prop.name] for its in self.model.values() if prop.name in its.metadata]
            if prop.name == "kind":
                assert {v["term"]: v["count"] for v in metrics["values"]} == Counter(values)
            else:
                assert (metrics["min"], metrics["max"]) == (
                    min(values, default=None),
                    max(values, default=None),
                )

    def names(self, matches: Callable[[ModelRecord], bool]) -> list[str]:
        return sorted(name for name, its in self.model.items() if matches(its))


def _suggested(suggestion: tuple[str, float, str] | None) -> list[rg.Suggestion]:
    if suggestion is None:
        return []
    value, score, agent = suggestion
    return [rg.Suggestion("right", value, score=score, agent=agent)]


def test_random_operations(argilla_server: Served) -> None:
    class OnThisServer(Operations):
        served = argilla_server

    limits = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(OnThisServer, settings=limits)
