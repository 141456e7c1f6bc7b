#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile zstd frames (RFC 8878), written by hand.

  zst.py bomb OUT BYTES    one record, then line breaks up to BYTES, in a frame of no known size
  zst.py sized OUT BYTES   the same, and the frame says how large it is
  zst.py window OUT        a frame that asks for a window of 3.75 GiB
  zst.py pack FILE         FILE as a frame of plain blocks, on stdout
  zst.py cut FILE N        FILE without its last N bytes
  zst.py flip FILE N       FILE with one bit of byte N flipped"""
import struct
import sys

MAGIC = b"\x28\xb5\x2f\xfd"
RECORD = b'{"_id":"a","text":"the pot"}\n'
BLOCK = 1 << 17  # the largest there is


def block(kind, n, data, last):
    return struct.pack("<I", last | kind << 1 | n << 3)[:3] + data


def blocks(n_bytes):
    left = n_bytes - len(RECORD)
    yield block(0, len(RECORD), RECORD, 0)
    while left > 0:
        n = min(left, BLOCK)
        left -= n
        yield block(1, n, b"\n", left == 0)


def main():
    verb, path, *rest = sys.argv[1:]
    n = int(rest[0]) if rest else 0
    if verb == "pack":
        data = open(path, "rb").read()
        sys.stdout.buffer.write(MAGIC + b"\x00\x38" + block(0, len(data), data, 1))
        return
    if verb in ("cut", "flip"):
        data = bytearray(open(path, "rb").read())
        if not 0 <= n < len(data):
            sys.exit(f"{path}: {len(data)} bytes, {verb} {n} is outside of them")
        if verb == "flip":
            data[n] ^= 16
        else:
            del data[len(data) - n:]
    elif verb == "window":
        data = MAGIC + b"\x00" + bytes([(31 - 10) << 3 | 7]) + b"".join(blocks(1000))
    else:
        window = bytes([(17 - 10) << 3])
        size = struct.pack("<Q", n) if verb == "sized" else b""
        data = MAGIC + (b"\xc0" if size else b"\x00") + window + size + b"".join(blocks(n))
    with open(path, "wb") as out:
        out.write(data)


if __name__ == "__main__":
    main()
