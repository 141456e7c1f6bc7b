# SPDX-License-Identifier: Apache-2.0
# Make a golden store of schema 1: make_v1.sh MEMOLITH MODEL STORE, with a memolith of that schema (commit d0f4dd8)
# and the compiled tests/cli/tiny-model. Stores of old schemas are kept so that every later program migrates them.
set -eu
m() { MEMOLITH_MODEL=$model "$memolith" "$@" -f "$store" -o quiet; }
memolith=$1 model=$2 store=$3
m add 'the spare key is under the flower pot' --key spare --title Key --tag house --tag key --meta room=garden --meta n=3 --created 2025-03-14
m add 'tea is in the tin' --key tea --source kitchen.txt
m add 'tea is in the red tin' --key tea --source kitchen.txt
m add 'tea is in the blue tin' --key tea --source kitchen.txt --tag drink
m add 'gone tomorrow' --key passing --expires 2030-01-01
m add 'to be forgotten' --key lost --tag house
m add 'also forgotten, by its number' --key lost2
m forget lost
m forget lost2
m add 'a red pot of tea
with two lines' --key two --ns other --tag drink --meta 'l=[1,2]' --meta f=-0.5
m add '茶壺 Grüße' --key words --ns other
