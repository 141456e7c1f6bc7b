# SPDX-License-Identifier: Apache-2.0
# ./dev fuzz [TARGET [SECONDS]]: libFuzzer with ASan and UBSan. What it finds stays in build/libfuzzer/.
seconds=${2:-20}
install_packages $need_check
runtime=libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev # a package of its own where it exists
! apt-cache show "$runtime" >/dev/null 2>&1 || install_packages "$runtime"
build_preset fuzz
found=0 ran=0
for program in build/libfuzzer/fuzz/fuzz_*; do
    name=${program##*/fuzz_}
    [ -f "$program" ] || continue
    case ${1:-all} in
    all | "$name" | "fuzz_$name") ;;
    *) continue ;;
    esac
    ran=$((ran + 1))
    mkdir -p "build/libfuzzer/corpus/$name"
    say "$name, $seconds s"
    "$program" -max_total_time="$seconds" -artifact_prefix="build/libfuzzer/$name-" -print_final_stats=1 \
        -timeout=10 -rss_limit_mb=2048 "build/libfuzzer/corpus/$name" "fuzz/seeds/$name" \
        >"build/logs/fuzz-$name.log" 2>&1 || {
        found=$((found + 1))
        tail -n 30 "build/logs/fuzz-$name.log" >&2
    }
    grep -E 'stat::(number_of_executed_units|average_exec)' "build/logs/fuzz-$name.log" || true
done
[ "$ran" -gt 0 ] || die "no fuzz target '${1:-}'"
echo "$((ran - found)) passed, $found failed, 0 skipped"
[ "$found" -eq 0 ]
