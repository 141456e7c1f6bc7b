# SPDX-License-Identifier: Apache-2.0
# Short texts through the default model in class int8: memory stays flat, plans hold, bits stay.
# MEMO_SCALE multiplies the 5,000 texts; 200 is the million.
use_build werror
default_model int8
texts=$((5000 * ${MEMO_SCALE:-1}))
soak=$PWD/build/werror/tests/soak_points
run_soak() { "$soak" "$model" "$@"; }
passed=0 failed=0
for threads in 1 2; do
    if run_soak --texts "$texts" --threads "$threads"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED; again: $soak $model --texts $texts --threads $threads"
    fi
done
echo "-- negative control: every text loses 20 blocks"
if run_soak --texts 5000 --leak 20 >build/logs/soak-control.txt; then
    failed=$((failed + 1))
    echo "FAILED negative control: a leak was not noticed; see build/logs/soak-control.txt"
else
    passed=$((passed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
