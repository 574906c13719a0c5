from __future__ import annotations

from benchmarks.retrieval import cases
from curation.rulebook.retrieval import Retriever
from curation.shop.rulebook import shop_rulebook


def test_of_two_hundred_pairs_nearly_all_are_shown_every_rule_that_their_derivation_uses() -> None:
    retriever = Retriever(shop_rulebook().rules)
    found = list(cases(200, seed=9))
    complete = sum(case.used <= {rule.name for rule in retriever.retrieve(case.subject)} for case in found)
    assert len(found) == 200
    assert complete >= 196
