# SPDX-License-Identifier: Apache-2.0
# One pass of the command under valgrind: no invalid access, no uninitialised value, no leak.
use_build werror
default_model f32
out=build/valgrind
rm -rf "$out"
mkdir -p "$out"
MEMOLITH_CACHE_DIR=$PWD/$out/cache # empty: doctor then checks the store, not 90 MB of model
export MEMOLITH_CACHE_DIR
n=0
under_valgrind() {
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
        build/werror/memolith "$@"
    n=$((n + 1))
}
under_valgrind tokenize --model "$model" "naïve café, 42 °C"
under_valgrind add -f "$out/a.memo" --model "$model" "the spare key is under the flower pot"
under_valgrind search -f "$out/a.memo" --model "$model" "how do I get into the house" -o json
under_valgrind list -f "$out/a.memo" -o ndjson
under_valgrind doctor -f "$out/a.memo"
echo "$n passed, 0 failed, 0 skipped"
