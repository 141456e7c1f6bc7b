# SPDX-License-Identifier: Apache-2.0
# Power loss at every point of recorded workloads: what the disk may hold then is opened and compared
# with what was acknowledged. MEMO_SCALE multiplies the count.
build_preset werror
if [ ! -x build/werror/tests/power_loss ]; then
    echo "SKIPPED power: calls of the C library can be recorded on Linux only"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
build/werror/tests/power_loss ${MEMO_QUICK:+--quick} --scale "${MEMO_SCALE:-1}"
