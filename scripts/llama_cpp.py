"""Serve a checkpoint by llama.cpp, and run an endpoint planner against it. Optional: not part of the tests.

    pip install gguf xllamacpp          # llama.cpp with its server, built
    python scripts/llama_cpp.py src/parley/checkpoints/shortcut shortcut.gguf            # convert
    python scripts/llama_cpp.py src/parley/checkpoints/shortcut shortcut.gguf --serve    # convert and serve
    parley run --world shortcut --runs 4 --episodes 16 --out runs/cpp --planner \\
        endpoint:model=openai-api/local/shortcut,template=transcript,way=parse,max_tokens=1,temperature=0

The last one with LOCAL_BASE_URL set to the address that is printed, LOCAL_API_KEY to anything; it takes the same 192
steps as `--planner transformer:decode=greedy`. Any build of llama.cpp serves the file too: `llama-server -m FILE`.
"""

import argparse
import json
import time
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

from parley.models import dequantised

PARTS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    **dequantised.PARTS,
}


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key projection in llama.cpp's order: it turns neighbouring pairs, transformers halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def tokens(writer: gguf.GGUFWriter, folder: Path, size: int) -> None:
    """The byte-level BPE, whole lines of the world as tokens of the user's."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    names, kinds = [f"[unused {i}]" for i in range(size)], [gguf.TokenType.UNUSED] * size
    for name, i in tokenizer["model"]["vocab"].items():
        names[i], kinds[i] = name, gguf.TokenType.NORMAL
    for entry in tokenizer["added_tokens"]:
        names[entry["id"]] = entry["content"]
        kinds[entry["id"]] = gguf.TokenType.CONTROL if entry["special"] else gguf.TokenType.USER_DEFINED
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    template = folder / "chat_template.jinja"
    if template.is_file():
        writer.add_chat_template(template.read_text(encoding="utf-8"))


def convert(folder: Path, out: Path) -> None:
    """Write the checkpoint as GGUF, all numbers as they are."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    kv_heads, width = config.get("num_key_value_heads") or heads, config["hidden_size"]
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_name(folder.name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config.get("head_dim") or width // heads)
    writer.add_rope_freq_base(float((config.get("rope_parameters") or config).get("rope_theta", 10_000.0)))
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    tokens(writer, folder, config["vocab_size"])
    if isinstance(config.get("eos_token_id"), int):
        writer.add_eos_token_id(config["eos_token_id"])
    weights = {name: value.astype(np.float32) for name, value in load_file(folder / "model.safetensors").items()}
    embedding = weights["model.embed_tokens.weight"]
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", weights.get("lm_head.weight", embedding))
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"])
    for i in range(config["num_hidden_layers"]):
        for theirs, ours in PARTS.items():
            weight = weights[f"model.layers.{i}.{theirs}.weight"]
            if ours in ("attn_q", "attn_k"):
                weight = interleaved(weight, heads if ours == "attn_q" else kv_heads)
            writer.add_tensor(f"blk.{i}.{ours}.weight", np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(path: Path, name: str, context: int) -> None:
    """llama.cpp's own server in this process, until Ctrl-C."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {name}
    params.n_ctx, params.n_parallel = context, 1
    server = xllamacpp.Server(params)
    print(f"LOCAL_BASE_URL={server.listening_address}/v1 LOCAL_API_KEY=none", flush=True)
    while True:
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    convert(args.checkpoint, args.out)
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")
    if args.serve:
        config = json.loads((args.checkpoint / "config.json").read_text(encoding="utf-8"))
        serve(args.out, args.checkpoint.name, config["max_position_embeddings"])


if __name__ == "__main__":
    main()
