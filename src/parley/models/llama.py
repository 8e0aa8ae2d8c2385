"""A forward pass of the Llama architecture in numpy, with a preallocated key-value cache (Touvron et al. 2023).

For the small checkpoints that ship with the package: no torch, one file, equal to `transformers` to 1e-5.

Legend: B rows, n new tokens, L tokens cached so far, D width. There are k key-value heads, q query heads
for each, and d is the width of a head.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file

from parley.core.errors import BadInput
from parley.core.paths import read_json
from parley.models.llama_shape import Shape


class Llama:
    """Weights and shape of a checkpoint directory (`config.json`, `model.safetensors`)."""

    def __init__(self, path: Path) -> None:
        try:
            config = read_json(path / "config.json")
            weights = load_file(path / "model.safetensors")
            self.shape = s = Shape.of(config, path)
            w = {name: value.astype(np.float32) for name, value in weights.items()}
            if damaged := next((name for name, value in w.items() if not np.isfinite(value).all()), None):
                raise BadInput(f"{str(path)!r}: its weights {damaged!r} hold NaN or infinite numbers")
            self.embed = w["model.embed_tokens.weight"]
            self.norm = w["model.norm.weight"]
            self.head = np.ascontiguousarray((self.embed if "lm_head.weight" not in w else w["lm_head.weight"]).T)
            self.blocks = [_Block.of(w, f"model.layers.{i}.") for i in range(s.layers)]
            self._require_shapes()
        except BadInput:
            raise
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as wrong:
            raise BadInput(f"{str(path)!r} is no readable Llama checkpoint: {wrong!r}") from wrong
        angle = np.arange(s.positions)[:, None] / s.rope_theta ** (np.arange(0, s.head_dim, 2) / s.head_dim)
        angle = np.concatenate([angle, angle], axis=1)
        self.cos, self.sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

    def _require_shapes(self) -> None:
        """Raise `ValueError` where weights are not of the sizes that `config.json` says."""
        s, (tokens, width) = self.shape, self.embed.shape
        mixed, qkv = s.heads * s.head_dim, (s.heads + 2 * s.kv_heads) * s.head_dim
        shapes = {"norm": (self.norm.shape, (width,)), "head": (self.head.shape, (width, tokens))}
        for i, block in enumerate(self.blocks):
            inner = block.down.shape[0]
            expected = {"norm": (width,), "qkv": (width, qkv), "out": (mixed, width), "norm_mlp": (width,)}
            expected |= {"gate_up": (width, 2 * inner), "down": (inner, width)}
            shapes |= {f"layer {i}, {name}": (getattr(block, name).shape, shape) for name, shape in expected.items()}
        for name, (found, should) in shapes.items():
            if found != should:
                raise ValueError(f"{name} has the shape {found}, config.json asks for {should}")
        if s.heads % s.kv_heads or s.head_dim % 2:
            raise ValueError(f"{s.heads} heads, {s.kv_heads} key-value heads of {s.head_dim}: these do not go together")

    def cache(self, rows: int) -> "Cache":
        """An empty cache for `rows` sequences."""
        return Cache(self, rows)


@dataclass(frozen=True)
class _Block:
    """One layer; query, key and value projections side by side, and gate and up, so that each is one product."""

    norm: np.ndarray
    qkv: np.ndarray
    out: np.ndarray
    norm_mlp: np.ndarray
    gate_up: np.ndarray
    down: np.ndarray

    @classmethod
    def of(cls, w: dict[str, np.ndarray], at: str) -> "_Block":
        def columns(part: str, *names: str) -> np.ndarray:
            return np.ascontiguousarray(np.concatenate([w[f"{at}{part}.{name}_proj.weight"] for name in names]).T)

        return cls(
            norm=w[f"{at}input_layernorm.weight"],
            qkv=columns("self_attn", "q", "k", "v"),
            out=columns("self_attn", "o"),
            norm_mlp=w[f"{at}post_attention_layernorm.weight"],
            gate_up=columns("mlp", "gate", "up"),
            down=columns("mlp", "down"),
        )


class Cache:
    """Keys and values of B growing sequences, and the forward pass that appends to them.

    Rows may differ in length. A row that appends fewer than n tokens computes on padding beyond its end. No token
    attends to this padding, and later tokens overwrite it. So the batch keeps its shape, and results do not depend on
    which rows are active.
    """

    def __init__(self, model: Llama, rows: int) -> None:
        s = model.shape
        self.model, self.rows = model, rows
        self.length: Int[np.ndarray, " B"] = np.zeros(rows, dtype=np.intp)
        self.room = 64
        # Positions last: one new token's scores are then products with whole rows, three times as fast.
        self._kv = np.zeros((s.layers, 2, rows, s.kv_heads, s.head_dim, self.room), dtype=np.float32)

    def _reserve(self, needed: int) -> None:
        """Room doubles, up to the model's positions: the cache is copied a few times in a run, not at each step."""
        positions = self.model.shape.positions
        if needed > positions:
            raise BadInput(f"a prompt of {needed} tokens is longer than the model's {positions} positions")
        if needed > self.room:
            room = min(positions, max(2 * self.room, needed))
            grown = np.zeros((*self._kv.shape[:5], room), dtype=np.float32)
            grown[..., : self.room] = self._kv
            self._kv, self.room = grown, room

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        return int(self._kv.nbytes)

    def clear(self) -> None:
        """Empty all rows; the room stays."""
        self.length = np.zeros(self.rows, dtype=np.intp)

    def branch(self, length: int) -> "Cache":
        """A cache of its own that begins with the first `length` tokens of this one, which has a single row."""
        new = Cache(self.model, self.rows)
        new._reserve(max(length, 1))
        new._kv[..., :length] = self._kv[..., :length]
        new.length = np.full(self.rows, length, dtype=np.intp)
        return new

    def append(
        self, tokens: Int[np.ndarray, "B n"], counts: Int[np.ndarray, " B"] | None = None, every: bool = False
    ) -> Float[np.ndarray, "B *n V"]:
        """Feed the first `counts` of the n tokens of each row (all, unless told).

        Logits after each row's last token; where `every` is asked for, after each token, (B, n, V).
        """
        m, n = self.model, tokens.shape[1]
        counts = np.full(self.rows, n) if counts is None else counts
        start = self.length
        used = int(start.max()) + n
        self._reserve(used)
        position = np.minimum(start[:, None] + np.arange(n), m.shape.positions - 1)  # B n
        even = bool((start == start[0]).all())
        hidden_keys = np.arange(used)[None, None] > position[:, :, None]  # B n L
        mask = None if even and n == 1 else np.where(hidden_keys, np.float32(-np.inf), np.float32(0))[:, None, None]
        cos, sin = m.cos[position][:, :, None], m.sin[position][:, :, None]
        x = m.embed[tokens.ravel()]  # rows and tokens in one axis: one large product instead of B small ones
        for layer, block in enumerate(m.blocks):
            x = x + self._attend(layer, block, _rms(x, block.norm, m.shape.epsilon), position, used, cos, sin, mask)
            x = x + _mlp(block, x, m.shape.epsilon)
        self.length = start + counts
        if every:
            return (_rms(x, m.norm, m.shape.epsilon) @ m.head).reshape(self.rows, n, -1)
        last = x[np.arange(self.rows) * n + np.maximum(counts, 1) - 1]
        return _rms(last, m.norm, m.shape.epsilon) @ m.head

    def peek(
        self,
        rows: Int[np.ndarray, " n"],
        tokens: Int[np.ndarray, "n m"],
        sees: Bool[np.ndarray, "m m"],
        offset: Int[np.ndarray, " m"],
    ) -> Float[np.ndarray, "n m V"]:
        """Logits after each of m tokens that are imagined beyond the end of `rows`; the cache stays as it is.

        Token i stands `offset[i]` positions beyond the end and sees all of its row, and the tokens j with `sees[i, j]`.
        """
        model, s, (n, m) = self.model, self.model.shape, tokens.shape
        start = self.length[rows]
        if int(start.max()) + int(offset.max()) >= s.positions:
            raise BadInput(f"an imagined history goes beyond the model's {s.positions} positions: imagine fewer steps")
        position, used = start[:, None] + offset, int(start.max())
        cos, sin = model.cos[position][:, :, None], model.sin[position][:, :, None]
        whole = n == self.rows and bool((rows == np.arange(n)).all())
        unseen = np.where(np.arange(used) < start[:, None], np.float32(0), np.float32(-np.inf))[:, None, None, None]
        hidden = np.where(sees, np.float32(0), np.float32(-np.inf))
        x = model.embed[tokens.ravel()]
        for layer, block in enumerate(model.blocks):
            q, k, v = self._project(block, _rms(x, block.norm, s.epsilon), (n, m), cos, sin)
            kept = self._kv[layer] if whole else self._kv[layer][:, rows]
            keys, values = kept[:, :, :, None, :, :used]
            k, v = _last(k)[:, :, None], _last(v)[:, :, None]  # n k 1 d m
            past, own = q @ keys + unseen, q @ k + hidden
            top = np.maximum(past.max(axis=-1, keepdims=True, initial=-np.inf), own.max(axis=-1, keepdims=True))
            past, own = np.exp(past - top), np.exp(own - top)
            total = past.sum(axis=-1, keepdims=True) + own.sum(axis=-1, keepdims=True)
            mixed = values @ (past / total).swapaxes(-1, -2) + v @ (own / total).swapaxes(-1, -2)  # n k q d m
            x = x + mixed.transpose(0, 4, 1, 2, 3).reshape(n * m, -1) @ block.out
            x = x + _mlp(block, x, s.epsilon)
        return (_rms(x, model.norm, s.epsilon) @ model.head).reshape(n, m, -1)

    def _project(
        self, block: _Block, x: Float[np.ndarray, "B*n D"], size: tuple[int, int], cos: np.ndarray, sin: np.ndarray
    ) -> tuple[Float[np.ndarray, "B k q n d"], Float[np.ndarray, "B n k d"], Float[np.ndarray, "B n k d"]]:
        """Turned and scaled queries, turned keys, and values."""
        s = self.model.shape
        both, qkv = s.heads + s.kv_heads, (x @ block.qkv).reshape(*size, -1, s.head_dim)  # B n heads d
        turned, v = qkv[:, :, :both], qkv[:, :, both:]
        turned = turned * cos + _half_turn(turned) * sin
        q = turned[:, :, : s.heads].reshape(*size, s.kv_heads, -1, s.head_dim).transpose(0, 2, 3, 1, 4)
        return q * np.float32(s.head_dim**-0.5), turned[:, :, s.heads :], v

    def _attend(
        self,
        layer: int,
        block: _Block,
        x: Float[np.ndarray, "B*n D"],
        position: Int[np.ndarray, "B n"],
        used: int,
        cos: np.ndarray,
        sin: np.ndarray,
        mask: np.ndarray | None,
    ) -> Float[np.ndarray, "B*n D"]:
        b, n = position.shape
        q, k, v = self._project(block, x, (b, n), cos, sin)
        keys, values = self._kv[layer]
        if (position == position[0]).all():
            first = position[0, 0]
            keys[..., first : first + n], values[..., first : first + n] = _last(k), _last(v)
        else:
            rows = np.arange(b)[:, None]
            keys[rows, ..., position], values[rows, ..., position] = k, v
        keys, values = keys[:, :, None, :, :used], values[:, :, None, :, :used]  # B k 1 d L
        scores = q @ keys
        if mask is not None:
            scores = scores + mask
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = values @ (weights / weights.sum(axis=-1, keepdims=True)).swapaxes(-1, -2)  # B k q d n
        return mixed.transpose(0, 4, 1, 2, 3).reshape(b * n, -1) @ block.out


def _rms(x: np.ndarray, weight: np.ndarray, epsilon: float) -> np.ndarray:
    mean = np.add.reduce(x * x, axis=-1, keepdims=True) / np.float32(x.shape[-1])  # np.mean takes twice as long
    return x / np.sqrt(mean + np.float32(epsilon)) * weight


def _mlp(block: _Block, x: np.ndarray, epsilon: float) -> np.ndarray:
    both = _rms(x, block.norm_mlp, epsilon) @ block.gate_up
    gate, up = both[:, : both.shape[-1] // 2], both[:, both.shape[-1] // 2 :]
    return (gate / (1 + np.exp(-gate)) * up) @ block.down


def _last(x: Float[np.ndarray, "B n k d"]) -> Float[np.ndarray, "B k d n"]:
    return x.transpose(0, 2, 3, 1)


def _half_turn(x: np.ndarray) -> np.ndarray:
    half = x.shape[-1] // 2
    return np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
