What records were, and what has changed.

## marks
$ memolith add goal one --key g --tier goals --pin yes --trust trusted -o quiet
$ memolith add 'a part' --key p --parent g --supersedes g -o quiet
$ memolith get g | head -8
> id       <id>
> key      g
> created  <instant>
> trust    trusted
> pinned   yes
> tier     goals
> replaced <id>
>
$ memolith get p -o json | grep -o '"trust".*'
> "trust":0,"pinned":false,"tier":2,"parent":"<id>","supersedes":"<id>","superseded_by":null,"echo":false,"duplicate_of":null,"links":[{"kind":"supersedes","direction":"to","id":"<id>","score":<score>,"made":"<instant>"}]}
$ memolith list --where "pinned = true and tier = 0" -o ndjson | wc -l
> 1
$ memolith edit g --pin no --trust untrusted --tier hot -o quiet
$ memolith get g | grep -E 'trust|pinned|tier'
> trust    untrusted
> tier     hot
$ memolith edit p --parent '' --source 'from here' -o quiet
$ memolith get p | grep -E 'part|source'
> source   from here
> a part
$ memolith add x --tier low
! error[USAGE]: --tier is "low"; allowed is rest|goals|hot
? 2
$ memolith add x --parent nobody
! error[NOTFOUND]: parent: no record "nobody"
? 3

## pinned and expired
$ memolith add old --key old --expires 2020-01-01 -o quiet
$ memolith add kept --key kept --expires 2020-01-01 --created 2019-01-01 --pin yes -o quiet
$ memolith list
> <id>  2019-01-01  kept
$ memolith forget --expired
> forgot 1 record
$ memolith forget --where "key = 'kept'" --yes
> forgot 0 records
$ memolith forget --where "key = 'kept'" --pinned --yes
> forgot 1 record

## history and restore
$ printf 'one\ntwo\nthree' | memolith add - --key k --tag old --source a.txt -o quiet
$ printf 'one\n2\nthree' | memolith edit k --text - --clear-tags -o quiet
$ memolith edit k --title T --source b.txt -o quiet
$ memolith history k
> version 3    <instant>  b.txt: one 2 three
> version 2    <instant>  a.txt: one 2 three
> version 1    <instant>  a.txt: one two three
$ memolith history k --diff
> version 3    <instant>  b.txt: one 2 three
>   title: (none) -> T
>   source: a.txt -> b.txt
> version 2    <instant>  a.txt: one 2 three
>   tags: old -> (none)
>   - two
>   + 2
> version 1    <instant>  a.txt: one two three
$ memolith history k -k 1 --before 3 -o ndjson | grep -o '"version":[0-9]*'
> "version":2
$ memolith restore k
! error[USAGE]: restore needs --version N
!   fix: memolith history k   shows the versions
? 2
$ memolith restore k --version 1
> version 4
$ memolith get k | tail -3
> one
> two
> three
$ memolith restore k --version 1
> it is like that already (version 4)
$ memolith restore k --version 1 -o json
> {"id":"<id>","outcome":"unchanged","version":4}
$ memolith restore k --version 9
! error[NOTFOUND]: record "k" has no version 9; its newest is 4
? 3
$ memolith forget k
> forgot 1 record
$ memolith history k
! error[NOTFOUND]: record "k" was forgotten at <instant>: its text and its versions are gone
? 3
$ memolith history nothing
! error[NOTFOUND]: no record "nothing" in namespace "default"
? 3

## as of
$ memolith add now --key k -o quiet
$ memolith get k --as-of 2020-01-01
! error[NOTFOUND]: record "k" was not there at that time
? 3
$ memolith get k --as-of 2100-01-01 | tail -1
> now
$ memolith list --as-of 2020-01-01
! no record
$ memolith list --as-of 2100-01-01 --where "text = 'now'" -o ndjson | wc -l
> 1

## changes
$ memolith add one --key a -o quiet; memolith add two --key b --ns other -o quiet
$ memolith changes
> 1      record    default <id>  one
> 2      record    other <id>  two
! next: --since <cursor>
$ memolith changes -o ndjson | tail -1 | cut -d'"' -f4 > cursor; wc -c < cursor
> 81
$ memolith forget a -o quiet
$ memolith changes --since "$(cat cursor)"
> 3      forgotten default <id>
! next: --since <cursor>
$ memolith changes --since "$(cat cursor)" -o json
> {"changes":[{"change":"forgotten","seq":3,"ns":"default","id":"<id>","key":"a","at":"<instant>","shredded":false}],"next":"<cursor>"}
$ memolith changes --ns other -k 1 -o ndjson | $PYTHON -c 'import json, sys; [print(sorted(json.loads(l))) for l in sys.stdin]'
> ['at', 'change', 'id', 'key', 'ns', 'record', 'seq']
> ['next']
$ memolith changes --since nonsense
! error[VALUE]: "nonsense" is not a cursor of an earlier call for changes
? 1
$ memolith changes --since "$(cat cursor)" -f other.memo
! error[NOTFOUND]: there is no store at other.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ memolith add tea -f other.memo -o quiet; memolith changes --since "$(cat cursor)" -f other.memo
! error[VALUE]: <folder>/other.memo: the cursor is of another store
!   fix: begin without a cursor: all of this store's changes
? 1

## shred
$ printf 'the password of the safe is swordfish\nand nobody else knows it' > secret.txt
$ memolith add --file secret.txt --key safe -o quiet; memolith add 'nobody else' --key other -o quiet
$ memolith list --where "key = 'safe'" -o ndjson | cut -d'"' -f4 > id
$ memolith forget safe --shred
> shredded 1 record
> ok    gone      looked for 4 words and 2 stretches of text in 540672 bytes and the full text: none is there; 1 of them stand in other rows, which proves nothing
$ memolith doctor --prove-gone $(cat id) --text-file secret.txt
> ok    gone      <id>: shredded; no row refers to it but its tombstone
> ok    gone      looked for 3 words and 1 stretch of text in 540672 bytes and the full text: none is there; 1 of them stand in other rows, which proves nothing
$ memolith doctor --prove-gone $(cat id) -o json
> {"forgotten":0,"finished":0,"absent":0,"bytes":0,"words":0,"stretches":0,"shared":0,"found":0,"findings":[{"level":"ok","area":"gone","message":"<id>: shredded; no row refers to it but its tombstone","fix":null}]}
$ memolith forget safe --shred
> nothing to shred
! error[NOTFOUND]: no record has this id or key
? 3
$ memolith forget --shred
> nothing to shred
$ memolith add --file secret.txt -o quiet
$ memolith doctor --prove-gone $(cat id) --text-file secret.txt | sed 's/record <id>/record/'
> ok    gone      <id>: shredded; no row refers to it but its tombstone
> warn  gone      record <id> holds a stretch of the same text
>       fix: forget that one as well, if it is meant
> ok    gone      looked for 3 words and 1 stretch of text in 540672 bytes and the full text: none is there; 4 of them stand in other rows, which proves nothing
$ memolith doctor --prove-gone nothing
! error[NOTFOUND]: no record of the id "nothing" was forgotten
!   fix: memolith changes   names what was forgotten; a key does not outlive its record
? 3
$ memolith doctor --text-file secret.txt
! error[USAGE]: --text-file goes with --prove-gone ID
? 2
$ memolith forget safe --backups
! error[USAGE]: --backups goes with --shred
? 2
$ memolith forget --shred --expired
! error[USAGE]: --shred takes ids and keys; not --where, --expired or --dry-run
? 2
$ memolith forget other --shred -o json
> {"forgotten":1,"finished":0,"absent":0,"bytes":540672,"words":1,"stretches":1,"shared":2,"found":0,"findings":[{"level":"warn","area":"gone","message":"record <id> holds a stretch of the same text","fix":"forget that one as well, if it is meant"},{"level":"ok","area":"gone","message":"looked for 1 word and 1 stretch of text in 540672 bytes and the full text: none is there; 2 of them stand in other rows, which proves nothing","fix":null}]}

## changes goes on from the line that it ended with
$ memolith add one --key a -o quiet; memolith changes -o ndjson | tail -n 1 > kept; memolith add two --key b -o quiet; memolith changes --since "$(cat kept)" -o ndjson | grep -o '"key":"[^"]*"' | sort -u
> "key":"b"
$ memolith changes --since '{"last":1}'
! error[VALUE]: --since: the line has no "next" with a cursor
? 1

## dates count from now, and a time without its zone is UTC
$ memolith add old --key a --created now-8d -o quiet; memolith add new --key b --created 2024-01-01T10:00 --expires now+1d -o quiet; memolith list --where "created < now-7d and created > now-9d" -o ndjson | grep -o '"key":"[^"]*"'; memolith list --where "created = '2024-01-01T10:00:00Z' and expires > now" -o ndjson | grep -o '"key":"[^"]*"'
> "key":"a"
> "key":"b"
$ memolith add tea --created now-7 -o quiet
! error[USAGE]: --created is "now-7"; allowed is YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now or now-7d
? 2
$ memolith add tea --created 2024-01-01T25:00 -o quiet
! error[USAGE]: --created is "2024-01-01T25:00"; allowed is YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now or now-7d
? 2

## edit takes the new text as words
$ memolith add tea --key a -o quiet; memolith edit a a pot of tea -o quiet; memolith get a -o json | grep -o '"text":"[^"]*"'; printf 'from stdin' | memolith edit a - -o quiet; memolith get a -o json | grep -o '"text":"[^"]*"'
> "text":"a pot of tea"
> "text":"from stdin"
$ memolith edit a one --text two
! error[USAGE]: --text and "one" both give a text
? 2

## what is not embedded needs no model
$ memolith add tea --key a -o quiet; MEMOLITH_MODEL=nowhere memolith edit a --tag hot -o quiet; memolith get a -o json | grep -o '"tags":[^]]*]'
> "tags":["hot"]

## context sends no control characters
$ printf 'tea \033[31mred\302\233 pot' > t.txt; memolith add --file t.txt -o quiet; memolith context tea --budget 60 2> report | LC_ALL=C grep -c "$(printf '\033\\|\302\233')"
> 0
? 1
$ memolith context tea --budget 60 2> report | grep -c 'tea  \[31mred  pot'
> 1

## shred of what was only forgotten
$ printf 'a swordfish with a long and secret story of its own' > s.txt; memolith add --file s.txt --key safe -o quiet; memolith list -o ndjson | cut -d'"' -f4 > id; memolith forget safe -o quiet
$ memolith doctor --prove-gone $(cat id) --text-file s.txt -o quiet; echo $?
> 6
! error[VERIFY]: 1 trace is left
$ memolith forget --shred
> shredded 1 record, 1 of them forgotten before
$ memolith doctor --prove-gone $(cat id) --text-file s.txt | grep -c '^ok'
> 2

## shred and the copies beside the store
$ memolith add swordfish --key safe -f a.memo -o quiet; cp a.memo a.memo.v1.bak; cp a.memo a.memo.before-repair-1
$ memolith forget safe --shred -f a.memo | sort
>       fix: memolith forget --shred --backups   or delete it yourself
>       fix: memolith forget --shred --backups   or delete it yourself
> ok    gone      looked for 0 words and 1 stretch of text in 540672 bytes and the full text: none is there; 0 of them stand in other rows, which proves nothing
> shredded 1 record
> warn  gone      <folder>/a.memo.before-repair-1: a copy of the store as it was, may hold what was shredded
> warn  gone      <folder>/a.memo.v1.bak: a copy of the store as it was, may hold what was shredded
$ memolith forget --shred --backups -f a.memo | sort; ls a.memo*
> nothing to shred
> ok    gone      <folder>/a.memo.before-repair-1 was deleted
> ok    gone      <folder>/a.memo.v1.bak was deleted
> a.memo
> a.memo-lock

## search as of
$ memolith add 'the spare key' --key k -o quiet; sleep 0.05
$ T=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ); sleep 0.05; memolith add 'the boiler' --key k -o quiet; memolith search key --as-of $T -o ndjson | grep -o '"text":"[a-z ]*"'
> "text":"the spare key"
$ memolith search key -o ndjson | grep -o '"text":"[a-z ]*"'
> "text":"the boiler"
$ memolith search key --as-of 2020-01-01; memolith search key --as-of 2020-01-01 --ns nope
! error[NOTFOUND]: nothing was in namespace "default" at <instant>: the first record it still has was written at <instant>
!   fix: ask for a later moment, or leave it out for now
! error[NOTFOUND]: namespace "nope" is empty: there is nothing to search
!   fix: memolith add "TEXT"   or   memolith import FOLDER
? 3
$ memolith context key --budget 60 --as-of 2020-01-01
! error[NOTFOUND]: nothing was in namespace "default" at <instant>: the first record it still has was written at <instant>
!   fix: ask for a later moment, or leave it out for now
? 3
