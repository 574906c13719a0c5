"""``python -m training.scratch``: a model with random weights and a tokenizer of its own, to train from nothing.

For what needs no pretrained model, such as the ladder on the made-up shop, which has to fit two cores. The
tokenizer learns from the prompts and completions of frozen splits. What all prompts share, the text around query and
item, is a token from one field to the next: on the shop three quarters of a prompt are instructions.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse.console import Command, db_option, json_option
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transformers import PreTrainedTokenizerFast

    from training.payload import Payload
    from warehouse.store import Store

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_START, _END = "<|im_start|>", "<|im_end|>"
_HEAD_WIDTH = 32
_CONTEXT = 2_048
# Characters for private use stand in the fields' places: no text has them by chance.
_QUERY, _TITLE, _BRAND, _PRICE, _DESCRIPTION = _PLACES = "\ue000\ue001\ue002\ue003\ue004"


@click.command(name="training.scratch", cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--split",
    "splits",
    required=True,
    multiple=True,
    metavar="NAME_vN",
    help="Frozen split whose texts the tokenizer learns; may be repeated.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("scratch"),
    show_default=True,
    help="Folder of the model.",
)
@click.option("--layers", type=click.IntRange(1), default=4, show_default=True, help="Of the transformer.")
@click.option(
    "--width",
    type=click.IntRange(_HEAD_WIDTH),
    default=192,
    show_default=True,
    help=f"Of its hidden states, a multiple of {_HEAD_WIDTH}.",
)
@click.option(
    "--vocabulary", type=click.IntRange(512), default=2_000, show_default=True, help="Tokens, at most."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the weights.")
@db_option
@json_option
def main(
    splits: tuple[str, ...],
    out: Path,
    layers: int,
    width: int,
    vocabulary: int,
    seed: int,
    store: Store,
    as_json: bool,
) -> None:
    """Make a model with random weights and a tokenizer that knows the words of splits.

    A Qwen2 of a few million parameters, which training.sft takes as --model. With --prompt-loss-weight 0.2 it
    learns to read from the prompts too, as a model that starts from nothing has to.
    """
    from curation.models import content_digest
    from training.payload import read_payload
    from warehouse.console import print_summary

    if width % _HEAD_WIDTH:
        raise click.UsageError(f"--width {width}: heads are {_HEAD_WIDTH} wide, so give a multiple of that")
    payloads = [read_payload(store, split, "sft") for split in splits]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        made = Path(temporary) / out.name
        parameters = _write(payloads, made, layers, width, vocabulary, seed)
        if not out.exists() or not any(out.iterdir()):
            made.replace(out)
        elif content_digest(out) != content_digest(made):
            raise TierwiseError(f"{out} holds other files; name a new folder with --out")
    shape = {"splits": list(splits), "layers": layers, "width": width, "vocabulary": vocabulary, "seed": seed}
    summary = _register(store, payloads[0], out, shape)
    print_summary({**summary, "parameters": parameters}, as_json)


def _write(
    payloads: Sequence[Payload], out: Path, layers: int, width: int, vocabulary: int, seed: int
) -> int:
    """Write model and tokenizer to `out`; return the number of parameters."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = build_tokenizer(payloads, vocabulary)
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=width // _HEAD_WIDTH,
        num_key_value_heads=width // _HEAD_WIDTH,
        max_position_embeddings=_CONTEXT,
        # Transformers' 0.02 is for wide models: embeddings of this width would hardly differ.
        initializer_range=0.05,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return sum(weights.numel() for weights in model.parameters())


def build_tokenizer(payloads: Sequence[Payload], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE over the texts of `payloads`, with digits apart, and what prompts share as whole tokens.

    Args:
        payloads: With rows of the ``sft`` table.
        vocabulary: Tokens, at most.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.decoder = decoders.ByteLevel()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    ends = {"eos_token": _END, "pad_token": _END, "chat_template": CHAT_TEMPLATE}
    chat = PreTrainedTokenizerFast(tokenizer_object=backend, **ends)
    shared = sorted({text for payload in payloads for text in _shared(payload, chat)}, key=len, reverse=True)
    around = re.compile("|".join(map(re.escape, shared)))
    texts = (
        text
        for payload in payloads
        for row in payload.rows
        for text in around.split(_chat(chat, row["prompt"] + row["completion"]))
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(shared),
        special_tokens=[_START, _END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    backend.add_tokens([AddedToken(text, normalized=False) for text in shared])
    return PreTrainedTokenizerFast(tokenizer_object=backend, **ends)


def _shared(payload: Payload, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """Text of the template and the chat format before, between and after the fields."""
    messages = payload.template.render(_QUERY, _TITLE, description=_DESCRIPTION, brand=_BRAND, price=_PRICE)
    prompt = [{"role": message.role, "content": message.content} for message in messages]
    found = re.split(f"[{_PLACES}]", _chat(tokenizer, prompt, add_generation_prompt=True))
    return [text for text in found if text]


def _chat(tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, str]], **settings: bool) -> str:
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, **settings)
    return text


def _register(store: Store, payload: Payload, out: Path, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the model in ``models``; the same again adds nothing."""
    from curation.configurations import model_id, model_row
    from curation.models import resolve
    from warehouse.ledger import Run
    from warehouse.parts import insert_rows

    model = resolve(str(out))
    run = Run("scratch", dict(shape), model_id=model_id(model))
    origin = {"split": payload.split, "split_hash": payload.content_hash, "run_id": str(run.run_id)}
    with store.write(run) as connection:
        insert_rows(connection, "models", [{**model_row(model), **origin}])
        run.summary = {"out": str(out), "model_id": str(model_id(model))}
    return run.summary


if __name__ == "__main__":
    main(prog_name="python -m training.scratch")
