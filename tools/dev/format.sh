# SPDX-License-Identifier: Apache-2.0
install_packages git clang-format
git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i
