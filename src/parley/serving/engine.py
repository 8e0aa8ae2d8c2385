"""Text in, log-probabilities and sampled text out: a checkpoint's forward pass behind a cache of prefixes.

A session is a prompt that was read, with its key-value cache and the log-probability of each token given those before.
A request takes the session that shares its longest beginning: as its own where nothing solid is lost by it, else as a
branch. Inference is serial, under one lock. Legend: V vocabulary.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput, MissingExtra
from parley.models.llama import Cache, Llama
from parley.prompting import bounded
from parley.serving.language import Trie
from parley.theory.posterior import normalised

MOST_BYTES = 1 << 30  # of all sessions
TOKEN_BYTES = 3000  # of a token with the most probable ones at its place
TOP = 20  # most probable tokens that are kept of each position
SESSIONS = 256


class Abandoned(Exception):
    """Nobody waits for the result any more."""


@dataclass
class Token:
    """A token of a prompt or an answer; the first of a prompt has `logprob` None, since no token stands before it."""

    id: int
    logprob: float | None
    top: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class _Session:
    cache: Cache
    tokens: list[Token] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    solid: int = 0  # tokens that were a prompt; those beyond were tried out
    after: Float[np.ndarray, " V"] = field(default_factory=lambda: np.zeros(0))

    @property
    def bytes(self) -> int:
        """Its memory in bytes, about: its cache, and the numbers kept for each token."""
        return self.cache.bytes + TOKEN_BYTES * len(self.tokens)


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn; `seed` makes it a function of prompt, seed and `index`."""

    max_tokens: int = 16
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    allowed: Trie | None = None


@dataclass(frozen=True)
class Answer:
    """What was generated, and why it ended: `stop` or `length`."""

    text: str
    tokens: list[Token]
    finish: str


class Engine:
    """A directory of a plain Llama with `tokenizer.json`, ready to answer; safe to use from many threads."""

    def __init__(self, path: Path, sessions: int = SESSIONS) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingExtra("parley serve", "serve") from None
        self.model, self.path, self._most = Llama(path), path, sessions
        self.positions = self.model.shape.positions
        try:
            self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
            template = path / "chat_template.jinja"
            self.chat_template = template.read_text(encoding="utf-8") if template.is_file() else ""
            config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        except Exception as wrong:  # the library raises bare Exceptions
            raise BadInput(f"{str(path)!r} holds no tokenizer and configuration that can be read: {wrong}") from None
        self.tokenizer.encode_special_tokens = True  # text makes no special tokens
        end = config.get("eos_token_id")
        self.ends = set(end if isinstance(end, list) else [] if end is None else [end])
        self._words: dict[int, str] = {}
        self._sessions: OrderedDict[int, _Session] = OrderedDict()
        self._lock, self._count = threading.Lock(), 0

    def encode(self, text: str) -> tuple[list[int], list[int]]:
        """Tokens of a text, and where in it each begins."""
        found = self.tokenizer.encode(text)
        return found.ids, [start for start, _ in found.offsets]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False))

    def word(self, token: int) -> str:
        """The text of one token by itself."""
        if token not in self._words:
            self._words[token] = self.decode([token])
        return self._words[token]

    def read(
        self, prompts: Sequence[Sequence[int]], gone: Callable[[], bool] = lambda: False
    ) -> tuple[list[list[Token]], list[int]]:
        """Each prompt with log-probabilities, and how many of its tokens were read before.

        Raises `Abandoned` if the client has `gone`.
        """
        with self._lock:
            solid, found = _shared(prompts), []
            for prompt in prompts:
                _require(gone)
                found.append(self._read(list(prompt), solid))
            return [tokens for _, tokens, _ in found], [cached for _, _, cached in found]

    def generate(
        self, prompt: Sequence[int], how: Sampling, index: int = 0, gone: Callable[[], bool] = lambda: False
    ) -> tuple[Answer, int]:
        """An answer to a prompt, and how many of the prompt's tokens were read before.

        Raises `Abandoned` if the client has `gone`.
        """
        with self._lock:
            _require(gone)
            session, _, cached = self._read(list(prompt), len(prompt))
            said: list[Token] = []
            draws = self._draws(prompt, how, index)
            node, text, finish = how.allowed, "", "length"
            while len(said) < min(how.max_tokens, self.positions - len(prompt)):
                _require(gone)
                token = self._draw(session.after, how, node, draws)
                if token.id in self.ends or token.id < 0:
                    finish = "stop"
                    break
                said.append(token)
                if how.stop:
                    text = self.decode([t.id for t in said])
                    if stops := [text.find(stop) for stop in how.stop if stop in text]:
                        text, finish = text[: min(stops)], "stop"
                        break
                node = node.children[token.id] if node else None
                if node and not node.children:
                    finish = "stop"
                    break
                if len(session.tokens) < self.positions:
                    self._grow(session, token)
            return Answer(text if how.stop else self.decode([t.id for t in said]), said, finish), cached

    def _read(self, prompt: list[int], solid: int) -> tuple[_Session, list[Token], int]:
        if not 0 < len(prompt) <= self.positions:
            raise BadInput(f"a prompt of {len(prompt)} tokens: this model reads 1 to {self.positions}")
        key, shared = self._longest(prompt)
        if key is not None and shared >= self._sessions[key].solid:
            session = self._sessions[key]
            self._sessions.move_to_end(key)
        else:
            session = self._begin(self._sessions[key] if key is not None else None, shared)
        self._extend(session, shared, prompt)
        session.solid = min(solid, len(prompt))
        return session, list(session.tokens), shared

    def _begin(self, old: _Session | None, shared: int) -> _Session:
        """A new session, which begins as an old one does; where there are too many, the one unused for longest goes."""
        if old is None:
            session = _Session(self.model.cache(1))
        else:
            session = _Session(old.cache.branch(shared), old.tokens[:shared], old.ids[:shared])
        self._count += 1
        self._sessions[self._count] = session
        while len(self._sessions) > 1 and (
            len(self._sessions) > self._most or sum(kept.bytes for kept in self._sessions.values()) > MOST_BYTES
        ):
            self._sessions.popitem(last=False)
        return session

    def _longest(self, prompt: list[int]) -> tuple[int | None, int]:
        """The session that shares the longest beginning with a prompt, and how many tokens that is."""
        best, most = None, 0
        for key, session in self._sessions.items():
            if session.ids[:most] != prompt[:most]:
                continue
            shared = _shared([session.ids, prompt])
            if shared > most or (shared == most and shared and shared >= session.solid):
                best, most = key, shared
        return best, most

    def _extend(self, session: _Session, shared: int, prompt: list[int]) -> None:
        """Make a session that of `prompt`, with which it shares its first tokens.

        The last of these is read again: what it predicts was not kept.
        """
        begin = max(shared - 1, 0)
        del session.tokens[shared:]
        session.cache.length = np.full(1, begin, dtype=np.intp)
        logits = session.cache.append(np.array([prompt[begin:]], dtype=np.intp), every=True)[0]
        for i in range(shared, len(prompt)):
            logs = _log_softmax(logits[i - 1 - begin]) if i else None
            session.tokens.append(Token(prompt[0], None) if logs is None else _scored(prompt[i], logs))
        session.after, session.ids = logits[-1], list(prompt)

    def _grow(self, session: _Session, token: Token) -> None:
        """Read a token that was generated."""
        session.after = session.cache.append(np.array([[token.id]], dtype=np.intp))[0]
        session.tokens.append(token)
        session.ids.append(token.id)

    def _draw(
        self, logits: Float[np.ndarray, " V"], how: Sampling, node: Trie | None, draws: np.random.Generator
    ) -> Token:
        """The next token; id -1 where the allowed texts are at an end."""
        logs = _log_softmax(logits)
        choice = logs
        if node is not None:
            if not node.children:
                return Token(-1, 0.0)
            choice = np.full_like(logs, -np.inf)
            allowed = list(node.children)
            choice[allowed] = logs[allowed]
        if how.temperature == 0:
            best = int(choice.argmax())
        else:
            best = _nucleus(choice / how.temperature, how.top_p, draws)
        return _scored(best, logs)

    def _draws(self, prompt: Sequence[int], how: Sampling, index: int) -> np.random.Generator:
        if how.seed is None:
            return np.random.default_rng()
        about = hashlib.sha256(json.dumps([list(prompt), how.seed, index]).encode()).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(about[:16], "little")))

    def allowed(self, texts: Sequence[str]) -> Trie:
        """The tokens of texts as a trie."""
        return Trie.of([self.tokenizer.encode(text, add_special_tokens=False).ids for text in texts])

    def chat(self, messages: Sequence[dict[str, Any]]) -> str:
        """Messages as the prompt that the checkpoint was made for."""
        if not self.chat_template:
            raise BadInput(f"{str(self.path)!r} has no chat_template.jinja: use the completions API")
        said = dict(messages=list(messages), add_generation_prompt=True, bos_token="", eos_token="")
        return bounded.render("chat_template.jinja", self.chat_template, "", said)


def _require(gone: Callable[[], bool]) -> None:
    if gone():
        raise Abandoned


def _shared(several: Sequence[Sequence[int]]) -> int:
    """Tokens that all begin with."""
    first, *rest = several
    shared = len(first)
    for other in rest:
        shared = min(shared, len(other))
        if first[:shared] != other[:shared]:
            shared = next(i for i, (a, b) in enumerate(zip(first, other, strict=False)) if a != b)
    return shared


def _log_softmax(logits: Float[np.ndarray, " V"]) -> Float[np.ndarray, " V"]:
    shifted = logits.astype(np.float64) - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


def _scored(token: int, logs: Float[np.ndarray, " V"]) -> Token:
    """A token with the most probable ones at its place; of those that are equally probable the first come first."""
    least = np.partition(logs, -min(TOP, len(logs)))[-min(TOP, len(logs))]
    likely = np.flatnonzero(logs >= least)
    best = likely[np.argsort(-logs[likely], kind="stable")][:TOP]
    return Token(token, float(logs[token]), [(int(i), float(logs[i])) for i in best])


def _nucleus(logs: Float[np.ndarray, " V"], top_p: float, draws: np.random.Generator) -> int:
    """A token drawn from the most probable ones that together have probability `top_p` (Holtzman et al. 2020)."""
    probs = normalised(logs)
    order = np.argsort(-probs, kind="stable")
    kept = order[: int((np.cumsum(probs[order]) < top_p - 1e-12).sum()) + 1]
    weights = probs[kept] / probs[kept].sum()
    return int(kept[min(int((np.cumsum(weights) <= draws.random()).sum()), len(kept) - 1)])
