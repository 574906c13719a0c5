"""A model small enough to build in a test: random weights, a real byte-level tokenizer, a chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.scratch import CHAT_TEMPLATE

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = ["tier 1 tier 2 tier 3 tier 4", "the item is what the query asks for", "another kind of item"] * 20


def build_tokenizer(corpus: list[str], vocab_size: int, template: str, pad_token: str | None = None) -> Any:
    """Byte-level BPE trained on `corpus`, in which no token holds two digits that the corpus keeps apart."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token=pad_token, chat_template=template
    )


def save_tiny_model(directory: Path, context: int = 4096, hidden_size: int = 64) -> Path:
    """A Qwen2 of two layers that often stops and never favours one digit for all prompts."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    tokenizer = build_tokenizer(CORPUS, 400, CHAT_TEMPLATE, pad_token="<|im_end|>")
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.1,
        tie_word_embeddings=False,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.lm_head.weight.data[tokenizer.eos_token_id] *= 4
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
