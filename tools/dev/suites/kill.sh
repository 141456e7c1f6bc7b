# SPDX-License-Identifier: Apache-2.0
# The process killed at every call that changes a file, and every call failed in each way it can fail:
# nothing acknowledged is lost, no part of a change is seen, the store goes on. MEMO_SCALE runs that
# many seeds.
build_preset werror
build/werror/tests/kill_points ${MEMO_QUICK:+--quick} --scale "${MEMO_SCALE:-1}"
