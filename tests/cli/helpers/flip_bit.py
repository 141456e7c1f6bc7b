#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flip one bit of a file: flip_bit.py FILE BYTE"""
import sys

with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)
    file.seek(-1, 1)
    file.write(bytes([byte[0] ^ 4]))
