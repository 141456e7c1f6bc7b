# SPDX-License-Identifier: Apache-2.0
# ./dev fuzz [TARGET|list [SECONDS]]: libFuzzer with ASan and UBSan, a target on each core. What it
# finds stays in build/libfuzzer/; put it into fuzz/seeds/TARGET/ when it is mended.
if [ "${1:-}" = list ]; then
    # The first sentence of each target's comment.
    sed -n -s 's/^[/ ]\* \(fuzz_[a-z0-9_]*\.c -- .*\)/\1/p' fuzz/fuzz_*.c
    exit 0
fi
seconds=${2:-20}
build_fuzz
targets=
for program in build/libfuzzer/fuzz/fuzz_*; do
    name=${program##*/fuzz_}
    [ -f "$program" ] || continue
    case ${1:-all} in
    all | "$name" | "fuzz_$name") targets="$targets $program" ;;
    esac
done
[ -n "$targets" ] || die "no fuzz target '${1:-}'; ./dev fuzz list"
run_fuzz "$seconds" build/libfuzzer/corpus $targets
