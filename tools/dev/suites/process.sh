# SPDX-License-Identifier: Apache-2.0
# The command killed, failed, interrupted at its system calls. MEMO_SCALE multiplies the points.
use_build werror
points=5000
[ -z "${MEMO_QUICK:-}" ] || points=120
python3 tests/fault/whole_process.py --memolith build/werror/memolith \
    --interpose build/werror/tests/libmemo_interpose.so --points $((points * ${MEMO_SCALE:-1}))
