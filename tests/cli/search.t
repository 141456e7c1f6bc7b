Search: what a person reads, what a program reads, what it says when it cannot.

## text
$ memolith add 'Anna is allergic to peanuts and to the cat behind the door' --title Anna --tag family --key anna --created 2025-01-02 -o quiet
$ memolith add 'The boiler was serviced in May. Part number PN 40-2281-B is in the shed.' --key boiler --created 2025-05-03 -o quiet
$ memolith search 'PN 40-2281-B' -k 1
> 1  <score>  2025-05-03
>    The boiler was serviced in May. Part number PN 40-2281-B is in the shed.
>    <id>  boiler
>
$ echo 'PN 40-2281-B' | memolith search - -k 1 --explain | grep -v timings | grep -e exact -e boiler
>    The boiler was serviced in May. Part number PN 40-2281-B is in the shed.
>    exact    rank 1    score <score> share <score>
>    <id>  boiler
> lanes    dense 2 x 0.4, lexical 1 x 1, exact 1 x 2, facts 0 x 0.5, recency 0 x 0
> index    none, store at change 2; 2 compared exactly
$ memolith search - < /dev/null
! error[VALUE]: the query is empty
? 1
$ memolith search allergic peanuts -k 1 --mode lexical --explain
> 1  <score>  2025-01-02  Anna  #family
>    Anna is allergic to peanuts and to the cat behind the door
>    dense    -
>    lexical  rank 1    score <score> share <score>
>    exact    -
>    facts    -
>    recency  -
>    matched  allergic peanuts
>    <id>  anna
>
> query    natural
> lanes    dense 0 x 0, lexical 1 x 1, exact 0 x 0.3, facts 0 x 0.5, recency 0 x 0
> filter   none, 2 chunks
> index    none, store at change 2; 0 compared exactly
> calibration  none, probabilities are not known: memolith calibrate
> timings embed <ms>, filter <ms>, dense <ms>, lexical <ms>, exact <ms>, facts <ms>, fuse <ms>, fetch <ms>, total <time> ms
$ memolith search allergic peanuts -k 1 --explain
> 1  <score>  2025-01-02  Anna  #family
>    Anna is allergic to peanuts and to the cat behind the door
>    dense    rank 1    score <score> share <score>
>    lexical  rank 1    score <score> share <score>
>    exact    -
>    facts    -
>    recency  -
>    matched  allergic peanuts
>    <id>  anna
>
> query    natural, shares weighed by cosine and by words held
> lanes    dense 2 x 1, lexical 1 x 1, exact 0 x 0.3, facts 0 x 0.5, recency 0 x 0
> filter   none, 2 chunks
> index    none, store at change 2; 2 compared exactly
> calibration  none, probabilities are not known: memolith calibrate
> timings embed <ms>, filter <ms>, dense <ms>, lexical <ms>, exact <ms>, facts <ms>, fuse <ms>, fetch <ms>, total <time> ms
$ memolith search anna --where "tags = 'family'" --explain | grep ^filter
> filter   SEARCH g USING PRIMARY KEY (ns=? AND tag=?), 1 chunks
$ memolith search anna --where "meta.n = 1" -o json --explain | grep -o '"plan":.*'
> "plan":{"lanes":{"dense":{"weight":1,"found":0},"lexical":{"weight":1,"found":0},"exact":{"weight":0.3,"found":0},"facts":{"weight":0.5,"found":0},"recency":{"weight":0,"found":0}},"weighed":true,"filter":"SEARCH r USING INDEX records_by_age (ns=?); CORRELATED SCALAR SUBQUERY 1; SCAN j VIRTUAL TABLE INDEX 1:","narrowed":false,"scored":0,"indexed":0,"later":0,"index_seq":0,"store_seq":2}}
$ memolith search anna --where "tags = 'family'" -k 3 -o quiet
$ memolith search anna --where "tags = 'nobody'"
! no hit: the filter matches no record
$ memolith search anna --where "tags = "
! error[VALUE]: filter, byte 7: found the end, expected a value: 'text', a number, true, false, null or now
? 1
$ memolith search peanuts --mode lexical -o ndjson | grep -o '"key":"[^"]*"'
> "key":"anna"

## a snippet shows the place that matches
$ (for i in $(seq 60); do printf 'the cat sat by the door. '; done; printf 'Then the walrus came and asked for tea. '; for i in $(seq 20); do printf 'the dog ran by the boat. '; done) | memolith add - --chunk none --created 2025-01-02 --key long -o quiet
$ memolith search walrus --mode lexical -k 1
> 1  <score>  2025-01-02
>    door. the cat sat by the door. Then the walrus came and asked for tea. the
>    dog ran by the boat. the dog ran by the boat. the dog ran by the boat. the
>    dog ran by the boat. the dog ran by the boat. the dog ran by the boat. the ...
>    <id>  long
>
$ $PYTHON $HELPERS/on_terminal.py stdout -- memolith search walrus --mode lexical -k 1 | grep -v chunks
> ^[[1m1  ^[[0m^[[2m<score>  2025-01-02^[[0m
>    cat sat by the door. Then the walrus came and asked for
>    tea. the dog ran by the boat. the dog ran by the boat.
>    the dog ran by the boat. the dog ran by the boat. the dog ...
> ^[[2m   <id>  long^[[0m
>
! 1 of 1 chunks, <time> ms

## json
$ memolith add 'Anna is allergic to peanuts' --key anna --tag family --meta a=1 --created 2025-01-02 -o quiet
$ memolith search allergic peanuts -o json
> {"hits":[{"id":"<id>","key":"anna","title":"","text":"Anna is allergic to peanuts","score":<score>,"lanes":{"dense":{"rank":1,"score":<score>,"share":<score>},"lexical":{"rank":1,"score":<score>,"share":<score>},"exact":null,"facts":null,"recency":null},"probability":null,"terms":"allergic peanuts","chunk":0,"begin":0,"end":27,"tags":["family"],"metadata":{"a":1},"source":"","created":"<instant>","updated":"<instant>","version":1,"trust":0,"pinned":false}],"timings":{"embed_ms":<ms>,"filter_ms":<ms>,"dense_ms":<ms>,"lexical_ms":<ms>,"exact_ms":<ms>,"facts_ms":<ms>,"fuse_ms":<ms>,"fetch_ms":<ms>,"total_ms":<ms>},"searched":1,"damaged":0,"damaged_ids":[],"failed_lanes":{},"partial":false,"query_truncated":false,"model":"tiny","search_id":"<id>","class":"natural","relevant":null,"best_probability":null,"hidden":0,"duplicates":0,"calibration":null}
$ memolith search zebra --mode lexical -o json
> {"hits":[],"timings":{"embed_ms":<ms>,"filter_ms":<ms>,"dense_ms":<ms>,"lexical_ms":<ms>,"exact_ms":<ms>,"facts_ms":<ms>,"fuse_ms":<ms>,"fetch_ms":<ms>,"total_ms":<ms>},"searched":1,"damaged":0,"damaged_ids":[],"failed_lanes":{},"partial":false,"query_truncated":false,"model":"","search_id":"<id>","class":"natural","relevant":null,"best_probability":null,"hidden":0,"duplicates":0,"calibration":null}

## many queries
$ memolith add 'Anna is allergic to peanuts' --key anna -o quiet; memolith add 'the boat is in the garden' --key boat -o quiet
$ printf '{"_id":"q1","text":"peanuts"}\n\n{"_id":2,"text":"boat"}\n' > q.ndjson
$ memolith search --queries q.ndjson --mode lexical | $PYTHON -c 'import json, sys; [print(r["_id"], [h["key"] for h in r["hits"]]) for r in map(json.loads, sys.stdin)]'
> q1 ['anna']
> 2 ['boat']
$ memolith search --queries - -k 1 -o json < q.ndjson | grep -c timings
> 2
$ printf '\357\273\277{"_id":"q1","text":"peanuts"}\n' | memolith search --queries - -o quiet
$ printf '{"_id":"q1","text":"peanuts"}\n{"_id":"q2"}\n' | memolith search --queries - -o quiet
! error[FORMAT]: stdin: line 2: "text" is missing
? 1
$ printf '{"text":"peanuts"}\n' | memolith search --queries - -o quiet
! error[FORMAT]: stdin: line 1: "_id" is no string or integer
? 1
$ printf '{"_id":"q1","text":"peanuts"}\n{"_id":"q2","text":"x"\n' | memolith search --queries - -o quiet
! error[FORMAT]: stdin: line 2: column 23: the text ends too early
? 1
$ printf '["peanuts"]\n' | memolith search --queries - -o quiet
! error[FORMAT]: stdin: line 1: not a JSON object
? 1
$ printf '{"_id":"q1","text":""}\n' | memolith search --queries - -o quiet
! error[VALUE]: stdin: line 1: the query is empty
? 1
$ memolith search --queries q.ndjson -o text
! error[USAGE]: --queries writes JSON lines; -o text is not possible
? 2
$ memolith search --queries q.ndjson tea
! error[USAGE]: --queries and "tea" both give a query
? 2

## nothing to search
$ memolith search tea
! error[NOTFOUND]: there is no store at <folder>/home/.local/share/memolith/default.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ memolith search tea -o json
! {"error":{"name":"NOTFOUND","exit":3,"message":"there is no store at <folder>/home/.local/share/memolith/default.memo yet","fix":"memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store"}}
? 3
$ memolith add tea -o quiet
$ memolith search tea --ns empty
! error[NOTFOUND]: namespace "empty" is empty: there is nothing to search
!   fix: memolith add "TEXT"   or   memolith import FOLDER
? 3
$ memolith search ''
! error[VALUE]: the query is empty
? 1
$ memolith search
! error[USAGE]: search needs QUERY or --queries FILE
!   fix: memolith search 'I am locked out, who has a key' -k 3
? 2

## another model
$ memolith add tea -o quiet
$ memolith model compile "$TINY" -o other.safetensors --name other --max-tokens 32 --format quiet
$ memolith search tea --model other.safetensors
! error[MISMATCH]: namespace "default" holds 1 vectors from tiny.f32@4bd40f01; this model is other.f32@88a1189b (same 32 dimensions, different weights).
!   Scores across the two would be meaningless, so nothing was searched.
!   fix: memolith model set FILE --ns default   (embeds it anew while it is in use)   or   another namespace: --ns other   or   --model FILE of tiny.f32@4bd40f01
? 4
$ memolith add pot --model other.safetensors
! error[MISMATCH]: namespace "default" holds 1 vectors from tiny.f32@4bd40f01; this model is other.f32@88a1189b (same 32 dimensions, different weights).
!   Scores across the two would be meaningless, so nothing was written.
!   fix: memolith model set FILE --ns default   (embeds it anew while it is in use)   or   another namespace: --ns other   or   --model FILE of tiny.f32@4bd40f01
? 4
$ memolith search tea --model other.safetensors --mode lexical -o ndjson | wc -l
> 1

## not a store
$ echo 'this is no database, it is a text of some length' > s.memo; memolith search tea -f s.memo
! error[CORRUPT]: <folder>/s.memo: not a memolith store: no SQLite header
? 7
$ memolith add tea -f s.memo
! error[CORRUPT]: <folder>/s.memo: not a memolith store: no SQLite header
? 7
$ cat s.memo
> this is no database, it is a text of some length
