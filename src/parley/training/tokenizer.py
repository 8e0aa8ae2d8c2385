"""The tokenizer of a world: byte-level BPE in which each word is one token, and so is each line of the transcript."""

from collections.abc import Sequence
from typing import Any

from parley.core.errors import MissingExtra
from parley.core.tables import Tables
from parley.prompting.transcript import observation_line, subgoal_line, task_line

END = "<|endoftext|>"
# Chat servers send messages: what they say, line by line, is the transcript.
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{{ '\n' }}{% endfor %}"


def world_lines(tables: Tables) -> list[str]:
    """Every line that can stand in a transcript of the world, in a fixed order, without repetition."""
    lines = [task_line(w) for w in tables.instructions] + [observation_line(o) for o in tables.observations]
    lines += [subgoal_line(g) for menu in tables.menus for g in menu]
    return list(dict.fromkeys(lines))


def world_tokenizer(tables: Tables) -> Any:
    """A `PreTrainedTokenizerFast`; text outside the world's lines still tokenises, by words and at last by bytes."""
    lines = world_lines(tables)
    return tokenizer_of(lines, lines)


def tokenizer_of(text: Sequence[str], whole: Sequence[str], spaces: bool = False) -> Any:
    """A `PreTrainedTokenizerFast` of the words of a text, and of lines that are one token each.

    With `spaces` a space is a token of its own, so that a word is the same token wherever it stands.
    """
    try:
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
        from transformers import PreTrainedTokenizerFast
    except ImportError:
        raise MissingExtra("a tokenizer", "torch") from None
    tokenizer = Tokenizer(models.BPE())
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    apart = pre_tokenizers.Sequence([pre_tokenizers.Split(" ", "isolated"), by_bytes])
    tokenizer.pre_tokenizer = apart if spaces else by_bytes
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=100_000,  # merges go on until every word is whole
        min_frequency=1,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*text, *text], trainer)
    tokenizer.add_tokens([AddedToken(line, normalized=False) for line in whole])
    found = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)
    found.chat_template = CHAT_TEMPLATE
    return found
