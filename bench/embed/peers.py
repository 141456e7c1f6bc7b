# SPDX-License-Identifier: Apache-2.0
"""What the peers need before they can run: their models, and the texts that all read."""
import json
import lzma
import os
import pathlib
import random
import shutil
import subprocess

from interleave import say

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = {"ort": "peer_ort.py", "ov": "peer_openvino.py", "ct2": "peer_ctranslate2.py"}
LENGTHS = (8, 32, 128, 256)  # the model's maximum is the last
LINES = 64                   # texts of each length


def make_models(python, peers, source, texts, models, families):
    """Models in the peers' own formats, each made once; a family whose making fails is left out."""
    models.mkdir(parents=True, exist_ok=True)
    steps = {  # what is there afterwards: (family, command)
        "minilm_int8.onnx": ("", [peers / "make_models.py", source, models]),
        "ov_int8.xml": ("ov", [peers / "make_openvino.py", models, texts]),
        "ct2/model.bin": ("ct2", ["-m", "ctranslate2.converters.transformers", "--model", source,
                                  "--output_dir", models / "ct2", "--force"]),
    }
    missing = set()
    shutil.copy(source / "tokenizer.json", models)
    (models / "onnx").mkdir(exist_ok=True)  # where the script of ctranslate2 looks for it
    shutil.copy(source / "tokenizer.json", models / "onnx")
    for name, (family, command) in steps.items():
        if (models / name).exists() or (family and family not in families):
            continue
        say("making", models / name)
        log = models / (name.replace("/", "-") + ".log")
        with open(log, "w") as out:
            done = subprocess.run([python, *map(str, command)], stdout=out, stderr=out)
        if done.returncode or not (models / name).exists():
            say(f"{models / name} could not be made ({log}):", family or "all peers", "left out")
            missing |= {family} if family else set(SCRIPTS)
    return missing


def exact(tokenizer, words, length):
    """LINES texts that are `length` tokens with the special ones: runs of words, in order."""
    texts, at = [], 0
    while len(texts) < LINES:
        n = 1
        while len(tokenizer.encode(" ".join(words[at:at + n])).ids) < length:
            n += max(1, (length - len(tokenizer.encode(" ".join(words[at:at + n])).ids)) // 3)
        text = " ".join(words[at:at + n])
        if len(tokenizer.encode(text).ids) == length:
            texts.append(text)
        at += n
        if at + length > len(words):
            raise SystemExit(f"too few words for {LINES} texts of {length} tokens")
    return texts


def make_texts(python, peers, data, tokenizer_json, texts):
    if (texts / f"t{LENGTHS[-1]}.txt").exists():
        return
    from tokenizers import Tokenizer
    subprocess.run([python, peers / "make_workloads.py", data, tokenizer_json, texts], check=True,
                   stdout=subprocess.DEVNULL)  # mixed.txt
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    with lzma.open(data / "ir/cranfield/corpus.jsonl.xz", "rt", encoding="utf-8") as lines:
        documents = [json.loads(line)["text"] for line in lines]
    random.Random(1).shuffle(documents)
    words = " ".join(documents).split()
    for length in LENGTHS:
        (texts / f"t{length}.txt").write_text("\n".join(exact(tokenizer, words, length)) + "\n")


def command(python, peers, tag, texts, models, threads, seconds):
    """(words, environment) of a peer "family:mode"."""
    family, _, mode = tag.partition(":")
    env = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1",
           "HF_HUB_OFFLINE": "1", "RAYON_NUM_THREADS": str(threads),
           "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}
    model = models / "ct2" if family == "ct2" else models
    return [python, HERE / "peer_server.py", peers, SCRIPTS[family], texts, model, mode, threads,
            seconds], env


def cpu():
    """(name, kind): the column of the bars that binds here, "amx", "vnni", "avx2" or "other"."""
    name, flags = "unknown CPU", set()
    for line in open("/proc/cpuinfo"):
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        if key.strip() in ("flags", "Features"):
            flags = set(value.split())
            break
    for kind, flag in (("amx", "amx_int8"), ("vnni", "avx512_vnni"), ("avx2", "avx2")):
        if flag in flags:
            return name, kind
    return name, "other"


def cpus():
    return sorted(os.sched_getaffinity(0))
