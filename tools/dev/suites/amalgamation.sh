# SPDX-License-Identifier: Apache-2.0
# The one-file library: compiled by one plain command, then through all unit tests.
build_preset amalgamation
gcc -std=c11 -O1 -ffp-contract=off -fno-strict-aliasing -c build/amalgamation/memolith.c \
    -o build/amalgamation/plain.o $(pkg-config --cflags $requires)
wc -lc build/amalgamation/memolith.c build/amalgamation/memolith.h
run_ctest build/amalgamation -R '^test_'
