#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare our tokenizer with the reference (the Python package `tokenizers`), ids and offsets.

    compare_tokenizer.py PROGRAM [--texts N] [--seed S] [TOKENIZER_JSON...]

PROGRAM is golden_tokenizer. Without a file, vocabularies of single characters are made, in which
any difference in normalization is a difference in ids: for each combination of BERT's flags all
code points (alone, between letters, inside a run of marks) and N random texts. Files are compared
on N random texts each. Prints "N passed, N failed, N skipped" and the first differences.
"""
import argparse
import itertools
import json
import random
import struct
import subprocess
import tempfile
import unicodedata

from tokenizers import Tokenizer

MARKS = [chr(c) for c in range(0x300, 0x11F00) if unicodedata.combining(chr(c))]
PARTS = [chr(c) for c in range(0x30000) if unicodedata.decomposition(chr(c))[:1].isalnum()]
POOLS = [
    [chr(c) for c in range(0x20, 0x7F)],
    [chr(c) for c in range(0x61, 0x7B)],
    [chr(c) for c in range(0x00, 0x180)],
    MARKS, PARTS,
    [c for c in MARKS if unicodedata.category(c) != "Mn"],
    [chr(c) for c in range(0xAC00, 0xD7A4)] + [chr(c) for c in range(0x1100, 0x1200)],
    [chr(c) for c in range(0x4E00, 0x4F00)] + [chr(c) for c in range(0xF900, 0xFB00)],
    [chr(c) for c in range(0x2000, 0x2070)] + ["\u3000", "\ufeff", "\ufffd", "\ufffe", "\x00"],
    [chr(c) for c in range(0x1F300, 0x1F700)] + ["\u200d", "\ufe0f"],
    [chr(c) for c in range(0x80, 0x3000)],
    [chr(c) for c in range(0x10000, 0x11000)] + [chr(c) for c in range(0xE0000, 0xE0200)],
    [" ", "\t", "\n", "\r\n", "  "],
    [".", ",", "-", "'", "##", "[", "]", "\u3002", "\u00bf"],
]
ADDED = [  # content, single_word, lstrip, rstrip, normalized, special
    ("[CLS]", 0, 0, 0, 0, 1), ("[MASK]", 0, 1, 0, 0, 1), ("[SEP]", 0, 0, 1, 0, 1),
    ("[M", 0, 0, 0, 0, 0), ("yes", 1, 0, 0, 0, 0), ("yesno", 0, 0, 0, 0, 0),
    ("\u00c9t\u00e9", 0, 0, 0, 1, 0), ("new york", 1, 0, 0, 1, 0), ("Ab-C", 0, 1, 1, 1, 0),
    ("\u4e01\u4e02", 0, 0, 0, 1, 0), ("  ", 0, 0, 0, 0, 0),
]


def character_vocabulary():
    vocab = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[MASK]": 3, "abc": 4, "##abc": 5, "##cd": 6}
    for cp in list(range(0x30000)) + list(range(0xE0000, 0xE0200)):
        c = chr(cp)
        known = unicodedata.category(c) not in ("Cn", "Cs", "Co") or cp % 16 == 0
        if c != "\x00" and known and unicodedata.category(c) != "Cs":
            for form in (c, "##" + c):
                vocab.setdefault(form, len(vocab))
    return vocab


def tokenizer_json(vocab, normalizer, added):
    tokens, next_id = [], len(vocab)
    for content, single, left, right, normal, special in added:
        token_id = vocab.get(content, next_id)
        next_id += content not in vocab
        tokens.append({"id": token_id, "content": content, "single_word": bool(single),
                       "lstrip": bool(left), "rstrip": bool(right), "normalized": bool(normal),
                       "special": bool(special)})
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
        "normalizer": normalizer, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None, "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 20, "vocab": vocab}})


def all_characters():
    """Every code point alone, between letters and inside a run of marks, 24 to a text."""
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    for form in ("{}", "x{}y", "e\u0301{}\u0323z", "{}\u0334\u1b44", "\u0345\u302e{}"):
        for i in range(0, len(points), 24):
            yield "\n".join(form.format(c) for c in points[i : i + 24])


def random_texts(rng, n, added):
    words = [a[0] for a in added] + ["ABC", "Yes", "NEW YORK", "\u00e9t\u00c9", "ab-c", "new  york"]
    for _ in range(n):
        text = ""
        for _ in range(rng.randrange(1, 12)):
            if rng.random() < 0.2:
                text += rng.choice(words)
            else:
                pool = rng.choice(POOLS)
                text += "".join(rng.choice(pool) for _ in range(rng.randrange(1, 6)))
        yield text.replace("\x00", "") if rng.random() < 0.5 else text


def reference(tokenizer, texts):
    for text, encoding in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False)):
        at = [0]
        for c in text:
            at.append(at[-1] + len(c.encode()))
        yield [(i, at[b], at[e]) for i, (b, e) in zip(encoding.ids, encoding.offsets)]


def ours(program, path, texts):
    request = b"".join(struct.pack("<I", len(b)) + b for b in (t.encode() for t in texts))
    answer = subprocess.run([program, "--encode", path], input=request, stdout=subprocess.PIPE,
                            check=True).stdout
    at = 0
    for _ in texts:
        (n,) = struct.unpack_from("<I", answer, at)
        rows = struct.unpack_from(f"<{3 * n}I", answer, at + 4)
        yield [tuple(rows[i : i + 3]) for i in range(0, 3 * n, 3)]
        at += 4 + 12 * n


class Score:
    passed = failed = 0

    def compare(self, program, path, label, texts):
        tokenizer = Tokenizer.from_file(path)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        failed = 0
        for text, a, b in zip(texts, reference(tokenizer, texts), ours(program, path, texts)):
            if a == b:
                self.passed += 1
                continue
            failed += 1
            if failed <= 3:
                first = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                print(f"FAILED {label}: {ascii(text)}\n  token {first}: reference "
                      f"{a[first:first + 3]}, ours {b[first:first + 3]}")
        self.failed += failed
        print(f"{label}: {len(texts)} texts, {failed} differ", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--texts", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_intermixed_args()
    rng, score = random.Random(args.seed), Score()
    print(f"seed {args.seed}")
    for path in args.files:
        score.compare(args.program, path, path, list(random_texts(rng, args.texts, ADDED)))
    if not args.files:
        vocab = character_vocabulary()
        # The first two and the extremes get every code point; the rest only random texts.
        flags = list(itertools.product((True, False), (True, False), (None, True, False), (True, False)))
        for clean, cjk, strip, lower in flags:
            normalizer = {"type": "BertNormalizer", "clean_text": clean,
                          "handle_chinese_chars": cjk, "strip_accents": strip, "lowercase": lower}
            label = "clean %d cjk %d strip %s lower %d" % (clean, cjk, strip, lower)
            for added in ((), [a for a in ADDED if not a[4]], ADDED):
                with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                    file.write(tokenizer_json(vocab, normalizer, added))
                    file.flush()
                    texts = list(random_texts(rng, args.texts // (3 * len(flags)) + 1, ADDED))
                    if not added and clean == cjk and (strip is None or not clean):
                        texts += all_characters()
                    score.compare(args.program, file.name, f"{label} added {len(added)}", texts)
    print(f"{score.passed} passed, {score.failed} failed, 0 skipped")
    raise SystemExit(score.failed > 0)


main()
