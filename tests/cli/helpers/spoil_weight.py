#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""spoil_weight.py FILE TENSOR VALUE: set the first value of an F32 tensor of a safetensors file."""
import json
import struct
import sys

path, name, value = sys.argv[1:]
data = bytearray(open(path, "rb").read())
(n,) = struct.unpack_from("<Q", data)
struct.pack_into("<f", data, 8 + n + json.loads(data[8:8 + n])[name]["data_offsets"][0], float(value))
open(path, "wb").write(data)
