"""The rules that may matter for a query and an item, by their scopes and by the words that they share with the pair."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from bm25s import BM25
from bm25s.stopwords import STOPWORDS_EN

from curation.rulebook.logic import fits, folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.rulebook.rule import Rule

_WORD = re.compile(r"[^\W_]+")
# What a query excludes hangs on these.
_STOPWORDS = frozenset(STOPWORDS_EN) - {"no", "not"}
# Set on the synthetic shop, where recall hardly changes between half and double of each: what the title's words are
# worth beside the query's, and what a category that the query names is worth to rules on the category as such or on
# queries of a kind, in units of BM25.
_TITLE_WEIGHT = 0.1
_CATEGORY_WORTH = 1.0
_KIND_WORTH = 0.5


@dataclass(frozen=True, slots=True)
class Subject:
    """A query and an item.

    Attributes:
        query: Text of the query.
        title: Title of the item.
        description: Its description.
        category: The item's own category; None where its shop says none.
        kind: Kind of the query.
        locale: Locale of the query.
    """

    query: str
    title: str
    description: str
    category: str | None
    kind: str
    locale: str


class Retriever:
    """Finds rules for pairs.

    Rules without categories and attributes that have a tier or name the query's kind are the core: they come wherever
    kind and locale fit. Of the others whose kind and locale fit and one of whose categories the pair names, those `k`
    come that share most with the pair (BM25), if anything: their text, attributes and examples count, less the names of
    their categories.

    Args:
        rules: Those that hold on the day.
        k: Rules besides the core.
    """

    def __init__(self, rules: Sequence[Rule], k: int = 10) -> None:
        self._rules = list(rules)
        self._k = k
        scopes = [rule.scope for rule in rules]
        self._core = np.array([_is_core(rule) for rule in rules], dtype=bool)
        self._anywhere = np.array([not scope.category for scope in scopes], dtype=bool)
        self._worth = np.array(
            [_CATEGORY_WORTH * (not scope.attribute) + _KIND_WORTH * bool(scope.kind) for scope in scopes]
        )
        self._names: dict[tuple[str, ...], list[int]] = {}
        for n, scope in enumerate(scopes):
            for name in scope.category:
                self._names.setdefault(_words(name), []).append(n)
        self._lengths = sorted({len(name) for name in self._names} - {0})
        self._allowed: dict[tuple[str, str], np.ndarray] = {}
        documents = [_document(rule) for rule in rules]
        self._index: BM25 | None = None
        if any(documents):
            self._index = BM25()
            self._index.index(documents, show_progress=False)

    def retrieve(self, subject: Subject) -> list[Rule]:
        """The rules for a pair, in the order of the rulebook."""
        allowed = self._in_scope(subject.kind, subject.locale)
        asked = self._named_in(subject.query)
        named = (
            self._anywhere | asked | self._named_in(subject.title) | self._named_in(subject.category or "")
        )
        scores = self._bm25(subject.query) + _TITLE_WEIGHT * self._bm25(subject.title) + self._worth * asked
        scores[~(allowed & named) | self._core] = 0
        best = np.argsort(-scores, kind="stable")[: self._k]
        chosen = allowed & self._core
        chosen[best[scores[best] > 0]] = True
        return [self._rules[n] for n in np.flatnonzero(chosen)]

    def _in_scope(self, kind: str, locale: str) -> np.ndarray:
        """Whether each rule fits kind and locale."""
        if (kind, locale) not in self._allowed:
            kinds, locales = folded((kind,)), folded((locale,))
            fitting = [
                fits(rule.scope.kind, kinds) and fits(rule.scope.locale, locales) for rule in self._rules
            ]
            self._allowed[kind, locale] = np.array(fitting, dtype=bool)
        return self._allowed[kind, locale]

    def _named_in(self, text: str) -> np.ndarray:
        """Whether one of each rule's categories stands in a text."""
        named = np.zeros(len(self._rules), dtype=bool)
        words = _words(text)
        for length in self._lengths:
            for at in range(len(words) - length + 1):
                named[self._names.get(words[at : at + length], [])] = True
        return named

    def _bm25(self, text: str) -> np.ndarray:
        if self._index is None:
            return np.zeros(len(self._rules))
        tokens = self._index.get_tokens_ids(list(dict.fromkeys(_words(text))))
        return np.asarray(self._index.get_scores_from_ids(tokens), dtype=np.float64)


def _is_core(rule: Rule) -> bool:
    scope = rule.scope
    return not scope.category and not scope.attribute and (rule.tier is not None or bool(scope.kind))


def _document(rule: Rule) -> list[str]:
    """The words of a rule for the index."""
    examples = [f"{each.query} {each.item}" for each in rule.examples]
    left_out = _STOPWORDS.union(*map(_words, rule.scope.category))
    texts = (rule.text, *rule.scope.attribute, *examples)
    return [word for text in texts for word in _words(text) if word not in left_out]


def _words(text: str) -> tuple[str, ...]:
    """Lower-case words without accents and without the endings of plurals."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(each for each in decomposed if not unicodedata.combining(each))
    return tuple(_singular(word) for word in _WORD.findall(text.casefold()))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
