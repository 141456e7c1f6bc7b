# SPDX-License-Identifier: Apache-2.0
# ./dev check [--quick] [SUITE...]: run suites, print seconds and counts of each, and the sum last.
# A suite is tools/dev/suites/NAME.sh; its output goes to build/logs/check-NAME.log.
quick_suites="format layout build-gcc symbols headers docs tests golden-tokenizer golden-attention examples demo fault process stress power kill alloc flips damage"
all_suites="format layout build-gcc symbols headers docs tests golden-tokenizer golden-attention golden-models examples demo
arm fault process stress power kill alloc flips damage soak build-clang fuzz amalgamation install asan tsan valgrind tidy"

suites=$all_suites
case ${1:-} in
--quick)
    suites=$quick_suites
    MEMO_QUICK=1
    export MEMO_QUICK
    shift
    ;;
esac
[ $# -eq 0 ] || suites=$*
for suite in $suites; do
    [ -f "tools/dev/suites/$suite.sh" ] || die "no suite '$suite'; known:" $all_suites
done

install_packages $need_check
mkdir -p build/logs
passed=0 failed=0 skipped=0
started=$(date +%s)
for suite in $suites; do
    log=build/logs/check-$suite.log
    from=$(date +%s)
    status=0
    sh -eu -c '. tools/dev/lib.sh; . "$0"' "tools/dev/suites/$suite.sh" >"$log" 2>&1 </dev/null || status=$?
    # The suite's own count when it prints one, else the suite is one test.
    counts=$(sed -n 's/^\([a-z]*: \)\{0,1\}\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\2 \3 \4/p' "$log" | tail -n 1)
    if [ -z "$counts" ]; then
        counts="1 0 0"
        [ "$status" -eq 0 ] || counts="0 1 0"
    fi
    set -- $counts
    p=$1 f=$2 s=$3
    [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
    printf '%-17s %4d s   %5d passed  %d failed  %d skipped\n' \
        "$suite" $(($(date +%s) - from)) "$p" "$f" "$s"
    # Reasons of skipped tests: the first few here, all in the log.
    sed -n 's/^SKIPPED/    SKIPPED/p' "$log" | sort -u | awk -v file="$log" '
        NR <= 4 { print } END { if (NR > 4) print "    ... " NR - 4 " more reasons in " file }'
    if [ "$f" -gt 0 ]; then
        echo "---- end of $log ----"
        tail -n 60 "$log"
        echo "---- again: ./dev check $suite ----"
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "all suites: $(($(date +%s) - started)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
