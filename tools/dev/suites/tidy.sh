# SPDX-License-Identifier: Apache-2.0
# clang-tidy with the checks of .clang-tidy over the library and the command.
is_pinned clang-tidy || exit 0
build_preset clang memo_objects
find src -name '*.c' | sort | xargs -P "$(nproc)" -n 4 clang-tidy -p build/clang --quiet
