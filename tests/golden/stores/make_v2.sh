# SPDX-License-Identifier: Apache-2.0
# Make a golden store of schema 2: make_v2.sh MEMOLITH MODEL STORE, with a memolith of that schema and the compiled
# tests/cli/tiny-model: the records of make_v1.sh, and what schema 2 knows besides.
set -eu
. "$(dirname "$0")/make_v1.sh"
m() { "$memolith" "$@" -f "$store" -o quiet; }
m entity add Anna Schmidt --kind person --alias Anni --meta room=kitchen
m fact add Anni drinks --value tea --evidence tea --from 2025-01-01
m fact add 'Anna Schmidt' lives_in Porto --functional --from 2020-01-01
m fact add 'Anna Schmidt' lives_in Lisbon --functional --from 2024-01-01 --confidence 0.5
m fact add Anni owns --value 'a red pot' --evidence spare:4-9
"$memolith" fact query --relation owns -f "$store" -o ndjson | sed 's/^{"id":"\([^"]*\)".*/\1/' |
    while read -r id; do m fact retract "$id" --reason 'it was borrowed'; done
m feedback --accept spare --actor anna --detail 'as it was'
