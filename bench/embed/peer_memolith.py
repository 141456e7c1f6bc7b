# SPDX-License-Identifier: Apache-2.0
"""memolith as a peer of the embedding benchmark. --model = compiled model, --mode = its class.

Calls the shared library through ctypes with texts, so its time includes tokenization; the other
peers are handed ready token ids in the workloads of fixed length. MEMOLITH_LIB names the library,
PEERLIB the folder of peerlib.py, MEMOLITH_CPU a level to run at ("avx2")."""
import ctypes
import os
import sys

sys.path.insert(0, os.environ["PEERLIB"])
from peerlib import main  # noqa: E402


class Text(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char_p), ("n_bytes", ctypes.c_size_t)]


class Err(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512), ("hint", ctypes.c_char * 256)]


class CtxOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("n_threads", ctypes.c_uint), ("cpu", ctypes.c_int),
                ("mem_limit_bytes", ctypes.c_uint64), ("log", ctypes.c_void_p),
                ("log_user", ctypes.c_void_p), ("clock_ms", ctypes.c_void_p),
                ("clock_user", ctypes.c_void_p)]


LEVELS = {"": 0, "ref": 1, "avx2": 2, "avx512": 3, "avx512vnni": 4, "avx512bf16": 5, "amx": 6, "neon": 7,
          "neon_dot": 8, "neon_i8mm": 9}


class Peer:
    DIM = 384  # of all-MiniLM-L6-v2 in every class

    def __init__(self, options):
        self.lib = lib = ctypes.CDLL(os.environ["MEMOLITH_LIB"])
        self.err = Err()
        self.ctx, self.model = ctypes.c_void_p(), ctypes.c_void_p()
        ctx_options = CtxOptions(ctypes.sizeof(CtxOptions), options.threads,
                                 LEVELS[os.environ.get("MEMOLITH_CPU", "")])
        self.check(lib.memo_ctx_new(ctypes.byref(ctx_options), ctypes.byref(self.ctx), ctypes.byref(self.err)))
        self.check(lib.memo_model_open(self.ctx, options.model.encode(), None, ctypes.byref(self.model),
                                       ctypes.byref(self.err)))
        lib.memo_model_embed.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                                         ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]

    def check(self, status):
        if status:
            raise RuntimeError(self.err.message.decode())

    def pack(self, texts):
        raw = [t.encode() for t in texts]
        array = (Text * len(raw))(*[Text(r, len(r)) for r in raw])
        return raw, array, (ctypes.c_float * (len(raw) * self.DIM))()

    def prepare(self, texts, batch):
        return [self.pack(texts[i:i + batch]) for i in range(0, len(texts), batch)]

    def run(self, packed):
        _, array, out = packed
        self.check(self.lib.memo_model_embed(self.model, None, array, len(array), out, None,
                                             ctypes.byref(self.err)))
        return out

    def embed(self, texts):
        import numpy
        return numpy.ctypeslib.as_array(self.run(self.pack(texts))).reshape(len(texts), self.DIM)


main("memolith", Peer)
