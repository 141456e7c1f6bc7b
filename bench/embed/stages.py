# SPDX-License-Identifier: Apache-2.0
"""Where the time of an embedding run goes, by perf: shares of functions, and of the stages they
belong to."""
import re
import shutil
import subprocess

from interleave import say

LEAST_PERCENT = 0.7  # functions below it are in their stage only

STAGES = (  # the first that matches
    ("waiting for work", r"^pool_"),
    ("attention", r"attention|softmax|pack_panels|pack_inputs|rows_to_bf16|scale_rows"),
    ("quantizing activations", r"_quantize_(row|static)|linear_prepare"),
    ("norm, activation, residual", r"layer_norm|transformer_norm|gelu|add_f32|erf|exp_f32|tanh"),
    ("matrix products", r"gemm|tile|vnni|unpack|dot_|f16_to_f32"),
    ("tokenizer", r"token|wordpiece|trie|bert_norm|utf8|words|chars|encode"),
    ("embeddings, pooling", r"embed|gather|pool|transformer|dequantize_row"),
    ("checksums", r"XXH|xxh|checksum"),
)


def stage(function):
    return next((name for name, pattern in STAGES if re.search(pattern, function)), "the rest")


def profile(program, model, texts, workload, work):
    """[(function, percent)] of one process that does the workload for two seconds."""
    data = work / "perf.data"
    subprocess.run(["perf", "record", "-q", "-o", data, program, model, texts, "--seconds", "2"], input=workload + "\n",
                   check=True, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none", "--sort", "symbol"],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    data.unlink()
    found = (re.match(r"\s*([\d.]+)%\s+\[(.)\]\s+(\S+)", line) for line in lines)
    return [("the kernel" if m[2] == "k" else m[3], float(m[1])) for m in found if m]


def measure(program, models, texts, workloads, work):
    """{"CLASS, WORKLOAD": {"functions": {name: percent}, "stages": {name: percent}}}"""
    if not shutil.which("perf"):
        say("there is no perf; the profile is left out")
        return {}
    results = {}
    for cls, model in models.items():
        for workload in workloads:
            functions, stages = {}, {}
            for name, percent in profile(program, model, texts, workload, work):
                stages[stage(name)] = stages.get(stage(name), 0.0) + percent
                functions[name] = functions.get(name, 0.0) + percent
            results[f"{cls}, {workload}"] = {
                "functions": {name: p for name, p in functions.items() if p >= LEAST_PERCENT},
                "stages": dict(sorted(stages.items(), key=lambda item: -item[1]))}
    return results
