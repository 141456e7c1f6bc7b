# SPDX-License-Identifier: Apache-2.0
# gcc, warnings as errors: library, command, tests.
build_preset werror
