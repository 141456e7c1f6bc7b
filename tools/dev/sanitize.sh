# SPDX-License-Identifier: Apache-2.0
# ./dev sanitize [asan|tsan]: every test under ASan + UBSan, every test under TSan.
install_packages $need_check
failed=0
for preset in ${*:-asan tsan}; do
    build_preset "$preset"
    say "all tests under $preset"
    sh -eu -c '. tools/dev/lib.sh; run_ctest "$0"' "build/$preset" || failed=1
done
[ "$failed" -eq 0 ]
