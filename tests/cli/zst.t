Exports packed by zstd, and files that pretend to be such.

## out and in again
$ for i in $(seq 500); do echo "{\"_id\":\"n$i\",\"text\":\"the cat number $i sat behind the door\"}"; done > many.ndjson; memolith import many.ndjson -o quiet
$ memolith export all.ndjson.zst -o json | sed 's/"bytes":[0-9]*,"packed_bytes":[0-9]*/"bytes":0,"packed_bytes":0/'; memolith export plain.ndjson -o quiet; memolith export - --zstd --level 19 > piped; test $(wc -c < all.ndjson.zst) -lt $(($(wc -c < plain.ndjson) / 4)) && echo smaller
> {"path":"all.ndjson.zst","records":500,"vectors":0,"versions":0,"entities":0,"facts":0,"bytes":0,"packed_bytes":0,"damaged":0,"elapsed_ms":<ms>}
> smaller
$ memolith import all.ndjson.zst -f other.memo; memolith import piped -f other.memo; for s in "" "-f other.memo"; do memolith export - $s | sed 's/"id":"[^"]*",//; s/"updated":[0-9]*//'; done | sort | uniq -c | awk '$1 != 2' | wc -l
> 500 new (1 file, 500 chunks, 9,392 tokens) in <time> s
> 0 new, 500 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 0
$ memolith export x.ndjson --level 4
! error[USAGE]: --level is for --zstd, or a FILE that ends in .zst
? 2

## a CSV, mail and a folder
$ printf 'id,text\na,the pot\n' > t.csv; printf 'From a\nSubject: Tea\nMessage-ID: <m@x>\n\nthe pot\n' > m.mbox; mkdir d; for f in t.csv m.mbox; do $PYTHON $HELPERS/zst.py pack $f > d/$f.zst; done; memolith import d; memolith list -o ndjson | grep -o '"key":"[^"]*"' | sort
> 2 new (2 files, 2 chunks, 9 tokens) in <time> s
> "key":"a"
> "key":"m@x"

## limits 200: a few bytes that unpack to four gigabytes
$ $PYTHON $HELPERS/zst.py bomb bomb.ndjson.zst 4294967296; wc -c < bomb.ndjson.zst; memolith import bomb.ndjson.zst
> 131110
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[LIMIT]: bomb.ndjson.zst:268435429: its 131110 bytes unpack to more than 268435456, the most that is allowed
!   fix: --max-unpacked SIZE if it is meant to be that large
? 1
$ $PYTHON $HELPERS/zst.py sized bomb.ndjson.zst 4294967296; memolith import bomb.ndjson.zst; memolith list -o ndjson | wc -l
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> 0
! error[LIMIT]: bomb.ndjson.zst: its 131118 bytes unpack to more than 268435456, the most that is allowed
!   fix: --max-unpacked SIZE if it is meant to be that large
$ $PYTHON $HELPERS/zst.py bomb small.ndjson.zst 1000000; memolith import small.ndjson.zst --max-unpacked 500K; memolith import small.ndjson.zst --max-unpacked 1M
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> 1 new (1 file, 1 chunk, 4 tokens) in <time> s
! error[LIMIT]: small.ndjson.zst:262117: its 70 bytes unpack to more than 512000, the most that is allowed
!   fix: --max-unpacked SIZE if it is meant to be that large
$ $PYTHON $HELPERS/zst.py window w.ndjson.zst; memolith import w.ndjson.zst
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[LIMIT]: w.ndjson.zst:1: packed with a window of more than 128 MiB, the most that is allowed
!   fix: mend it, or --skip-bad to name and leave out what is bad
? 1

## limits 200: cut off, damaged, or not packed at all
$ for i in $(seq 500); do echo "{\"_id\":\"n$i\",\"text\":\"the cat number $i sat behind the door\"}"; done > many.ndjson; memolith import many.ndjson -o quiet; memolith export a.ndjson.zst -o quiet; for i in 0 1 2 3 4; do cp a.ndjson.zst $i.ndjson.zst; done
$ $PYTHON $HELPERS/zst.py cut 0.ndjson.zst 1; memolith import 0.ndjson.zst -f b.memo 2>&1 | sed 's/[0-9]* bytes unpack to [0-9]*/N bytes unpack to N/'
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> error[CORRUPT]: 0.ndjson.zst:501: cut off: N bytes unpack to N, and the end of the frame is missing
>   fix: copy it again; --skip-bad takes what stands before the damage
$ $PYTHON $HELPERS/zst.py flip 1.ndjson.zst $(($(wc -c < a.ndjson.zst) - 1)); memolith import 1.ndjson.zst -f b.memo 2>&1 | sed 's/behind [0-9]*/behind N/'
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> error[CORRUPT]: 1.ndjson.zst:1: damaged behind N unpacked bytes: Restored data doesn't match checksum
>   fix: export it again; --skip-bad takes what stands before the damage
$ for n in $(seq 6 331 $(($(wc -c < a.ndjson.zst) - 1))); do cp a.ndjson.zst f.ndjson.zst; $PYTHON $HELPERS/zst.py flip f.ndjson.zst $n || echo "byte $n was not flipped"; memolith import f.ndjson.zst -f b.memo -o quiet 2>/dev/null && echo "bit of byte $n was not noticed"; done; memolith list -f b.memo -o ndjson | wc -l
> 0
$ : > 2.ndjson.zst; memolith import 2.ndjson.zst; echo text > 3.ndjson.zst; memolith import 3.ndjson.zst; printf 'more' >> 4.ndjson.zst; memolith import 4.ndjson.zst 2>&1 | sed 's/behind [0-9]*/behind N/'
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> error[CORRUPT]: 4.ndjson.zst:501: damaged behind N unpacked bytes: Unknown frame descriptor
>   fix: export it again; --skip-bad takes what stands before the damage
! error[FORMAT]: 2.ndjson.zst: does not begin as a zstd file does: it is damaged, or another file
!   fix: mend it, or --skip-bad to name and leave out what is bad
! error[FORMAT]: 3.ndjson.zst: does not begin as a zstd file does: it is damaged, or another file
!   fix: mend it, or --skip-bad to name and leave out what is bad
$ memolith import 0.ndjson.zst 3.ndjson.zst -f c.memo --skip-bad 2>&1 | sed 's/[0-9]* bytes unpack to [0-9]*/N bytes unpack to N/'; memolith list -f c.memo -k 1000 -o ndjson | wc -l
> warning: 0.ndjson.zst: line 501: cut off: N bytes unpack to N, and the end of the frame is missing
> warning: 3.ndjson.zst: does not begin as a zstd file does: it is damaged, or another file
> 500 new, 2 failed (2 files, 500 chunks, 9,392 tokens) in <time> s
> 500
