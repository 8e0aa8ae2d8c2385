"""Tiny language models with a tokenizer of their own, made from scratch."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXT = "task: bring me the mug\nat the dock, empty hand\n> look in the cupboard\nin front of the door\n> open chest 3\n"
SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)


def tiny_tokenizer() -> Any:
    """Byte-level BPE of 320 tokens; id 0 is padding and, as in many published ones, the end of the text too."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT] * 5, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")


def tiny_language_model(folder: Path, positions: int = 2048, **more: Any) -> Path:
    """A Llama of two layers with random weights, saved in `folder`."""
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        **SIZES,
        vocab_size=len(tokenizer),
        max_position_embeddings=positions,
        initializer_range=0.06,
        pad_token_id=0,
        eos_token_id=0,
        bos_token_id=None,
        **more,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_gguf(folder: Path) -> Path:
    """The same model, with a begin-of-text token of none, as a GGUF file that llama.cpp reads."""
    model = LlamaForCausalLM.from_pretrained(tiny_language_model(folder / "model"))
    tokenizer = json.loads((folder / "model" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    config, path = model.config, folder / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_attention_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    words = sorted(tokenizer["vocab"], key=tokenizer["vocab"].get)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["<|endoftext|>" if word == "<end>" else word for word in words])  # as transformers expects
    writer.add_token_types([control if word == "<end>" else normal for word in words])
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in tokenizer["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        values = weight.numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # llama.cpp turns neighbouring pairs
            heads, (rows, columns) = config.num_attention_heads, values.shape
            values = values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def drawn_lines(rng):
    """Tokens of lines, a few only, so that lines begin alike, are beginnings of others, or are the same."""
    size = int(rng.integers(2, 6))
    return [rng.integers(1, 1 + size, int(rng.integers(1, 6))).tolist() for _ in range(int(rng.integers(1, 8)))]
