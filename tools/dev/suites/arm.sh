# SPDX-License-Identifier: Apache-2.0
# The ARM levels: compiled by the cross compiler, every kernel against the naive reference under an
# emulator that has all of them, and the dispatch on one that has the lowest only.
if [ "$(uname -m)" = aarch64 ]; then
    echo "SKIPPED arm: this is an ARM, its levels run in the suite 'tests'"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
out=build/arm
mkdir -p "$out"
aarch64-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -Werror -ffp-contract=off \
    -fno-strict-aliasing -fno-math-errno -Iinclude -Isrc -static -o "$out/memo_check" \
    src/kernel/*.c src/kernel/*/*.c src/base/alloc.c src/base/cpu.c src/base/error.c src/base/rng.c \
    src/base/utf8.c tests/check/*.c -lm -lpthread
qemu-aarch64 -cpu cortex-a53 "$out/memo_check" --kernel gemm_int8 | tee "$out/lowest.log"
grep -q '^neon  *1 passed' "$out/lowest.log" || die "the lowest ARM did not run level neon"
grep -q '^neon_dot  *SKIPPED' "$out/lowest.log" || die "the lowest ARM claims to have neon_dot"
qemu-aarch64 -cpu max "$out/memo_check"
