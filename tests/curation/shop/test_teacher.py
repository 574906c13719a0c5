from collections.abc import Sequence

import pytest

from curation.backends import Completion, Decoding, Failure, Request
from curation.grading import follows_format, grade
from curation.rationales.rationale import Rationale
from curation.shop import ShopRow
from curation.shop.derivations import Derivation
from curation.shop.teacher import DerivationBackend, Facts, derivation_model
from curation.shop.wordings import steps_right
from warehouse.errors import TierwiseError

Pairs = list[tuple[ShopRow, Derivation]]


def known(pairs: Pairs) -> dict[str, Facts]:
    return {
        str(number): Facts(row.query, row.title, row.intent, row.derivation)
        for number, (row, _) in enumerate(pairs)
    }


def backend(facts: dict[str, Facts], held_out: bool = False) -> DerivationBackend:
    def of(keys: Sequence[str]) -> dict[str, Facts]:
        return {key: facts[key] for key in keys if key in facts}

    return DerivationBackend(of, held_out=held_out)


def answers(
    teacher: DerivationBackend, keys: Sequence[str], streams: tuple[int, ...] = (1,)
) -> list[Completion | Failure]:
    requests = [Request(key, (), streams) for key in keys]
    return [answer for batch in teacher.generate(requests, Decoding()) for answer in batch]


def test_each_stream_is_answered_with_a_right_rationale(pairs: Pairs) -> None:
    facts = known(pairs[:300])
    given = answers(backend(facts), list(facts), (7, 2**127))
    assert [(each.key, each.stream) for each in given if isinstance(each, Completion)] == [
        (key, stream) for key in facts for stream in (7, 2**127)
    ]
    for each in given:
        assert isinstance(each, Completion)
        derivation = pairs[int(each.key)][1]
        assert grade(each.text, "reason-first", derivation.tier).outcome == "correct"
        assert follows_format(each.text, "reason-first")
        reason, _, last = each.text.rpartition("\n")
        assert last == f"Tier: {derivation.tier}"
        assert steps_right(Rationale.parse(reason), derivation).all
        assert (each.finish_reason, each.prompt_tokens, each.completion_tokens) == ("stop", 0, 0)
        assert each.first is None
        assert each.digits == ()


def test_a_stream_gives_the_same_text_in_any_batch(pairs: Pairs) -> None:
    facts = known(pairs[:300])
    together = answers(backend(facts), list(facts), (3, 4))
    alone = answers(backend(facts), ["299"], (4,))
    assert alone == [together[-1]]
    assert together[-1] != together[-2]


def test_held_out_wordings_are_others(pairs: Pairs) -> None:
    facts = known(pairs[:50])
    train, held_out = (answers(backend(facts, held_out=each), list(facts)) for each in (False, True))
    for one, other in zip(train, held_out, strict=True):
        assert isinstance(one, Completion)
        assert isinstance(other, Completion)
        assert one.text != other.text


def test_a_description_is_quoted_like_the_title() -> None:
    intent = "plain: parka; must rain = waterproof"
    derivation = "category = parka: match (parka); must rain = waterproof: met (waterproof) => Excellent"
    facts = Facts("rainproof parka", "Parka Tindrake Alba | red", intent, derivation, "Fully rainproof.")
    (answer,) = answers(backend({"a": facts}), ["a"])
    assert isinstance(answer, Completion)
    check = next(line for line in answer.text.splitlines() if line.startswith("check rain"))
    assert check.endswith("rainproof, met")


@pytest.mark.parametrize(
    ("intent", "derivation"),
    [
        (None, None),
        ("", ""),
        ("plain: parka; must rain = waterproof", None),
        ("weather", "it is fine => Good"),
    ],
)
def test_a_pair_without_derivation_fails_for_good(intent: str | None, derivation: str | None) -> None:
    facts = {"a": Facts("parka", "Parka", intent, derivation)}
    given = answers(backend(facts), ["a", "unknown"], (1, 2))
    assert [each.key for each in given] == ["a", "unknown"]
    for each in given:
        assert isinstance(each, Failure)
        assert each.lasting
        assert each.reason.startswith("no derivation: ")
        assert "\n" not in each.reason


def test_batches_of_256_end_once_there_is_enough(pairs: Pairs) -> None:
    facts = known(pairs[:600])
    requests = [Request(key, (), (1,)) for key in facts]
    sizes: list[int] = []
    for batch in backend(facts).generate(requests, Decoding(), lambda _: len(sizes) == 2):
        sizes.append(len(batch))
    assert sizes == [256, 256]
    assert [len(batch) for batch in backend(facts).generate(requests, Decoding())] == [256, 256, 88]


def test_derivations_have_no_probabilities() -> None:
    with pytest.raises(TierwiseError, match="no probabilities"):
        backend({}).score([])


def test_each_set_of_wordings_is_a_model_of_its_own() -> None:
    train, held_out = derivation_model(False), derivation_model(True)
    assert (train.name, held_out.name) == ("shop", "shop-held-out")
    assert train.digest != held_out.digest
    assert len(train.digest) == 64
    assert train.context is None
    assert (train.path / "wordings.toml").is_file()
