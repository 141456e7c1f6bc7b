# SPDX-License-Identifier: Apache-2.0
build_release memolith memolith_static memolith_shared
say "the command is build/memolith"
