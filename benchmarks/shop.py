"""The made-up shop: what it holds, and what word counting makes of it.

``python -m benchmarks.shop [--pairs 20000] [--seed 7]``

Five folds, no query (or no intent, which is stricter) on both sides of one; predictions of all folds are scored
together. The overlap features are six: shares of the query's words in the title, in the description and in either,
Jaccard index of query and title, and the lengths of both in words.
"""

from __future__ import annotations

import html
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix, hstack
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from curation.shop import KINDS, LABELS, ShopRow, generate, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

BOUND = 0.45
FOLDS = 5
TIERS = {"Excellent": 4, "Related": 3, "Mismatch": 2, "Irrelevant": 1}


def words(text: str) -> set[str]:
    """Words of two letters or more, as the vectorizers take them."""
    return set(re.findall(r"\w\w+", text.lower()))


def description(row: ShopRow) -> str:
    """The description without its markup."""
    return html.unescape(re.sub(r"<[^>]+>", " ", row.description))


def overlap(row: ShopRow) -> list[float]:
    """The six overlap features."""
    asked, title, text = words(row.query), words(row.title), words(description(row))
    shares = (len(asked & title), len(asked & text), len(asked & (title | text)))
    jaccard = len(asked & title) / len(asked | title)
    return [*(share / len(asked) for share in shares), jaccard, len(asked), len(title)]
