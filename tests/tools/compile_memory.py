#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compile a large made-up model and measure the memory that it takes.

  compile_memory.py --memolith PROGRAM [--billions 4] [--folder /tmp] [--most MB] CLASS...

Makes a BERT of about so many parameters in bf16 (8 GB for 4 billion; random values, the same ones in
every tensor), compiles it to each class with --calibrate none, deletes all of it, and ends with
status 1 when a compile failed or took more than --most MB. For each class:

  anonymous  peak of RssAnon in /proc/PID/status, looked at every 10 ms: memory that is the process's
             own. Pages of mapped files are not in it: the kernel takes those back when it likes
  resident   VmHWM, those pages included
  limit      RLIMIT_DATA under which it ran: every private writable page that was ever asked for at
             once, touched or not, thread stacks included; beyond it an allocation fails

So `limit` proves the bound and `anonymous` says how near it came."""
import argparse
import json
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HIDDEN, FFN, HEADS, POSITIONS, WORDS = 2560, 10240, 40, 512, 30522
BLOCK = 200003  # values that repeat; a prime, so that no two rows are equal
MIB = 1 << 20


def tensors(n_layers):
    yield "embeddings.word_embeddings.weight", (WORDS, HIDDEN)
    yield "embeddings.position_embeddings.weight", (POSITIONS, HIDDEN)
    yield "embeddings.token_type_embeddings.weight", (2, HIDDEN)
    yield from norm("embeddings.LayerNorm")
    for n in range(n_layers):
        layer = f"encoder.layer.{n}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value",
                     "attention.output.dense"):
            yield from linear(layer + name, HIDDEN, HIDDEN)
        yield from norm(layer + "attention.output.LayerNorm")
        yield from linear(layer + "intermediate.dense", FFN, HIDDEN)
        yield from linear(layer + "output.dense", HIDDEN, FFN)
        yield from norm(layer + "output.LayerNorm")


def linear(name, n_out, n_in):
    yield name + ".weight", (n_out, n_in)
    yield name + ".bias", (n_out,)


def norm(name):
    yield name + ".weight", (HIDDEN,)
    yield name + ".bias", (HIDDEN,)


def bf16(values):
    raw = struct.pack(f"<{len(values)}f", *values)
    return b"".join(raw[i + 2:i + 4] for i in range(0, len(raw), 4))


def count(shape):
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def write_weights(path, n_layers):
    rng = random.Random(20261122)
    block = bf16([rng.gauss(0, 0.02) for _ in range(BLOCK)]) * 40
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors(n_layers):
        n = 2 * count(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors(n_layers):
            left = 2 * count(shape)
            if name.endswith("LayerNorm.weight"):
                out.write(bf16([1.0]) * (left // 2))
                continue
            while left:
                out.write(block[:left])
                left -= min(left, len(block))
    return sum(count(shape) for _, shape in tensors(n_layers))


def write_model(folder, n_layers):
    config = {"model_type": "bert", "num_hidden_layers": n_layers, "hidden_size": HIDDEN,
              "num_attention_heads": HEADS, "intermediate_size": FFN,
              "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "vocab_size": WORDS,
              "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(c) for c in range(97, 123)]
    words += [f"w{n}" for n in range(WORDS - len(words))]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return write_weights(folder / "model.safetensors", n_layers)


def status_kib(pid, *names):
    values = dict.fromkeys(names, 0)
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in values:
                values[name] = int(rest.split()[0])
    except (OSError, ValueError, IndexError):
        pass  # it has ended
    return [values[name] for name in names]


def compile_one(args, cls, source, out):
    command = [args.memolith, "model", "compile", str(source), "-o", str(out), "--class", cls,
               "--force", "--pooling", "mean", "--calibrate", "none"]
    if cls in ("f32", "f16", "bf16"):
        command = command[:-2]

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (args.most * MIB, args.most * MIB))

    start = time.monotonic()
    process = subprocess.Popen(command, preexec_fn=limit, stdout=subprocess.DEVNULL)
    anonymous = resident = 0
    while process.poll() is None:
        anon, peak = status_kib(process.pid, "RssAnon", "VmHWM")
        anonymous, resident = max(anonymous, anon), max(resident, peak)
        time.sleep(0.01)
    size = out.stat().st_size if out.exists() else 0
    print(f"{cls}: anonymous {anonymous / 1024:.1f} MiB, resident {resident / 1024:.1f} MiB, "
          f"limit {args.most} MiB, {time.monotonic() - start:.0f} s, file {size / 1e9:.2f} GB, "
          f"status {process.returncode}", flush=True)
    out.unlink(missing_ok=True)
    return process.returncode == 0 and anonymous < args.most * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--memolith", required=True)
    parser.add_argument("--billions", type=float, default=4)
    parser.add_argument("--folder", default="/tmp")
    parser.add_argument("--most", type=int, default=256)
    parser.add_argument("classes", nargs="+")
    args = parser.parse_args()
    layer = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * FFN
    n_layers = max(1, round((args.billions * 1e9 - WORDS * HIDDEN) / layer))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memolith-big.", dir=args.folder))
    try:
        (folder / "source").mkdir()
        n = write_model(folder / "source", n_layers)
        print(f"{n:,} parameters, {n_layers} layers of {HIDDEN}", flush=True)
        good = [compile_one(args, cls, folder / "source", folder / "out.safetensors")
                for cls in args.classes]
    finally:
        shutil.rmtree(folder)
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed, 0 skipped")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
