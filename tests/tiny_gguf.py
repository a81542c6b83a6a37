"""A language model of a few kilobytes, as llama.cpp reads it: whatever it is asked, it says one sentence.

Its only layer adds nothing, so that the next token depends on the last one alone: token t lies in direction state(t) of
the embedding, and the output row of each token is large in the direction of the one that it follows.
"""

from pathlib import Path

import gguf
import numpy as np

SENTENCE = "A depth map of a chair ."
DIMENSION = 64
SURE = 40.0  # the logit of the token that follows; all others have 0
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def write_model(path: Path) -> None:
    """Write the model to `path`."""
    words = [f"▁{word}" for word in SENTENCE.split()]
    special = ["<unk>", "<s>", "</s>"]
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    tokens = [*special, *bytes_, *words]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * len(words)

    embedding = np.zeros((len(tokens), DIMENSION), np.float32)
    output = np.zeros_like(embedding)
    embedding[:, 0] = 1.0  # state 0: nothing has been said yet
    first = len(tokens) - len(words)
    chain = [*range(first, len(tokens)), tokens.index("</s>")]
    for state, token in enumerate(chain):
        output[token, state] = SURE / np.sqrt(DIMENSION)  # a normalised embedding is sqrt(DIMENSION) long
        embedding[token] = np.eye(DIMENSION, dtype=np.float32)[state + 1]

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(DIMENSION)
    writer.add_block_count(1)
    writer.add_feed_forward_length(DIMENSION)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(DIMENSION // 2)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    square, ones = np.zeros((DIMENSION, DIMENSION), np.float32), np.ones(DIMENSION, np.float32)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", square)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", ones)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
