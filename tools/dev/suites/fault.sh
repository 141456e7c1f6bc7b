# SPDX-License-Identifier: Apache-2.0
# Many processes on one file, and kills at random moments. MEMO_SCALE multiplies the counts; 10 gives
# the full ones: 50 rounds, 100 kills.
use_build werror
default_model f32
scale=${MEMO_SCALE:-1}
python3 tests/fault/many_processes.py --memolith build/werror/memolith --model "$model" \
    --rounds $((5 * scale)) --kills $((10 * scale))
