# SPDX-License-Identifier: Apache-2.0
# Many processes on one file, and kills at random moments. MEMO_SCALE multiplies the counts.
use_build werror
default_model f32
rounds=20 kills=100
[ -z "${MEMO_QUICK:-}" ] || rounds=5 kills=10
scale=${MEMO_SCALE:-1}
python3 tests/fault/many_processes.py --memolith build/werror/memolith --model "$model" \
    --rounds $((rounds * scale)) --kills $((kills * scale))
