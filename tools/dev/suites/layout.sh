# SPDX-License-Identifier: Apache-2.0
# Includes keep to their rooms; functions and files stay small enough to read.
python3 tools/check_layers.py
python3 tools/check_sizes.py
