# SPDX-License-Identifier: Apache-2.0
build_release memolith
say "the command is build/memolith"
