# SPDX-License-Identifier: Apache-2.0
# The examples of the public headers and the README, compiled and run with a real model.
use_build werror
default_model f32
out=build/examples
rm -rf "$out"
n=0
for name in $(python3 tools/extract_examples.py "$out"); do
    gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude "$out/$name.c" -o "$out/$name" \
        build/werror/libmemolith.a $(pkg-config --libs $requires) -lpthread -lm
    "$out/$name" "$model" "$out/$name.memo" | tee "$out/$name.printed"
    while read -r line; do
        grep -qxF "$line" "$out/$name.printed" || die "example $name did not print: $line"
    done <"$out/$name.expected"
    n=$((n + 1))
done
echo "$n passed, 0 failed, 0 skipped"
