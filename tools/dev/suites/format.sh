# SPDX-License-Identifier: Apache-2.0
# Every C file is as clang-format writes it.
is_pinned clang-format || exit 0
git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format --dry-run -Werror
