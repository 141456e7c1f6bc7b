#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run one built fuzz target: fuzz_one.sh SECONDS CORPUS PROGRAM. One line of result; a log in build/logs,
# what was found in build/libfuzzer. Inputs that reach something new are kept in CORPUS/NAME and read by
# the next run.
seconds=$1 corpus=$2 program=$3
name=${program##*/}
name=${name#fuzz_}
corpus=$corpus/$name
log=build/logs/fuzz-$name.log
dict=fuzz/dict/$name.dict
mkdir -p "$corpus"
status=0
"$program" -max_total_time="$seconds" -artifact_prefix="build/libfuzzer/$name-" -print_final_stats=1 \
    -timeout=10 -rss_limit_mb=2048 $([ ! -f "$dict" ] || echo "-dict=$dict") \
    "$corpus" "fuzz/seeds/$name" >"$log" 2>&1 || status=1
number() { sed -n "s/^stat::$1: *//p" "$log"; }
edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
if [ "$status" -eq 0 ]; then
    printf '%-17s %9s runs %7s a second %6s edges  ok\n' "$name" "$(number number_of_executed_units)" \
        "$(number average_exec_per_sec)" "${edges:-?}"
else
    tail -n 40 "$log"
    printf '%-17s FOUND: %s\n' "$name" "$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
fi
exit "$status"
