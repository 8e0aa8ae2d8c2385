"""llama.cpp through its C interface, as the wheel of `xllamacpp` carries it: tokens, a cache for each prompt, logits.

Only the few structures that are needed are declared; their places are held against the library's own defaults when it
is loaded. It runs in a process of its own (`models.llama_cpp_child`): where llama.cpp gives up, it aborts.
"""

import ctypes as c
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput, MissingExtra

TESTED = "xllamacpp==2026.10.11549"
FLOAT32 = 0  # of ggml's types
BATCH = 512  # tokens of a call
_INT, _UINT, _FLOAT, _POINTER, _BOOL = c.c_int32, c.c_uint32, c.c_float, c.c_void_p, c.c_bool


class _Context(c.Structure):
    """`llama_context_params`."""

    _fields_: Sequence[Any] = (  # type: ignore[misc]
        [(n, _UINT) for n in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq", "n_outputs", "n_outputs_seq")]
        + [(n, _INT) for n in ("n_threads", "n_threads_batch", "kind", "rope", "pooling", "attention", "flash")]
        + [(n, _FLOAT) for n in ("rope_base", "rope_scale", "yarn_0", "yarn_1", "yarn_2", "yarn_3")]
        + [("yarn_ctx", _UINT), ("defrag", _FLOAT), ("callback", _POINTER), ("callback_data", _POINTER)]
        + [("type_k", _INT), ("type_v", _INT), ("moe", c.c_size_t), ("abort", _POINTER), ("abort_data", _POINTER)]
        + [(n, _BOOL) for n in ("embeddings", "offload_kqv", "no_perf", "op_offload", "swa_full", "kv_unified")]
        + [("samplers", _POINTER), ("num_samplers", c.c_size_t), ("other", _POINTER)]
    )


class _Model(c.Structure):
    """`llama_model_params`, which are passed on as they come."""

    _fields_ = [("raw", c.c_uint64 * 32)]


class _Batch(c.Structure):
    """`llama_batch`."""

    _fields_ = [
        ("n_tokens", _INT),
        ("token", c.POINTER(_INT)),
        ("embd", _POINTER),
        ("pos", c.POINTER(_INT)),
        ("n_seq_id", c.POINTER(_INT)),
        ("seq_id", c.POINTER(c.POINTER(_INT))),
        ("logits", c.POINTER(c.c_int8)),
    ]


FUNCTIONS: dict[str, tuple[Any, ...]] = {  # the result, then the arguments
    "llama_log_set": (None, _POINTER, _POINTER),
    "llama_backend_init": (None,),
    "llama_model_default_params": (_Model,),
    "llama_context_default_params": (_Context,),
    "llama_model_load_from_file": (_POINTER, c.c_char_p, _Model),
    "llama_init_from_model": (_POINTER, _POINTER, _Context),
    "llama_free": (None, _POINTER),
    "llama_model_get_vocab": (_POINTER, _POINTER),
    "llama_model_n_ctx_train": (_INT, _POINTER),
    "llama_model_chat_template": (c.c_char_p, _POINTER, c.c_char_p),
    "llama_vocab_n_tokens": (_INT, _POINTER),
    "llama_vocab_get_text": (c.c_char_p, _POINTER, _INT),
    "llama_vocab_is_control": (_BOOL, _POINTER, _INT),
    "llama_vocab_bos": (_INT, _POINTER),
    "llama_vocab_eos": (_INT, _POINTER),
    "llama_vocab_get_add_bos": (_BOOL, _POINTER),
    "llama_tokenize": (_INT, _POINTER, c.c_char_p, _INT, c.POINTER(_INT), _INT, _BOOL, _BOOL),
    "llama_token_to_piece": (_INT, _POINTER, _INT, c.c_char_p, _INT, _INT, _BOOL),
    "llama_batch_init": (_Batch, _INT, _INT, _INT),
    "llama_batch_free": (None, _Batch),
    "llama_decode": (_INT, _POINTER, _Batch),
    "llama_get_logits_ith": (c.POINTER(_FLOAT), _POINTER, _INT),
    "llama_get_memory": (_POINTER, _POINTER),
    "llama_memory_seq_rm": (_BOOL, _POINTER, _INT, _INT, _INT),
}


def _library() -> Any:
    """The functions of the library; raises `BadInput` where it is laid out otherwise than the version tested."""
    spec = find_spec("xllamacpp")
    if spec is None:
        raise MissingExtra("planner 'gguf'", "smollm2")
    found = find_spec("xllamacpp.xllamacpp")
    try:
        library = c.CDLL(str(found.origin if found else ""))
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as wrong:
        raise BadInput(f"xllamacpp gives no llama.cpp that can be called ({wrong}): pip install {TESTED}") from None
    d = library.llama_context_default_params()
    seen = (d.n_ctx, d.n_batch, d.n_ubatch, d.n_seq_max, d.n_threads, d.flash, d.type_k, d.type_v, d.offload_kqv)
    if seen != (512, 2048, 512, 1, 4, -1, 1, 1, True) or not d.swa_full or d.kv_unified:
        raise BadInput(f"this xllamacpp has another llama.cpp than the one that is known here: pip install {TESTED}")
    return library


class LlamaCpp:
    """A model, and a context with a cache of its own for each of `num_rows` prompts of at most `context` tokens."""

    def __init__(self, path: str, threads: int) -> None:
        self._lib = lib = _library()
        self._quiet = c.CFUNCTYPE(None, c.c_int, c.c_char_p, _POINTER)(lambda level, text, data: None)
        lib.llama_log_set(c.cast(self._quiet, _POINTER), None)
        lib.llama_backend_init()
        self._model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
        if not self._model:
            raise BadInput(f"{path!r} is no model that llama.cpp can load")
        self._vocab, self._threads = lib.llama_model_get_vocab(self._model), threads
        self.size, self.positions = lib.llama_vocab_n_tokens(self._vocab), lib.llama_model_n_ctx_train(self._model)
        self._context: Any = None
        self._memory: Any = None

    def about(self) -> dict[str, Any]:
        """What the tokenizer's user has to know."""
        lib, v = self._lib, self._vocab
        special = {self._text(i): i for i in range(self.size) if lib.llama_vocab_is_control(v, i)}
        template = lib.llama_model_chat_template(self._model, None)
        bos, eos = lib.llama_vocab_bos(v), lib.llama_vocab_eos(v)
        names = {name: self._text(i) for name, i in (("bos_token", bos), ("eos_token", eos)) if i >= 0}
        begin = [bos] if lib.llama_vocab_get_add_bos(v) and bos >= 0 else []
        told = {"positions": self.positions, "template": (template or b"").decode(), "special": special}
        return {**told, "names": names, "begin": begin, "end": [eos] if eos >= 0 else []}

    def _text(self, token: int) -> str:
        return str(self._lib.llama_vocab_get_text(self._vocab, token).decode(errors="replace"))

    def plain(self, text: str) -> list[int]:
        """Tokens of a text, none of them special."""
        told = text.encode()
        room = (c.c_int32 * (len(told) + 8))()
        count = self._lib.llama_tokenize(self._vocab, told, len(told), room, len(room), False, False)
        return list(room[:count])

    def said(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        found, room = b"", c.create_string_buffer(512)
        for token in tokens:
            count = self._lib.llama_token_to_piece(self._vocab, token, room, len(room), 0, False)
            found += room.raw[: max(0, count)]
        return found.decode(errors="replace")

    def begin(self, num_rows: int, context: int) -> None:
        """Empty caches; in float32, as what they are read from."""
        lib, p = self._lib, self._lib.llama_context_default_params()
        if self._context:
            lib.llama_free(self._context)
        p.n_ctx, p.n_seq_max, p.n_batch, p.n_ubatch = num_rows * context, num_rows, BATCH, BATCH
        p.n_threads = p.n_threads_batch = self._threads
        p.type_k = p.type_v = FLOAT32
        p.flash = 0  # it computes in half precision
        self._context = lib.llama_init_from_model(self._model, p)
        if not self._context:
            raise BadInput(f"llama.cpp has no room for {num_rows} prompts of {context} tokens: take a smaller context")
        self._memory = lib.llama_get_memory(self._context)

    def cut(self, row: int, keep: int) -> None:
        """Forget a prompt from position `keep` on."""
        self._lib.llama_memory_seq_rm(self._memory, row, keep, -1)

    def decode(self, parts: Sequence[tuple[int, int, Sequence[int]]]) -> list[Float[np.ndarray, "n V"]]:
        """Read tokens into prompts, (row, start, tokens) each; the logits after each token."""
        every = [(row, start + i, token) for row, start, tokens in parts for i, token in enumerate(tokens)]
        found = [self._decode(every[at : at + BATCH]) for at in range(0, len(every), BATCH)]
        return np.split(np.concatenate(found), np.cumsum([len(tokens) for _, _, tokens in parts])[:-1])

    def _decode(self, every: Sequence[tuple[int, int, int]]) -> Float[np.ndarray, "n V"]:
        lib, batch = self._lib, self._lib.llama_batch_init(len(every), 0, 1)
        try:
            batch.n_tokens = len(every)
            for i, (row, position, token) in enumerate(every):
                batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, 1, 1
                batch.seq_id[i][0] = row
            if code := lib.llama_decode(self._context, batch):
                raise BadInput(f"llama.cpp could not read {len(every)} tokens (code {code})")
            rows = [
                np.ctypeslib.as_array(lib.llama_get_logits_ith(self._context, i), (self.size,))
                for i in range(len(every))
            ]
            return np.stack(rows).copy()
        finally:
            lib.llama_batch_free(batch)
