Records out of a store as NDJSON, and into another.

## out and in again
$ memolith add 'the key is behind the door' --key k --title Key --tag one --meta n=1 --created 2025-01-02 -o quiet; memolith add 'the pot' --created 2025-01-03 -o quiet
$ memolith export all.ndjson
> 2 records, 305 B in <time> s
$ memolith export - | sed 's/"updated":[0-9]*/"updated":0/'
> {"memolith":1,"id":"<id>","key":"k","text":"the key is behind the door","title":"Key","tags":["one"],"metadata":{"n":1},"created":1735776000000,"updated":0}
> {"memolith":1,"id":"<id>","text":"the pot","created":1735862400000,"updated":0}
$ memolith export all.ndjson
! error[USAGE]: all.ndjson: exists already
? 2
$ memolith export all.ndjson --force --vectors --where "tags = 'one'" -o json | sed 's/"bytes":[0-9]*/"bytes":0/'
> {"path":"all.ndjson","records":1,"vectors":1,"versions":0,"entities":0,"facts":0,"bytes":0,"damaged":0,"elapsed_ms":<ms>}
$ memolith import all.ndjson
> 0 new, 1 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
$ memolith import all.ndjson -f other.memo; memolith export - -f other.memo | sed 's/"updated":[0-9]*/"updated":0/'
> 1 new (1 file, 1 chunk, 0 tokens) in <time> s
> {"memolith":1,"id":"<id>","key":"k","text":"the key is behind the door","title":"Key","tags":["one"],"metadata":{"n":1},"created":1735776000000,"updated":0}

## limits 202: vectors of another model
$ memolith add 'the pot' --key k -o quiet; memolith export v.ndjson --vectors -o quiet; sed -i 's/"fingerprint":"..../"fingerprint":"0000/' v.ndjson
$ memolith import v.ndjson -f other.memo 2>&1 | sed 's/([^ ]*[0-9a-f]\{10\}[^ ]*)/(...)/g; s/(0000[^)]*)/(...)/'
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> error[MISMATCH]: v.ndjson:1: its vectors are of tiny.f32 (...), those of this store of tiny.f32 (...)
>   fix: --reembed makes them anew
$ memolith import v.ndjson -f other.memo --reembed
> 1 new (1 file, 1 chunk, 4 tokens) in <time> s

## limits 199: a disk that is full
$ memolith add 'the pot' --key k -o quiet; memolith export - > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ for i in $(seq 4000); do echo "{\"_id\":\"n$i\",\"text\":\"the cat number $i sat behind the door\"}"; done > many.ndjson; memolith import many.ndjson --chunk none -o quiet
$ sh -c "trap '' XFSZ; ulimit -f 3000; memolith export big.ndjson --vectors"; ls -A | grep -c big
> 0
! error[IO]: big.ndjson: cannot write: File too large
? 1

## what cannot be exported
$ memolith export -
! error[NOTFOUND]: there is no store at <folder>/home/.local/share/memolith/default.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ memolith add x -o quiet; memolith export "$HOME/none/x"
! error[IO]: <folder>/home/none/x: cannot create a temporary file beside it: No such file or directory
!   fix: make the folder first, or name another
? 1
$ memolith export - --ns nowhere
! error[NOTFOUND]: <folder>/home/.local/share/memolith/default.memo: no namespace "nowhere"
? 3

## entities, facts, evidence and versions come back, with their ids and times
$ memolith add 'the key is behind the door' --key k -o quiet; memolith edit k --text 'the key is in the shed' -o quiet; memolith edit k --text 'the key is gone' -o quiet; memolith add 'Anna eats no peanuts' -o quiet; memolith add 'a part of it' --parent k --supersedes k -o quiet
$ memolith fact add Anna allergic_to --value peanuts --evidence k:0-7 -o quiet; memolith fact add Anna works_at Initech --from 2024-01-01 --functional -o quiet; memolith fact add Anna works_at Globex --from 2025-01-01 --functional --confidence 0.3 -o quiet; memolith entity alias Anna --add Annie -o quiet; memolith entity add Anna --kind boat --meta length=9 -o quiet; memolith fact retract "$(memolith fact query --relation allergic_to -o ndjson | grep -o '"id":"[^"]*"' | head -1 | cut -d'"' -f4)" --reason 'she eats them' -o quiet
$ memolith edit k --text 'the key is found' -o quiet; memolith export plain.ndjson --vectors; memolith export all.ndjson --versions --vectors
> 3 records, 3 vectors, 4 entities, 3 facts, 3.4 kB in <time> s
> 3 records, 3 vectors, 3 earlier versions, 4 entities, 3 facts, 4.0 kB in <time> s
$ for f in plain all; do memolith import $f.ndjson -f $f.memo; memolith import $f.ndjson -f $f.memo; memolith import $f.ndjson; memolith doctor -f $f.memo -o quiet || echo damaged; done
> 3 new (1 file, 3 chunks, 0 tokens) in <time> s
> and 4 new entities, 3 new facts
> 0 new, 3 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 0 new, 3 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 3 new (1 file, 3 chunks, 0 tokens) in <time> s
> and 4 new entities, 3 new facts
> and 3 earlier versions
> 0 new, 3 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 0 new, 3 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
$ memolith export - --vectors -f plain.memo | cmp - plain.ndjson; memolith export - --versions --vectors -f all.memo | cmp - all.ndjson
$ memolith history k -f all.memo -o ndjson | wc -l; memolith fact query --relation allergic_to --any-time --retracted -f all.memo -o ndjson 2>&1 | grep -o '"excerpt":"[^"]*"'
> 4
> "excerpt":"the key"

## into a namespace that knows some of it under other ids
$ memolith fact add Anna likes tea -o quiet; memolith fact add Bob knows Anna -o quiet; memolith export a.ndjson; memolith fact add anna likes Tea -f b.memo -o quiet; memolith entity add Bob --kind person -f b.memo -o quiet
> 0 records, 3 entities, 2 facts, 747 B in <time> s
$ memolith import a.ndjson -f b.memo; memolith import a.ndjson -f b.memo; memolith entity list -f b.memo -o ndjson | wc -l; memolith fact query -f b.memo -o ndjson | wc -l
> 0 new (1 file, 0 chunks, 0 tokens) in <time> s
> and 1 new entity, 1 new fact
> 0 new (1 file, 0 chunks, 0 tokens) in <time> s
> 4
> 2
$ memolith import a.ndjson --ns copy; memolith import a.ndjson --ns copy; memolith export - --ns copy | wc -l
> 0 new (1 file, 0 chunks, 0 tokens) in <time> s
> and 3 new entities, 2 new facts
> 0 new (1 file, 0 chunks, 0 tokens) in <time> s
> 5

## lines that are damaged
$ for l in '"type":"entity","id":"x"' '"type":"entity","id":"x","name":"A","aliases":[1]' '"type":"fact","id":"x","subject":"nobody","relation":"is","value":"v"' '"type":"fact","id":"x","relation":"is"' '"type":"song"' '"type":"version","id":"x","text":"t"'; do echo "{\"memolith\":1,$l}" > l.ndjson; memolith import l.ndjson 2>&1 | grep error; done
> error[FORMAT]: l.ndjson:1: there is no field "name"
> error[VALUE]: l.ndjson:1: field "aliases": an array of strings is needed
> error[VALUE]: l.ndjson:1: field "subject": no entity "nobody"
> error[FORMAT]: l.ndjson:1: there is no field "subject"
> error[UNSUPPORTED]: l.ndjson:1: a line of type "song"; version, entity and fact are known
> error[FORMAT]: l.ndjson:1: a version without "id" or "version"
$ printf '{"memolith":1,"type":"entity","id":"x","name":"A"}\n{"memolith":1,"type":"song"}\n{"memolith":1,"type":"entity","id":"y","name":"B"}\n' > l.ndjson; memolith import l.ndjson; memolith import l.ndjson --skip-bad; memolith entity list -o ndjson | wc -l
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> and 1 new entity, 0 new facts
> 0 new, 1 failed (1 file, 0 chunks, 0 tokens) in <time> s
> and 1 new entity, 0 new facts
> 2
! error[UNSUPPORTED]: l.ndjson:2: a line of type "song"; version, entity and fact are known
!   fix: mend it, or --skip-bad to name and leave out what is bad
! warning: l.ndjson: line 2: a line of type "song"; version, entity and fact are known
