# SPDX-License-Identifier: Apache-2.0
# ./dev demo runs, and what README.md shows of it is what it prints; a README that shows something else
# is found.
mkdir -p build/logs
./dev demo >build/logs/demo.txt 2>&1
python3 tools/check_demo.py README.md build/logs/demo.txt
sed 's/^325 new/326 new/' README.md >build/logs/demo-other.md
if python3 tools/check_demo.py build/logs/demo-other.md build/logs/demo.txt; then
    die "another count in README.md was not found"
fi
echo "2 passed, 0 failed, 0 skipped"
