# SPDX-License-Identifier: Apache-2.0
# What shares memory between threads, under ThreadSanitizer; every test: ./dev sanitize tsan
build_preset tsan test_pool test_ctx test_screen prop_threads
mkdir -p build/logs
log=build/logs/tsan-tests.txt control=build/logs/tsan-control.txt
status=0
run_ctest build/tsan -R '^(test_pool|test_ctx|test_screen|prop_threads)$' >"$log" 2>&1 || status=1
cat "$log"
passed=$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$log" | tail -n 1)
failed=$(sed -n 's/^.* passed, \([0-9]*\) failed, .*/\1/p' "$log" | tail -n 1)

# Negative control: a counter without a guard.
if ! MEMO_RACE=1 MEMO_QUICK=1 build/tsan/tests/prop_threads >"$control" 2>&1 &&
    grep -q 'data race' "$control"; then
    passed=$((passed + 1))
else
    failed=$((failed + 1)) status=1
    echo "FAILED negative control: no race was found where there is one; see $control"
fi
echo "${passed:-0} passed, ${failed:-1} failed, 0 skipped"
[ "$status" -eq 0 ]
