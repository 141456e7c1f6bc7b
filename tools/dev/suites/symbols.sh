# SPDX-License-Identifier: Apache-2.0
# The shared library exports what tools/exports.txt lists, which is what the headers declare.
build_preset werror memolith_shared
python3 tools/check_exports.py build/werror/libmemolith.so
