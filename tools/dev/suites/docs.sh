# SPDX-License-Identifier: Apache-2.0
# What the documents name exists; docs/SETTINGS.md is what the command generates.
build_preset werror memolith
python3 tools/check_docs.py build/werror/memolith
