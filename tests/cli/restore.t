A store merged into another: a backup, or somebody else's.

## a backup into an empty store, and once more
$ memolith add 'the key is behind the door' --key k --tag one --pin yes -o quiet; memolith edit k --text 'the key is in the shed' -o quiet; memolith add 'Anna eats no peanuts' -o quiet; memolith add 'a part of it' --parent k --supersedes k --ns work -o quiet 2>/dev/null; memolith add 'at work' --ns work -o quiet; memolith add 'gone by now' --expires 2001-01-01 -o quiet; memolith fact add Anna allergic_to --value peanuts --evidence k:0-7 -o quiet; memolith fact add Anna works_at Initech --ns work -o quiet
$ memolith backup copy.memo -o quiet; memolith import copy.memo -f b.memo; memolith import copy.memo -f b.memo; memolith import copy.memo
> 4 new (1 file, 4 chunks, 0 tokens) in <time> s
> and 3 new entities, 2 new facts
> and 1 earlier version
> 0 new, 4 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 0 new, 4 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
$ for n in default work; do memolith export - --versions --vectors --ns $n > a; memolith export - --versions --vectors --ns $n -f b.memo | cmp - a; done; memolith doctor -f b.memo -o quiet && echo sound
> sound
$ cp copy.memo copy.db; memolith import copy.db -f c.memo --ns work; memolith list --ns work -f c.memo -o ndjson | wc -l; memolith import copy.memo --ns nowhere -f c.memo
> 1 new (1 file, 1 chunk, 0 tokens) in <time> s
> and 2 new entities, 1 new fact
> 1
> 0 new (0 files, 0 chunks, 0 tokens) in <time> s
! error[NOTFOUND]: copy.memo: no namespace "nowhere"
? 3
$ memolith import copy.memo -f d.memo --dry-run; ls d.memo
> 4 new (1 file, 0 chunks, 0 tokens) in <time> s
! ls: cannot access 'd.memo': No such file or directory
? 2

## what was changed here since stays when it is not in the backup
$ memolith add one --key a -o quiet; memolith backup copy.memo -o quiet; memolith add two --key b -o quiet; memolith edit a --text three -o quiet; memolith import copy.memo; memolith history a -o ndjson | grep -o '"text":"[^"]*"'; memolith list -o ndjson | wc -l
> 0 new, 1 changed (1 file, 1 chunk, 0 tokens) in <time> s
> "text":"one"
> "text":"three"
> "text":"one"
> 2

## limits 201: a store of another model
$ memolith add 'the pot' --key k -o quiet; memolith backup copy.memo -o quiet; memolith model compile $TINY -o int8.safetensors --class int8 --format quiet
$ memolith import copy.memo -f b.memo --model int8.safetensors 2>&1 | sed 's/([^)]*)/(...)/g'; memolith list -f b.memo -o ndjson | wc -l
> 0 new (...) in <time> s
> error[MISMATCH]: copy.memo: namespace "default": its vectors are of tiny.f32 (...), those of this store of tiny-model.int8 (...)
>   fix: --reembed makes them anew
> 0
$ memolith import copy.memo -f b.memo --model int8.safetensors --reembed
> 1 new (1 file, 1 chunk, 4 tokens) in <time> s

## limits 201: one bit flipped, anywhere
$ for i in $(seq 40); do echo "{\"_id\":\"n$i\",\"text\":\"the cat number $i sat behind the door\"}"; done > many.ndjson; memolith import many.ndjson -o quiet; memolith backup copy.memo -o quiet; memolith add 'here before' -f b.memo -o quiet
$ for n in $(seq 1 $(($(wc -c < copy.memo) / 60)) $(wc -c < copy.memo)); do cp copy.memo f.memo; $PYTHON $HELPERS/flip_bit.py f.memo $n; memolith import f.memo -f b.memo -o quiet 2> why && echo "bit of byte $n was not noticed"; grep -q 'error.CORRUPT' why || cat why; done; memolith list -f b.memo -k 100 -o ndjson | wc -l
> 1
$ head -c 30000 copy.memo > cut.memo; memolith import cut.memo -f b.memo 2>&1 | grep -o 'error.[A-Z]*'; echo text > no.memo; memolith import no.memo -f b.memo
> error[CORRUPT
> 0 new (0 files, 0 chunks, 0 tokens) in <time> s
! error[CORRUPT]: <folder>/no.memo: not a memolith store: no SQLite header
? 7

## what is no other store
$ memolith add x -f a.memo -o quiet; memolith import a.memo -f a.memo; ln -s a.memo l.memo; memolith import l.memo -f a.memo; memolith import a.memo-lock -f b.memo
> 0 new (0 files, 0 chunks, 0 tokens) in <time> s
> 0 new (0 files, 0 chunks, 0 tokens) in <time> s
> 0 new (0 files, 0 chunks, 0 tokens) in <time> s
! error[VALUE]: a.memo: a store cannot be imported into itself
! error[VALUE]: l.memo: a store cannot be imported into itself
! error[VALUE]: a.memo-lock: this file goes with a store: import that
? 1
