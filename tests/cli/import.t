Files, folders and NDJSON lines.

## a folder, twice
$ mkdir notes notes/deep; echo 'the key is behind the door' > notes/a.txt; printf '# Boat\n\nthe boat is in the garden\n' > notes/deep/b.md; echo x > notes/.hidden
$ memolith import notes
> 2 new, 1 skipped (2 files, 2 chunks, 20 tokens) in <time> s
$ memolith import notes
> 0 new, 2 unchanged, 1 skipped (2 files, 0 chunks, 0 tokens) in <time> s
$ echo 'the key is in the shed' > notes/a.txt; memolith import notes -o json
> {"files":2,"new":0,"changed":1,"unchanged":1,"skipped":1,"failed":0,"chunks":1,"tokens":9,"elapsed_ms":<ms>}
$ memolith list -o ndjson | grep -o '"key":"[^"]*"' | sort
> "key":"notes/a.txt"
> "key":"notes/deep/b.md"

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

## bad lines
$ printf '{"_id":"a","text":"tea"}\n{"_id":"b"}\n{"_id":"c","text":"pot"}\nnot json\n' > bad.ndjson
$ memolith import bad.ndjson
> 1 new, 1 failed (0 files, 1 chunk, 3 tokens) in <time> s
! error[FORMAT]: bad.ndjson:2: there is no field "text" with the text
!   fix: mend it, or --skip-bad to name and leave out what is bad
? 1
$ memolith list -o ndjson | wc -l
> 1
$ memolith import bad.ndjson --skip-bad
> 1 new, 1 unchanged, 2 failed (1 file, 1 chunk, 3 tokens) in <time> s
! warning: bad.ndjson: line 2: there is no field "text" with the text
! warning: bad.ndjson: line 4: JSON: column 1: a value expected near 'not'
$ memolith list -o ndjson | wc -l
> 2

## progress is shown while stderr is a terminal, and nowhere else
$ for i in $(seq 600); do echo "{\"_id\":\"n$i\",\"text\":\"the cat number $i sat behind the door\"}"; done > many.ndjson
$ $PYTHON $HELPERS/on_terminal.py stderr -- memolith import many.ndjson -o quiet | grep -cE '^\^M\^\[\[Kimport [0-9]'
> 1
$ $PYTHON $HELPERS/on_terminal.py stdout -- memolith import many.ndjson
> 0 new, 600 unchanged (1 file, 0 chunks, 0 tokens) in <time> s

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
! error[USAGE]: --chunk is "lines"; allowed is none, md, plain or auto, the last three with :TOKENS or :TOKENS/OVERLAP, e.g. md:400/60
? 2
