# SPDX-License-Identifier: Apache-2.0
# One bit of a store flips: detected, or nothing that can be read has changed. MEMO_SCALE multiplies
# the bits inside pages.
build_preset werror
build/werror/tests/flip_points ${MEMO_QUICK:+--quick} --scale "${MEMO_SCALE:-1}"
