Files, folders and NDJSON lines.

## a folder, twice
$ mkdir notes notes/deep; echo 'the key is behind the door' > notes/a.txt; printf '# Boat\n\nthe boat is in the garden\n' > notes/deep/b.md; echo x > notes/.hidden
$ memolith import notes
> 2 new, 1 skipped (2 files, 2 chunks, 20 tokens) in <time> s
> skipped notes/.hidden (its name begins with a dot)
$ memolith import notes
> 0 new, 2 unchanged, 1 skipped (2 files, 0 chunks, 0 tokens) in <time> s
> skipped notes/.hidden (its name begins with a dot)
$ echo 'the key is in the shed' > notes/a.txt; memolith import notes -o json
> {"files":2,"new":0,"changed":1,"unchanged":1,"removed":0,"kept":0,"skipped":1,"failed":0,"chunks":1,"tokens":9,"entities":0,"facts":0,"versions":0,"elapsed_ms":<ms>,"skipped_files":[{"path":"notes/.hidden","why":"its name begins with a dot"}]}
$ memolith list -o ndjson | grep -o '"key":"[^"]*"' | sort
> "key":"<folder>/notes/a.txt"
> "key":"<folder>/notes/deep/b.md"

## NDJSON
$ printf '{"_id":"a","text":"tea","title":"T","tags":["x"],"metadata":{"n":1},"created":"2025-01-02"}\n{"_id":"b","text":"pot"}\n' > two.ndjson
$ memolith import two.ndjson --chunk none
> 2 new (1 file, 2 chunks, 7 tokens) in <time> s
$ memolith get a -o json | grep -o '"text".*"source"'
> "text":"tea","title":"T","tags":["x"],"metadata":{"n":1},"source"
$ printf '{"k":"c","body":"tea and tea","head":"T"}\n' > other.ndjson
$ memolith import other.ndjson --key-field k --text-field body --title-field head
> 1 new (1 file, 1 chunk, 6 tokens) in <time> s
$ memolith get c -o json | grep -o '"text".*"tags"'
> "text":"tea and tea","title":"T","tags"

## limits 196: bad lines
$ printf '{"_id":"a","text":"tea"}\n{"_id":"b"}\n{"_id":"c","text":"pot"}\nnot json\n' > bad.ndjson
$ memolith import bad.ndjson
> 1 new, 1 failed (0 files, 1 chunk, 3 tokens) in <time> s
! error[FORMAT]: bad.ndjson:2: there is no field "text" with the text
!   fix: --text-field NAME if another field has it, or --skip-bad to name and leave out what is bad; the fields are: _id
? 1
$ memolith list -o ndjson | wc -l
> 1
$ memolith import bad.ndjson --skip-bad
> 1 new, 1 unchanged, 2 failed (1 file, 1 chunk, 3 tokens) in <time> s
! warning: bad.ndjson: line 2: there is no field "text" with the text
! warning: bad.ndjson: line 4: JSON: column 1: a value expected near 'not'
$ memolith list -o ndjson | wc -l
> 2

## CSV, mail and the memory of an MCP server
$ printf 'id,text,metadata.n\na,"tea, and\npot",3\n' > t.csv; memolith import t.csv
> 1 new (1 file, 1 chunk, 6 tokens) in <time> s
$ memolith get a -o json | grep -o '"metadata":{[^}]*}'
> "metadata":{"n":3}
$ printf 'From a\nSubject: Tea\nMessage-ID: <m@x>\n\nthe pot\n' > m.mbox; memolith import m.mbox; memolith get m@x -o json | grep -o '"title":"[^"]*"'
> 1 new (1 file, 1 chunk, 5 tokens) in <time> s
> "title":"Tea"
$ printf '{"type":"entity","name":"Anna","entityType":"person","observations":["likes tea"]}\n{"type":"relation","from":"Anna","to":"Bob","relationType":"knows"}\n' > memory.json; memolith import memory.json --as mcp
> 1 new (1 file, 1 chunk, 9 tokens) in <time> s
> and 2 new entities, 2 new facts

## the memory of an MCP server: what it says no more is forgotten
$ printf '{"type":"entity","name":"Anna","entityType":"person","observations":["likes tea","has a cat"]}\n' > m.jsonl; memolith import m.jsonl -o quiet; printf '{"type":"entity","name":"Anna","entityType":"person","observations":["likes coffee","has a cat"]}\n' > m.jsonl; memolith import m.jsonl --dry-run; memolith import m.jsonl
> 1 new, 1 unchanged, 1 removed (1 file, 0 chunks, 0 tokens) in <time> s
> 1 new, 1 unchanged, 1 removed (1 file, 1 chunk, 14 tokens) in <time> s
> and 0 new entities, 1 new fact
$ memolith fact query --about Anna -o json | grep -o '"value":"[^"]*"'
> "value":"has a cat"
> "value":"likes coffee"

## Markdown: front matter, the heading, the time of the file
$ printf -- '---\ntags: [a, b]\nstatus: draft\ndate: 2025-07-01\n---\n# The boat\n\nis red\n' > n.md; memolith import n.md; memolith get "$PWD/n.md" -o json | grep -o '"text":.*"source"'
> 1 new (1 file, 1 chunk, 10 tokens) in <time> s
> "text":"# The boat\n\nis red\n","title":"The boat","tags":["a","b"],"metadata":{"status":"draft"},"source"
$ memolith list --where "meta.status = 'draft' and created = '2025-07-01'" -o ndjson | wc -l
> 1
$ touch n.md; memolith import n.md
> 0 new, 1 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
$ echo tea > t.txt; touch -d 2020-02-03T04:05:06Z t.txt; memolith import t.txt -o quiet; memolith list --where "created < '2021-01-01'" -o ndjson | grep -o '"key":"[^"]*"'
> "key":"<folder>/t.txt"

## a saved message, a mailbox without a suffix, a JSON array
$ mkdir m; printf 'Subject: Tea\nMessage-ID: <e@x>\n\nthe pot\n' > m/one.eml; printf 'From a\nSubject: Two\nMessage-ID: <b@x>\n\nthe tea\n' > m/Inbox; printf 'From here on\nall is well\n' > m/Letter; memolith import m
> 3 new (3 files, 3 chunks, 33 tokens) in <time> s
$ for k in e@x b@x; do memolith get $k -o json | grep -o '"title":"[^"]*"'; done
> "title":"Tea"
> "title":"Two"
$ printf '[\n {"id":"a","text":"tea"},\n {"id":"b","text":"pot"}\n]\n' > two.json; memolith import two.json; memolith import two.json
> 2 new (1 file, 2 chunks, 6 tokens) in <time> s
> 0 new, 2 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
$ printf '[{"id":"c","text":"tea"},{"id":"d"}]' > bad.json; memolith import bad.json
> 1 new, 1 failed (0 files, 1 chunk, 3 tokens) in <time> s
! error[FORMAT]: bad.json:1: element 2: there is no field "text" with the text
!   fix: --text-field NAME if another field has it, or --skip-bad to name and leave out what is bad; the fields are: id
? 1
$ mkdir j; printf '[{"name":"not a memory"}]' > j/conf.json; memolith import j
> 1 new (1 file, 1 chunk, 27 tokens) in <time> s

## limits 197: a CSV that is none
$ printf 'id,text\na,"open\n' > t.csv; memolith import t.csv
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[FORMAT]: t.csv:2: a quote is opened and never closed
!   fix: mend it, or --skip-bad to name and leave out what is bad
? 1
$ printf 'id,text\na,b,c\n' > t.csv; memolith import t.csv
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[FORMAT]: t.csv:2: the row has 3 fields, the header 2
!   fix: mend it, or --skip-bad to name and leave out what is bad
? 1
$ printf 'id,text,id\n' > t.csv; memolith import t.csv
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[FORMAT]: t.csv:1: the header names "id" twice
!   fix: mend it, or --skip-bad to name and leave out what is bad
? 1

## limits 198: killed on the way, then repeated
$ for i in $(seq 3000); do echo "{\"_id\":\"n$i\",\"text\":\"the cat number $i\",\"created\":$i}"; done > many.ndjson
$ (memolith import many.ndjson -f a.memo -o quiet & pid=$!; while test "$(memolith list -f a.memo -o ndjson 2>/dev/null | wc -l)" = 0; do :; done; kill -KILL $pid; wait $pid) 2>/dev/null; memolith import many.ndjson -f a.memo -o quiet; memolith import many.ndjson -f b.memo -o quiet
$ for s in a b; do memolith export - -f $s.memo | sed 's/"id":"[^"]*",//; s/"updated":[0-9]*//' > $s; done; cmp a b && wc -l < a
> 3000

## prune
$ mkdir n; echo one > n/a.txt; echo two > n/b.txt; memolith import n; rm n/b.txt; memolith import n --prune --dry-run; memolith import n --prune; memolith list -o ndjson | wc -l
> 2 new (2 files, 2 chunks, 11 tokens) in <time> s
> 0 new, 1 unchanged, 1 removed (1 file, 0 chunks, 0 tokens) in <time> s
> 0 new, 1 unchanged, 1 removed (1 file, 0 chunks, 0 tokens) in <time> s
> 1

## a file is the same one from wherever it is imported, and two of one name are two
$ mkdir A B A/notes B/notes; echo one > A/notes/a.txt; echo two > B/notes/a.txt
$ cd A; memolith import notes ./notes/a.txt ../A/notes -f ../s.memo -o quiet; cd ../B; memolith import notes ../A/notes/a.txt -f ../s.memo; memolith list -f ../s.memo -o ndjson | grep -o '"key":"[^"]*"' | sort
> 1 new, 1 unchanged (2 files, 1 chunk, 6 tokens) in <time> s
> "key":"<folder>/A/notes/a.txt"
> "key":"<folder>/B/notes/a.txt"
$ ln -s A C; memolith import C/notes -f s.memo; cd A/notes; memolith import . -f ../../s.memo
> 0 new, 1 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 0 new, 1 unchanged (1 file, 0 chunks, 0 tokens) in <time> s

## prune: only below what was given, never what is away
$ mkdir A B usb; echo one > A/a.txt; echo two > usb/u.txt; echo three > B/b.txt; cd A; memolith import . ../usb -o quiet -f ../s.memo; cd ..; mv usb away; cd B; memolith import . --prune -f ../s.memo
> 1 new (1 file, 1 chunk, 8 tokens) in <time> s
$ cd B; memolith import ../A --prune -f ../s.memo; mkdir ../AB; echo four > ../AB/c.txt; memolith import ../AB -o quiet -f ../s.memo; rm -r ../AB; memolith import ../A --prune -f ../s.memo; memolith list -f ../s.memo -o ndjson | wc -l
> 0 new, 1 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 0 new, 1 unchanged (1 file, 0 chunks, 0 tokens) in <time> s
> 4
$ mkdir -p n/usb/deep n/sub; echo one > n/a.txt; echo two > n/usb/deep/u.txt; echo three > n/usb/v.txt; echo four > n/sub/s.txt; memolith import n -o quiet; mv n/usb/* .; rm -r n/sub; memolith import n --prune
> 0 new, 1 unchanged, 1 removed, 2 kept (1 file, 0 chunks, 0 tokens) in <time> s
! warning: kept 2 records whose file cannot be found: the folder that is left is empty or on another disk, or a file could not be read; if they are gone for good, remove that folder
$ rmdir n/usb; memolith import n --prune; memolith list -o ndjson | wc -l
> 0 new, 1 unchanged, 2 removed (1 file, 0 chunks, 0 tokens) in <time> s
> 1
$ mkdir r; echo one > r/a.txt; memolith import r/a.txt -o quiet; memolith add two --key r/x.txt --source r/x.txt -o quiet; mkdir r/r; echo x > r/r/y.txt; memolith import r --prune; cd r; memolith import . --prune; memolith list -o ndjson | grep -c r/x.txt
> 1 new, 1 unchanged (2 files, 1 chunk, 4 tokens) in <time> s
> 0 new, 2 unchanged (2 files, 0 chunks, 0 tokens) in <time> s
> 1

## prune with --skip-bad: what is bad is there, and keeps its records
$ mkdir n; echo one > n/a.txt; echo two > n/b.txt; echo bad > n/c.ndjson; memolith import n --skip-bad -o quiet; rm n/b.txt; memolith import n --skip-bad --prune
> 0 new, 1 unchanged, 1 removed, 1 failed (2 files, 0 chunks, 0 tokens) in <time> s
! warning: n/c.ndjson: line 1: JSON: column 1: a value expected near 'bad'
! warning: n/c.ndjson: line 1: JSON: column 1: a value expected near 'bad'

## progress is shown while stderr is a terminal, and nowhere else
$ for i in $(seq 600); do echo "{\"_id\":\"n$i\",\"text\":\"the cat number $i sat behind the door\"}"; done > many.ndjson
$ $PYTHON $HELPERS/on_terminal.py stderr -- memolith import many.ndjson -o quiet | grep -cE '^\^M\^\[\[Kimport [0-9]'
> 1
$ $PYTHON $HELPERS/on_terminal.py stderr -- memolith import many.ndjson -o quiet --ns other | grep -cE 'import [0-9]+/600  [0-9]+%  ([0-9.]+/s  )?([0-9]+ s left  )?[0-9.]+ MB'
> 1
$ $PYTHON $HELPERS/on_terminal.py stdout -- memolith import many.ndjson
> 0 new, 600 unchanged (1 file, 0 chunks, 0 tokens) in <time> s

## a dry run where there is no store makes none
$ mkdir n t; echo tea > n/a.txt; echo pot > n/b.txt; TMPDIR=$PWD/t memolith import n --dry-run -f new.memo; ls . t
> 2 new (2 files, 0 chunks, 0 tokens) in <time> s
> .:
> home
> model.safetensors
> n
> t
>
> t:

## what is left out is named: the first three, and all as JSON
$ mkdir n; echo tea > n/a.txt; : > n/b.txt; ln -s a.txt n/c.txt; echo x > n/.d; : > n/e.txt; echo x > n/f.memo-wal; memolith import n; memolith import n -o json | grep -o '"path":"[^"]*"'
> 1 new, 5 skipped (3 files, 1 chunk, 4 tokens) in <time> s
> skipped n/.d (its name begins with a dot), n/c.txt (it is a link), n/f.memo-wal (it is a store, or goes with one) and 2 more (-o json names all)
> "path":"n/.d"
> "path":"n/c.txt"
> "path":"n/f.memo-wal"
> "path":"n/b.txt"
> "path":"n/e.txt"

## a file whose fields have other names: what they are, and how to say so
$ printf '{"id":1,"body":"tea","more":2}\n' > x.ndjson; memolith import x.ndjson
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[FORMAT]: x.ndjson:1: there is no field "text" with the text
!   fix: --text-field NAME if another field has it, or --skip-bad to name and leave out what is bad; the fields are: id, body, more
? 1
$ printf 'id,body\n1,tea\n' > x.csv; memolith import x.csv; memolith import x.csv x.ndjson --text-field body -o quiet; memolith import x.ndjson --key-field k --text-field body
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[FORMAT]: x.csv:1: the header names no field "text" with the text
!   fix: --text-field NAME if another column has it, or --skip-bad to name and leave out what is bad
! error[FORMAT]: x.ndjson:1: there is no field "k" with the key
!   fix: --key-field NAME if another field has it, or --skip-bad to name and leave out what is bad; the fields are: id, body, more
? 1

## a file that cannot be taken is named once
$ mkdir n; truncate -s 65M n/big.txt; echo tea > n/a.txt; memolith import n --skip-bad
> 1 new, 1 failed (2 files, 1 chunk, 4 tokens) in <time> s
! warning: n/big.txt: 68157440 bytes; at most 67108864 are allowed

## what cannot be imported
$ memolith import -
! error[USAGE]: import reads files, not stdin
!   fix: write the lines to a file.ndjson, or memolith add - for one text
? 2
$ memolith import
! error[USAGE]: import needs PATH...
!   fix: memolith import notes/ articles.ndjson
? 2
$ memolith import x --chunk lines
! error[USAGE]: --chunk is "lines"; allowed is none, md, code, plain or auto, all but none with :TOKENS or :TOKENS/OVERLAP, e.g. md:400/60
? 2
