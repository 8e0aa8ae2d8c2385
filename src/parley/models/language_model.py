"""One growing prompt of a causal language model with its own tokenizer, and scores of lines that could follow it.

The tokens are those of the whole prompt, not of its lines one by one. A new line can change how the end of the prompt
is cut into tokens. Then the cache goes back to the common beginning, and reading continues from there.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from parley.core.errors import BadInput, MissingExtra
from parley.models.adapter import Adapter, merge
from parley.models.dequantised import as_directory
from parley.models.packed import NAME, attend
from parley.models.pretrained import cache_name, require_embeddings, require_numbers, where, why_not
from parley.models.rows import Rows
from parley.models.scoring import Logprobs, sequential_logprobs, tree_logprobs
from parley.models.single_rows import SingleRows
from parley.models.text import TextTokens
from parley.models.weights import gguf_file, is_gguf

TAIL = 64  # characters at the end of a prompt, at least, that are looked at with a line that follows
PROBE = "task: a\nb\n> "
FAULTS = (TypeError, ValueError, RuntimeError, AttributeError, IndexError)
DTYPES = ("float32", "bfloat16", "float16", "auto")


def load(name: str, dtype: str = "auto") -> tuple[Any, Any]:
    """Tokenizer and causal language model of a directory or a hub id; raises `BadInput` in one sentence."""
    try:
        import transformers
    except ImportError:
        raise MissingExtra("a language model", "torch") from None
    told, found = transformers.utils.logging, where(name, "a language model")
    bars = told.is_progress_bar_enabled()
    told.disable_progress_bar()
    try:
        transformers.AutoConfig.from_pretrained(name, **found)  # it names the fault of a model best
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **found)
        model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype, use_safetensors=True, **found)
    except (OSError, ValueError, KeyError, ImportError, TypeError, SafetensorError) as wrong:
        said = f"{name!r} is no causal language model that transformers can load: {why_not(wrong)}"
        raise BadInput(said) from wrong
    finally:
        if bars:
            told.enable_progress_bar()
    require_embeddings(name, tokenizer, model)
    require_numbers(name, model)
    return tokenizer, model


def named_directory(name: str) -> str:
    """The directory, or hub id, of a model's name; a GGUF file, or a short name of one, is dequantised for it."""
    return str(as_directory(gguf_file(name))) if is_gguf(name) else name


def positions_of(model: Any) -> int:
    """The most tokens that a model reads at once; 2**20 where it names no limit."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2**20)


@dataclass(frozen=True)
class Loading:
    """How a model is loaded: its number format, its device, its threads (0: unchanged), and its adapter.

    With `packed` the prompts of several runs are read together, where that gives what one by one gives.
    """

    dtype: str = "float32"
    device: str = "auto"
    threads: int = 0
    adapter: str = ""
    packed: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise BadInput(f"dtype={self.dtype!r}: expected one of {', '.join(DTYPES)}")
        if self.threads < 0:
            raise BadInput(f"threads={self.threads}: expected a number, or 0 to leave them as they are")


class LanguageModel:
    """Model and tokenizer of a directory or a hub id; `scoring` says how lines are scored: `tree`, or why not.

    Code that comes with a model is not run, and weights are read from safetensors alone (or from a GGUF file).
    """

    def __init__(self, name: str, how: Loading | None = None) -> None:
        how = how or Loading()
        self.tokenizer, model = load(named_directory(name), how.dtype)
        import torch

        if how.threads:
            torch.set_num_threads(how.threads)
        if how.adapter:
            merge(model, Adapter(Path(how.adapter)))
        self.name, self.torch, self.positions = name, torch, positions_of(model)
        try:
            self.model = model.eval().to(_device(torch) if how.device == "auto" else how.device)
        except (RuntimeError, AssertionError) as wrong:
            raise BadInput(f"device={how.device!r} cannot be used: {str(wrong).splitlines()[0]}") from None
        self.text, self.cache_name = TextTokens.of(self.tokenizer), cache_name(model)
        self.packed, self._narrow = self._probe_packed() if how.packed else (False, False)
        self.scoring = "packed" if self.packed else self._probe(how.dtype)
        if self.scoring not in ("packed", "tree"):
            warnings.warn(f"{name}: candidates are scored {self.scoring}", RuntimeWarning, stacklevel=2)

    def said(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def prompt(self) -> "Prompt":
        """An empty prompt."""
        return Prompt(self)

    def rows(self, num_rows: int, apart: int = 0) -> Rows | SingleRows:
        """Empty prompts of several runs; the last `apart` share nothing with the others."""
        if self.packed:
            return Rows(self.model, self.torch, num_rows, self._narrow, apart)
        return SingleRows(self.model, self.torch, num_rows, self.scoring == "tree")

    def _probe_packed(self) -> tuple[bool, bool]:
        """Whether packed prompts score as single ones do, and also from the head's weights of the menu's tokens."""
        from transformers import AttentionInterface

        AttentionInterface.register(NAME, attend)
        prompts = [self.text.encode(PROBE), self.text.encode(PROBE * 2)]
        lines = [[[1, 2, 3], [1, 0], [2], [1, 2, 0]]] * 2
        alone, was = SingleRows(self.model, self.torch, 2, tree=False), self.model.config._attn_implementation
        close = self.torch.finfo(self.model.dtype).eps ** 0.5
        try:
            expected = {among: _joined(alone.score(prompts, lines, among)) for among in (False, True)}
            self.model.set_attn_implementation(NAME)
            found = _joined(Rows(self.model, self.torch, 2).score(prompts, lines))
            if not np.abs(found - expected[False]).max() <= close:
                raise ValueError(f"packed prompts are {np.abs(found - expected[False]).max():.1e} nats off")
        except FAULTS as refused:
            self.model.set_attn_implementation(was)
            why = (str(refused) or repr(refused)).splitlines()[0]
            warnings.warn(f"{self.name}: runs are read one by one ({why})", RuntimeWarning, stacklevel=3)
            return False, False
        try:
            narrow = _joined(Rows(self.model, self.torch, 2, narrow=True).score(prompts, lines, among=True))
        except FAULTS:
            return True, False
        return True, bool(np.abs(narrow - expected[True]).max() <= close)

    def _probe(self, dtype: str) -> str:
        """Score the same continuations both ways on a tiny prompt; the tree counts only where it gives the same."""
        if self._slides():
            return "one by one: its attention slides, which a tree mask would override"
        prompt, lines = self.prompt(), [[1, 2, 3], [1, 0], [2], [1, 2, 0]]
        no_cache = f"{self.name!r} keeps no plain key-value cache of its prompt: take a transformer that does"
        try:
            prompt.read(PROBE)
            expected = sequential_logprobs(self.model, prompt.past, prompt.after, lines)
        except FAULTS as refused:
            raise BadInput(no_cache) from refused
        if np.isnan(np.concatenate(expected)).any():
            raise BadInput(
                f"{self.name!r} computes no numbers (NaN): its weights are damaged, or dtype={dtype} is too small"
            )
        if prompt.past.get_seq_length() != len(prompt.tokens):
            raise BadInput(no_cache)
        try:
            found = tree_logprobs(self.model, prompt.past, prompt.after, lines)
        except FAULTS as refused:
            return f"one by one: it takes no tree mask ({(str(refused) or repr(refused)).splitlines()[0]})"
        off = float(np.abs(np.concatenate(found) - np.concatenate(expected)).max())
        if not off <= self.torch.finfo(self.model.dtype).eps ** 0.5:
            return f"one by one: on a tiny prompt the tree-masked pass is {off:.1e} nats off"
        return "tree"

    def _slides(self) -> bool:
        config = self.model.config.get_text_config()
        kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
        return bool(getattr(config, "sliding_window", None)) and any("full" not in kind for kind in kinds)


def _device(torch: Any) -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _joined(scores: Sequence[Sequence[Logprobs]]) -> Logprobs:
    return np.concatenate([values for row in scores for values in row])


class Prompt:
    """What one run has been told: its text and tokens, their cache, and the logits after them."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        from transformers import DynamicCache

        self.text, self.tokens = "", list[int]()
        self.past, self.after = DynamicCache(), None

    def read(self, more: str) -> None:
        """Add text; only tokens that are new or cut differently are computed."""
        torch, model = self.model.torch, self.model.model
        self.text += more
        tokens = self.model.text.encode(self.text)
        same = next((i for i, (a, b) in enumerate(zip(tokens, self.tokens, strict=False)) if a != b), None)
        keep = min(len(tokens), len(self.tokens)) if same is None else same
        keep = min(keep, len(tokens) - 1)  # the last token is always read, for its logits
        if keep < len(self.tokens):
            self.past.crop(keep - len(self.tokens))
        with torch.inference_mode():
            ids = torch.tensor([tokens[keep:]], device=model.device)
            out = model(input_ids=ids, use_cache=True, **{self.model.cache_name: self.past})
        self.tokens, self.after = tokens, out.logits[0, -1]

    def continuations(self, said: str, lines: Sequence[str]) -> list[list[int]]:
        """Tokens of each line after this prompt and what is `said` beyond it, as `TextTokens.continuation` has them.

        Only the end of the prompt is cut into tokens again, where that gives the tokens that it has.
        """
        tail = self.text[self.text.rfind("\n", 0, -TAIL) + 1 :] if len(self.text) > TAIL else self.text
        found = self.model.text.encode(tail) if tail == self.text else self.model.text.plain(tail)
        before = tail if found == self.tokens[-len(found) :] else self.text
        return [self.model.text.continuation(before + said, line) for line in lines]

    def logprobs(self, continuations: Sequence[Sequence[int]]) -> list[Logprobs]:
        """Log-probabilities (nats) of the tokens of each continuation of the prompt; nothing of them is kept."""
        how = tree_logprobs if self.model.scoring == "tree" else sequential_logprobs
        return how(self.model.model, self.past, self.after, continuations)
