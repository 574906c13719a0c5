"""What is asked of a model's tokenizer: a chat template, and tier digits of one token each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import AutoTokenizer

from curation.backends import TIER_DIGITS
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path


def load_tokenizer(model: str | Path) -> Any:
    """The tokenizer of `model`, a directory or a Hub id, without remote code.

    Raises:
        TierwiseError: It cannot be loaded, has no chat template, or a tier digit is not one token.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    except Exception as error:
        # Configuration and vocabulary each fail with exceptions of their own libraries.
        raise TierwiseError(
            f"cannot load the tokenizer of {str(model)!r}, name another model with --model: "
            f"{str(error).splitlines()[0]}"
        ) from error
    if tokenizer.chat_template is None:
        raise TierwiseError(
            f"the tokenizer of {str(model)!r} has no chat template: "
            "name an instruction-tuned model with --model, or add chat_template.jinja to its directory."
        )
    encoded = [tokenizer.encode(digit, add_special_tokens=False) for digit in TIER_DIGITS]
    if [text_of(tokenizer, ids).strip() for ids in encoded if len(ids) == 1] != list(TIER_DIGITS):
        raise TierwiseError(
            f"the tokenizer of {str(model)!r} does not encode each tier digit as one token, so that tier "
            "probabilities cannot be read: name another model with --model."
        )
    return tokenizer


def digit_families(tokenizer: Any) -> tuple[list[int], dict[int, list[int]]]:
    """The ids of ``1`` … ``4``, and for every id that spells a tier digit the four ids of its family."""
    bare = [tokenizer.encode(digit, add_special_tokens=False)[0] for digit in TIER_DIGITS]
    vocabulary = tokenizer.get_vocab()
    families = [bare]
    # How byte-level BPE and SentencePiece write the space that a token begins with.
    for space in ("Ġ", "▁"):
        family = [vocabulary[space + digit] for digit in TIER_DIGITS if space + digit in vocabulary]
        if len(family) == len(TIER_DIGITS):
            families.append(family)
    return bare, {token: family for family in families for token in family}


def text_of(tokenizer: Any, tokens: list[int]) -> str:
    """Text of `tokens` without the special ones."""
    text: str = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text
