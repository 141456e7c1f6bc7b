# SPDX-License-Identifier: Apache-2.0
# One bit of a store flips: detected, or nothing that can be read has changed. MEMO_SCALE multiplies
# the bits inside pages. A reader naps before it calls a page bad, so there are more workers than cores.
build_preset werror
build/werror/tests/flip_points ${MEMO_QUICK:+--quick} --scale "${MEMO_SCALE:-1}" \
    --workers $((4 * $(nproc)))
