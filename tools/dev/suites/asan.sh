# SPDX-License-Identifier: Apache-2.0
# Unit tests, kernel checks and fuzz seeds under AddressSanitizer and UndefinedBehaviorSanitizer.
build_preset asan
run_ctest build/asan -E '^(tools_|cli|prop_)'
