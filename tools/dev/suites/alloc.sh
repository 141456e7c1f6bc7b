# SPDX-License-Identifier: Apache-2.0
# Allocations of memolith, SQLite and jansson fail, one, all from there on, by scenario. MEMO_SCALE
# multiplies the points; all of them (about 380,000): build/tests/alloc_points
build_preset werror
stride=$((8 / ${MEMO_SCALE:-1}))
[ "$stride" -gt 0 ] || stride=1
[ -z "${MEMO_QUICK:-}" ] || stride=400
build/werror/tests/alloc_points --stride "$stride" --jobs "$(nproc)"
