# SPDX-License-Identifier: Apache-2.0
"""One tokenizer as a process with the protocol of bench_tokenizer.c.

  tokenizer_peer.py NAME TOKENIZER_JSON TEXTS IDS

NAME: tokenizers (Hugging Face), tokie, nanotoken (a new instance with an empty cache for each pass),
nanotoken-warm."""
import array
import json
import sys
import time


def open_tokenizers(path):
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer.encode_batch_fast


def open_tokie(path):
    import tokie
    return tokie.Tokenizer.from_json(path).encode_batch


def open_nanotoken(path):
    import nanotoken
    tokenizer = nanotoken.Tokenizer(path)
    tokenizer.clear_cache()
    return tokenizer.encode_batch


OPEN = {"tokenizers": open_tokenizers, "tokie": open_tokie, "nanotoken": open_nanotoken,
        "nanotoken-warm": open_nanotoken}


def ids_of(encoded):
    encoded = encoded.to_list() if hasattr(encoded, "to_list") else encoded
    return [list(getattr(one, "ids", one)) for one in encoded]


def main():
    name, tokenizer_json, texts_path, ids_path = sys.argv[1:]
    plain = json.load(open(tokenizer_json, encoding="utf-8"))
    plain["padding"] = plain["truncation"] = None  # texts whole, as they are
    plain_path = ids_path + ".json"
    json.dump(plain, open(plain_path, "w", encoding="utf-8"))
    texts = open(texts_path, encoding="utf-8", newline="").read().split("\0")[:-1]
    encode = OPEN[name](plain_path)
    with open(ids_path, "wb") as out:
        for ids in ids_of(encode(texts)):
            array.array("I", [len(ids), *ids]).tofile(out)
    print("READY", flush=True)
    for _ in sys.stdin:
        if name == "nanotoken":
            encode = OPEN[name](plain_path)
        start = time.process_time()
        encode(texts)
        print(f"{time.process_time() - start:.9f}", flush=True)


main()
