# SPDX-License-Identifier: Apache-2.0
# Every fuzz target for 3 s (times MEMO_SCALE) on its seeds and what libFuzzer makes of them, under
# ASan and UBSan. First the control: a target with a bug in it, which must be found. With MEMO_QUICK
# the seeds alone are replayed.
if [ -n "${MEMO_QUICK:-}" ]; then
    build_release
    run_ctest build -R '^fuzz_'
    exit
fi
build_fuzz
control=build/logs/fuzz-control.log
if build/libfuzzer/fuzz/control -max_total_time=30 -artifact_prefix=build/libfuzzer/control- >"$control" 2>&1; then
    echo "control: the bug was not found in 30 s; the targets prove nothing"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
grep -q 'heap-buffer-overflow' "$control" || die "control: it failed, but not by its bug: $control"
echo "control: the bug was found, as it must be"
rm -rf build/libfuzzer/check # from the seeds alone, whatever longer runs have gathered
run_fuzz $((3 * ${MEMO_SCALE:-1})) build/libfuzzer/check build/libfuzzer/fuzz/fuzz_*
