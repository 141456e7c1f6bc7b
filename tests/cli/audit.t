What a store would be better without.

## audit of nothing wrong
$ memolith add the boiler was serviced on 3 May -o quiet; memolith audit
> 1 record: nothing found; no search is kept, so nothing is known of use
$ memolith audit -o ndjson
$ memolith audit --ns other
! error[NOTFOUND]: <folder>/home/.local/share/memolith/default.memo: no namespace "other"
? 3

## a secret is found and never printed
$ memolith add 'deploy with AKIA2E0A8F3B244C9986 today' --key a -o quiet
$ memolith audit
> secret     <id>  AWS access key AKIA... at byte 12 of the text
>       next: memolith forget --shred <id>
> 1 record: 1 secret; no search is kept, so nothing is known of use
$ memolith audit -o json | grep -c 2E0A8F3B244C9986
> 0
? 1
$ memolith audit --fail-on secret -o quiet
! error[VERIFY]: 1 finding of kind secret
? 6
$ memolith audit --fail-on near
> secret     <id>  AWS access key AKIA... at byte 12 of the text
>       next: memolith forget --shred <id>
> 1 record: 1 secret; no search is kept, so nothing is known of use

## duplicates and near-duplicates
$ T='one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen'; memolith add "$T" --key a -o quiet; memolith add "$T" --key b -o quiet; memolith add "$T, sixteen!" --key c -o quiet; memolith add "something else altogether" --key d -o quiet
$ memolith audit -o ndjson
> {"kind":"duplicate","id":"<id>","key":"b","other":"<id>","value":1,"why":"the same text as <id>","next":"memolith forget <id>"}
> {"kind":"near","id":"<id>","key":"c","other":"<id>","value":0.928571,"why":"shares 93 % of all word triples with <id>","next":"memolith forget <id>"}
$ memolith audit -o json | $PYTHON -c 'import json, sys; a = json.load(sys.stdin); print(a["records"], {k: n for k, n in a["counts"].items() if n})'
> 4 {'duplicate': 1, 'near': 1}

## marks, age and sources
$ memolith add tea --trust untrusted --source /nowhere/at/all.md -o quiet; memolith audit --sources --oversized 2
> untrusted  <id>  it is marked as untrusted
>       next: memolith get <id>
> dangling   <id>  its source is gone: /nowhere/at/all.md
>       next: memolith forget <id>
> oversized  <id>  a text of 3 bytes in 1 chunk
>       next: memolith get <id>
> 1 record: 1 untrusted, 1 dangling, 1 oversized; no search is kept, so nothing is known of use
$ memolith audit --fail-on nothing
! error[USAGE]: --fail-on is "nothing"; allowed is secret|echo|duplicate|near|untrusted|dangling|oversized|stale|unused
? 2

## there must be a store
$ memolith audit -f none.memo
! error[NOTFOUND]: there is no store at none.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
