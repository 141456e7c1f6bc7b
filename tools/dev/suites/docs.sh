# SPDX-License-Identifier: Apache-2.0
# What the documents name exists; docs/SETTINGS.md is what the command generates; every numbered bad
# input has a test or is listed as deferred.
build_preset werror memolith
python3 tools/check_docs.py build/werror/memolith
python3 tools/check_limits.py
