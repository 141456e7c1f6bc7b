#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/cli/tiny-model: a BERT in the publisher's layout with random weights, small enough to
be committed, so that the tests of the command need no download. Two layers of 32, a vocabulary of
all printable ASCII characters and the words below. The same bytes on every machine."""
import json
import pathlib
import random
import struct

HIDDEN, LAYERS, FFN, POSITIONS = 32, 2, 40, 64
WORDS = """the a is in of to and on it we you my your our for with not at by from spare key under third
flower pot house anna allergic peanuts boiler serviced may garden door cat dog tea boat find note text
ladder shed saw hangs behind stands""".split()


def vocabulary():
    letters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    pieces = ["##" + c for c in letters if c.isalnum()] + ["##ed", "##ing"]
    words = [w for w in WORDS if len(w) > 1]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + pieces + words


def tensors(n_words):
    yield "embeddings.word_embeddings.weight", (n_words, HIDDEN), 0.5
    yield "embeddings.position_embeddings.weight", (POSITIONS, HIDDEN), 0.1
    yield "embeddings.token_type_embeddings.weight", (2, HIDDEN), 0.1
    yield from norm("embeddings.LayerNorm")
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value",
                     "attention.output.dense"):
            yield from linear(layer + name, HIDDEN, HIDDEN)
        yield from norm(layer + "attention.output.LayerNorm")
        yield from linear(layer + "intermediate.dense", FFN, HIDDEN)
        yield from linear(layer + "output.dense", HIDDEN, FFN)
        yield from norm(layer + "output.LayerNorm")


def linear(name, n_out, n_in):
    yield name + ".weight", (n_out, n_in), 0.3
    yield name + ".bias", (n_out,), 0.1


def norm(name):
    yield name + ".weight", (HIDDEN,), None
    yield name + ".bias", (HIDDEN,), 0.1


def safetensors(n_words):
    rng = random.Random(20250701)
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, shape, spread in tensors(n_words):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        # Eighths of the spread: exact in f32, and the file compresses well.
        values = [1.0 if spread is None else rng.randint(-8, 8) / 8 * spread for _ in range(count)]
        block = struct.pack(f"<{count}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape),
                        "data_offsets": [len(data), len(data) + len(block)]}
        data += block
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def main():
    folder = pathlib.Path(__file__).resolve().parent / "tiny-model"
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    words = vocabulary()

    def write(name, value):
        (folder / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

    write("config.json", {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": len(words),
        "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "intermediate_size": FFN, "hidden_act": "gelu", "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12})
    write("sentence_bert_config.json", {"max_seq_length": POSITIONS, "do_lower_case": False})
    write("tokenizer_config.json", {"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
    write("modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling",
         "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize",
         "type": "sentence_transformers.models.Normalize"}])
    write("1_Pooling/config.json", {"word_embedding_dimension": HIDDEN,
                                    "pooling_mode_cls_token": False,
                                    "pooling_mode_mean_tokens": True})
    (folder / "vocab.txt").write_text("".join(w + "\n" for w in words), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(safetensors(len(words)))


if __name__ == "__main__":
    main()
