A store that is checked and repaired; the file as it was stays beside it.

## doctor --verify
$ memolith add tea --key t -o quiet; memolith doctor --verify
> ok    store     1 record, 1 chunk, 1 vector, 565.2 kB, schema 2
> ok    pages     69 pages of 8192 bytes: structure and checksums are right
> ok    schema    version 2, nothing foreign in it
> ok    records   1 records and versions, all checksums match
> ok    tables    0 rows of other tables, all checksums match
> ok    vectors   1 vectors, all checksums match
> ok    fulltext  1 rows, index structure is right
> ok    model     no model was given: vectors are not compared
>       fix: memolith doctor --model FILE
$ memolith doctor --verify --model $MEMOLITH_MODEL | grep ' model '
> ok    model     tiny 4bd40f019c27ba49, 3 blocks whole, self-test of 8 texts passed (difference <small>)
> ok    model     the vectors of namespace "default" come from this model
> ok    model     a stored text embedded again differs by at most 0.0e+00 from its vector, cosine 1.000000
$ memolith doctor --verify -o json
> {"findings":[{"level":"ok","area":"store","message":"1 record, 1 chunk, 1 vector, 565.2 kB, schema 2","fix":null},{"level":"ok","area":"pages","message":"69 pages of 8192 bytes: structure and checksums are right","fix":null},{"level":"ok","area":"schema","message":"version 2, nothing foreign in it","fix":null},{"level":"ok","area":"records","message":"1 records and versions, all checksums match","fix":null},{"level":"ok","area":"tables","message":"0 rows of other tables, all checksums match","fix":null},{"level":"ok","area":"vectors","message":"1 vectors, all checksums match","fix":null},{"level":"ok","area":"fulltext","message":"1 rows, index structure is right","fix":null},{"level":"ok","area":"model","message":"no model was given: vectors are not compared","fix":"memolith doctor --model FILE"}],"worst":"ok"}
$ memolith doctor --verify --env
! error[USAGE]: --verify, --repair, --quarantine, --env and --prove-gone: one of them at a time
? 2
$ memolith doctor --dry-run
! error[USAGE]: --dry-run goes with --repair
? 2

## doctor --repair of a sound store
$ memolith add tea --key t -o quiet -f a.memo; memolith doctor --repair -f a.memo
> nothing to repair
$ memolith doctor --quarantine -f a.memo
$ ls -A | grep memo
> a.memo
> a.memo-lock
> a.memo-shm
> a.memo-wal
$ memolith doctor --repair -f nowhere.memo
! error[NOTFOUND]: there is no store at nowhere.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3

## doctor --repair of a changed row
$ for w in tea coffee milk; do memolith add "$w is a drink" --key $w -o quiet -f a.memo; done; $PYTHON -c 'd = bytearray(open("a.memo", "rb").read()); i = d.index(b"coffee is"); d[i] ^= 32; open("a.memo", "wb").write(d)'
$ memolith doctor --verify -f a.memo
> ok    store     3 records, 3 chunks, 3 vectors, 565.2 kB, schema 2
> bad   pages     page 7 of 69: checksum does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
> bad   pages     *** in database main ***
> Page 7: unable to get the page. error code=8202
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
> bad   pages     <folder>/a.memo: cannot check its structure: checksum of page 7 does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
> ok    schema    version 2, nothing foreign in it
> bad   records   <id>: checksum does not match
>       fix: the other rows are served; memolith doctor --repair   moves these to quarantine
> bad   records   page 7: checksum does not match
>       fix: the other rows are served; memolith doctor --repair   moves these to quarantine
> bad   records   <folder>/a.memo: cannot read it: checksum of page 7 does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
> bad   records   <folder>/a.memo: cannot read it: checksum of page 7 does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
> bad   records   <folder>/a.memo: cannot read it: checksum of page 7 does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
> ok    tables    0 rows of other tables, all checksums match
> bad   tables    <folder>/a.memo: cannot read it: checksum of page 7 does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
> ok    vectors   3 vectors, all checksums match
> ok    fulltext  3 rows, index structure is right
> bad   fulltext  <folder>/a.memo: cannot read its records: checksum of page 7 does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
! error[CORRUPT]: 10 of 15 findings are bad
? 7
$ memolith doctor --repair --dry-run -f a.memo
> bad   pages     page 7 of 69: checksum does not match
> warn  records   record <id>: its checksum does not match; it goes to quarantine
>       fix: memolith doctor --quarantine   shows what is left of it
> ok    vectors   the vectors of each space are counted again
> ok    sketches  1 sketches of records were missing or of no record; duplicates of the former are looked for again
>       fix: memolith audit --link
> ok    fulltext  the full-text index is made again from the texts
> warn  quarantine 3 rows to quarantine
>       fix: memolith doctor --quarantine   shows them
> would be repaired: 2 records kept, 3 rows to quarantine (1 record), 0 records lost
$ memolith doctor --repair -f a.memo
> bad   pages     page 7 of 69: checksum does not match
> warn  records   record <id>: its checksum does not match; it goes to quarantine
>       fix: memolith doctor --quarantine   shows what is left of it
> ok    vectors   the vectors of each space are counted again
> ok    sketches  1 sketches of records were missing or of no record; duplicates of the former are looked for again
>       fix: memolith audit --link
> ok    fulltext  the full-text index is made again from the texts
> warn  quarantine 3 rows to quarantine
>       fix: memolith doctor --quarantine   shows them
> repaired: 2 records kept, 3 rows to quarantine (1 record), 0 records lost
> the file as it was: <folder>/a.memo.before-repair-1
$ memolith doctor --quarantine -f a.memo -o ndjson | $PYTHON -c 'import json, sys; print([(r["area"], r["reason"], r["content"].get("key")) for r in map(json.loads, sys.stdin)])'
> [('vector', 'its record is in quarantine', None), ('chunk', 'its record is in quarantine', None), ('record', 'its checksum does not match', 'coffee')]
$ memolith get tea -f a.memo | tail -1; memolith get coffee -f a.memo; memolith search milk --mode lexical -f a.memo -o json | $PYTHON -c 'import json, sys; print([h["key"] for h in json.load(sys.stdin)["hits"]])'
> tea is a drink
> ['milk']
! error[NOTFOUND]: no record "coffee" in namespace "default"
$ memolith doctor --verify -f a.memo -o json | $PYTHON -c 'import json, sys; print(json.load(sys.stdin)["worst"])'
> ok
$ memolith doctor --repair -f a.memo; ls -A | grep memo
> nothing to repair
> a.memo
> a.memo-lock
> a.memo.before-repair-1

## doctor --repair of a header page of zeros
$ for w in tea coffee milk; do memolith add "$w is a drink" --key $w -o quiet -f a.memo; done; $PYTHON -c 'd = bytearray(open("a.memo", "rb").read()); d[:8192] = bytes(8192); open("a.memo", "wb").write(d)'
$ memolith doctor --verify -f a.memo
> bad   store     <folder>/a.memo: not a memolith store: no SQLite header
> bad   pages     page 1 of 69: checksum does not match
>       fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
! error[CORRUPT]: 2 of 2 findings are bad
? 7
$ memolith doctor --repair -f a.memo -o json
> {"way":"rebuilt","dry_run":false,"kept":3,"quarantined":0,"quarantined_records":0,"lost":0,"lost_versions":0,"lost_changes":0,"bad_pages":1,"pages":69,"reembedded":0,"unembedded":0,"original":"<folder>/a.memo.before-repair-1","findings":[{"level":"bad","area":"pages","message":"page 1 of 69: checksum does not match","fix":null},{"level":"bad","area":"file","message":"not a memolith store: no SQLite header; a new store is made of all rows that can be read","fix":null},{"level":"ok","area":"vectors","message":"the vectors of each space are counted again","fix":null},{"level":"ok","area":"sketches","message":"3 sketches of records were missing or of no record; duplicates of the former are looked for again","fix":"memolith audit --link"},{"level":"ok","area":"fulltext","message":"the full-text index is made again from the texts","fix":null}]}
$ memolith list -f a.memo -o ndjson | $PYTHON -c 'import json, sys; print(sorted(json.loads(l)["key"] for l in sys.stdin))'
> ['coffee', 'milk', 'tea']

## doctor --repair of a store that another SQLite program wrote
$ memolith add tea --key t -o quiet -f a.memo; $PYTHON -c 'import sqlite3; d = sqlite3.connect("a.memo"); d.execute("UPDATE meta SET n_commits = n_commits"); d.commit(); d.execute("VACUUM"); d.close()'
$ memolith get t -f a.memo; memolith doctor --repair -f a.memo
> bad   pages     pages 1-66 of 66: checksum does not match
> ok    fulltext  the full-text index is made again from the texts
> warn  pages     what is in these pages passes every other check: they get fresh checksums
>       fix: look into a store with other SQLite programs read-only
> warn  records   page 3 has no valid checksum; taken from it: space 1 "4bd40f019c27ba493e12f0196247606dbfe6352e27c162df415aef5a9afe"
>       fix: look whether it is right
> warn  records   page 5 has no valid checksum; taken from it: namespace 1 "default"
>       fix: look whether it is right
> repaired: 1 record kept, 0 rows to quarantine (0 records), 0 records lost
> the file as it was: <folder>/a.memo.before-repair-1
! error[CORRUPT]: <folder>/a.memo: cannot open it: checksum of page 1 does not match
!   fix: memolith doctor --repair   (keeps a copy of the file), or restore a backup
$ memolith get t -f a.memo | tail -1
> tea

## doctor --repair embeds again what lost its vector
$ memolith add tea --key t -o quiet -f a.memo; $PYTHON -c 'import sqlite3; p = sqlite3.connect("file:a.memo?immutable=1", uri=True).execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", ("vectors",)).fetchone()[0]; d = bytearray(open("a.memo", "rb").read()); d[p * 8192 - 9] ^= 1; open("a.memo", "wb").write(d)'
$ env -u MEMOLITH_MODEL memolith doctor --repair -f a.memo
> bad   pages     page 18 of 69: checksum does not match
> warn  vectors   record <id>: text kept, a vector of it goes to quarantine
> ok    vectors   the vectors of each space are counted again
> ok    fulltext  the full-text index is made again from the texts
> warn  quarantine 1 row to quarantine
>       fix: memolith doctor --quarantine   shows them
> warn  vectors   1 records lack vectors: found by words only
>       fix: memolith doctor --repair --model FILE   makes them again
> repaired: 1 record kept, 1 row to quarantine (0 records), 0 records lost
> the file as it was: <folder>/a.memo.before-repair-1
! warning: there is no model: none is named, and the default one is not at <folder>/home/.cache/memolith/models/all-MiniLM-L6-v2.f32.safetensors
$ memolith doctor --verify -f a.memo | grep -A1 warn
> warn  vectors   1 chunks without a vector
>       fix: memolith doctor --repair --model FILE   makes them again
$ memolith doctor --repair -f a.memo -o json | $PYTHON -c 'import json, sys; d = json.load(sys.stdin); print(d["way"], d["reembedded"], d["unembedded"])'
> nothing 1 0
$ memolith doctor --verify -f a.memo | grep -c ok; memolith search tea --mode dense -f a.memo -o json | $PYTHON -c 'import json, sys; print([h["key"] for h in json.load(sys.stdin)["hits"]])'
> 8
> ['t']

$ memolith add coffee --key c -o quiet -f b.memo; $PYTHON -c 'import sqlite3; p = sqlite3.connect("file:b.memo?immutable=1", uri=True).execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", ("vectors",)).fetchone()[0]; d = bytearray(open("b.memo", "rb").read()); d[p * 8192 - 9] ^= 1; open("b.memo", "wb").write(d)'; env -u MEMOLITH_MODEL memolith doctor --repair -f b.memo -o quiet
! warning: there is no model: none is named, and the default one is not at <folder>/home/.cache/memolith/models/all-MiniLM-L6-v2.f32.safetensors
$ memolith doctor --repair -f b.memo
> ok    vectors   1 records embedded again
> nothing else to repair
$ memolith get c -f b.memo -o json | $PYTHON -c 'import json, sys; d = json.load(sys.stdin); print(d["version"], d["created"] == d["updated"])'
> 1 True

## doctor --quarantine shows the beginning of a vector
$ for w in tea coffee milk; do memolith add "$w is a drink" --key $w -o quiet -f a.memo; done; $PYTHON -c 'd = bytearray(open("a.memo", "rb").read()); i = d.index(b"coffee is"); d[i] ^= 32; open("a.memo", "wb").write(d)'; memolith doctor --repair -f a.memo -o quiet
$ memolith doctor --quarantine -f a.memo | grep -A1 ^vector | sed -E 's/[0-9a-f]{16}\./HEX./; s/-?[0-9]{10,}/N/g'
> vector 2 <id>: its record is in quarantine
>   {"vid":2,"cid":2,"space":1,"ns":1,"rid":2,"checksum":N,"vector":{"hex":"HEX... (128 bytes)"}}
$ memolith doctor --quarantine -f a.memo -o json | $PYTHON -c 'import json, sys; print([len(r["content"]["vector"]["hex"]) for r in json.load(sys.stdin)["rows"] if r["area"] == "vector"])'
> [256]

## doctor --repair counts all that it moved
$ for i in $(seq 60); do printf '{"memolith": 1, "key": "k%s", "text": "note %s: %0500d", "source": "notes.ndjson"}\n' $i $i $i; done > notes.ndjson; memolith import notes.ndjson -f a.memo -o quiet; $PYTHON -c 'd = bytearray(open("a.memo", "rb").read()); i = d.index(b"note 30:") // 8192 * 8192; d[i:i + 8192] = bytes(8192); d[d.index(b"note 50:")] ^= 1; open("a.memo", "wb").write(d)'
$ memolith doctor --repair -f a.memo > out; grep -E ' rows? to |^rebuilt' out; memolith doctor --quarantine -f a.memo -o ndjson | wc -l
> warn  quarantine 29 rows to quarantine
> rebuilt: 46 records kept, 29 rows to quarantine (1 record), 13 records lost
> 29

## a log that lost what was acknowledged
$ memolith add tea -o quiet -f a.memo; $PYTHON -c 'import shutil, sqlite3, subprocess; reader = sqlite3.connect("a.memo"); reader.execute("begin"); reader.execute("select * from records").fetchall(); [subprocess.run(["memolith", "add", text, "-o", "quiet", "-f", "a.memo"]) for text in ("coffee", "milk")]; [shutil.copy("a.memo" + end, "b.memo" + end) for end in ("", "-wal", "-lock")]; log = bytearray(open("b.memo-wal", "rb").read()); log[len(log) // 2] ^= 1; open("b.memo-wal", "wb").write(log)'
$ memolith list -f b.memo
! error[CORRUPT]: <folder>/b.memo-wal is damaged: change 3 was acknowledged, it gives none after 1
!   fix: restore a backup; or memolith doctor --repair   (keeps a copy of the file and its log) to go on without the lost changes
? 7
$ memolith doctor --repair -f b.memo
> bad   file      the write-ahead log is damaged: changes 2 to 3 were acknowledged and are lost
>       fix: take them from a backup
> ok    fulltext  the full-text index is made again from the texts
> repaired: 1 record kept, 0 rows to quarantine (0 records), 0 records lost; of the log 2 acknowledged changes lost
> the file as it was: <folder>/b.memo.before-repair-1
$ memolith list -f b.memo -o ndjson | wc -l; ls b.memo.*
> 1
> b.memo.before-repair-1
> b.memo.before-repair-1-wal

## a log that was removed
$ memolith add tea -o quiet -f a.memo; $PYTHON -c 'import shutil, sqlite3, subprocess; reader = sqlite3.connect("a.memo"); reader.execute("begin"); reader.execute("select * from records").fetchall(); [subprocess.run(["memolith", "add", text, "-o", "quiet", "-f", "a.memo"]) for text in ("coffee", "milk")]; [shutil.copy("a.memo" + end, "b.memo" + end) for end in ("", "-lock")]'
$ memolith list -f b.memo -o ndjson | wc -l
> 1
$ memolith doctor --verify -f b.memo > out; memolith doctor --verify -f b.memo | cmp - out; sed -n 1,4p out
> ok    store     1 record, 1 chunk, 1 vector, 565.2 kB, schema 2
> warn  file      change 3 was acknowledged here, the file gives 1: an older copy was put in its place, or its log was removed
>       fix: put the log back beside it, or take the changes from a backup; the next change forgets this
> ok    pages     69 pages of 8192 bytes: structure and checksums are right
$ memolith doctor --repair -f b.memo
> warn  file      change 3 was acknowledged here, the file gives 1: an older copy was put in its place, or its log was removed
>       fix: take them from a backup
> nothing else to repair
$ memolith doctor --repair -f b.memo -o json | $PYTHON -c 'import json, sys; d = json.load(sys.stdin); print(d["lost"], d["lost_changes"])'
> 0 2
$ memolith add milk -o quiet -f b.memo; memolith doctor --verify -f b.memo | grep -c warn
> 0
! warn: <folder>/b.memo: change 3 was acknowledged here, the file gives 1: an older copy was put in its place, or its log was removed; it goes on from there
? 1
