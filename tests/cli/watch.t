import --watch: folders that change while it runs.

## new, changed and removed files, in exact counts
$ mkdir notes; echo 'the key is behind the door' > notes/a.txt; echo 'the pot' > notes/b.txt
$ $PYTHON $HELPERS/watch.py 'echo "the boat" > notes/c.txt' 'echo "the key is in the shed" > notes/a.txt' 'mkdir -p notes/x/y; echo "the garden" > notes/x/y/d.md' 'rm notes/b.txt' -'echo hidden > notes/.h' -'touch notes/a.txt' 'mv notes/x/y notes/z' 'rmdir notes/x' 'printf "\0\0" > notes/bin; echo more > notes/e.txt' -- memolith import --watch --prune notes | sed 's/ (.*//; s/, [0-9]* unchanged//'
> 2 new
> 1 new
> 0 new, 1 changed
> 1 new
> 0 new, 1 removed
> 1 new, 1 kept, 1 skipped
> 0 new, 1 removed, 1 skipped
> 1 new, 2 skipped
! stopped watching; everything that was counted is kept
$ memolith list -o ndjson | grep -o '"key":"[^"]*","text":"[^"]*"' | sort; memolith import notes --prune
> "key":"<folder>/notes/a.txt","text":"the key is in the shed\n"
> "key":"<folder>/notes/c.txt","text":"the boat\n"
> "key":"<folder>/notes/e.txt","text":"more\n"
> "key":"<folder>/notes/z/d.md","text":"the garden\n"
> 0 new, 4 unchanged, 2 skipped (5 files, 0 chunks, 0 tokens) in <time> s
> skipped notes/.h (its name begins with a dot), notes/bin (it is empty or binary)

## an editor that writes a new file and renames it, a folder that is removed and made again
$ mkdir notes; echo 'the pot' > notes/a.txt
$ $PYTHON $HELPERS/watch.py 'echo "the new pot" > notes/.a.txt.swp; mv notes/.a.txt.swp notes/a.txt' 'cp -p notes/a.txt old; echo "the old pot" > t; touch -r old t; mv t notes/a.txt' -'rm -r notes; sleep 0.6' 'mkdir notes; echo "it is back" > notes/a.txt' 'echo "and goes on" > notes/b.txt' -- memolith import --watch notes | sed 's/ (.*//; s/, [0-9]* unchanged//'
> 1 new
> 0 new, 1 changed
> 0 new, 1 changed
> 0 new, 1 changed
> 1 new
! stopped watching; everything that was counted is kept
$ memolith list -o ndjson | grep -o '"key":"[^"]*","text":"[^"]*"' | sort
> "key":"<folder>/notes/a.txt","text":"it is back\n"
> "key":"<folder>/notes/b.txt","text":"and goes on\n"

## a file of many records, and a line of it that is bad
$ printf '{"_id":"a","text":"one"}\n' > l.ndjson
$ $PYTHON $HELPERS/watch.py 'echo "{\"_id\":\"b\",\"text\":\"two\"}" >> l.ndjson' 'echo bad >> l.ndjson' -- memolith import --watch l.ndjson -o ndjson | sed 's/"elapsed.*//; s/"chunks.*facts":0,//'
> {"files":1,"new":1,"changed":0,"unchanged":0,"removed":0,"kept":0,"skipped":0,"failed":0,"versions":0,
> {"files":1,"new":1,"changed":0,"unchanged":1,"removed":0,"kept":0,"skipped":0,"failed":0,"versions":0,
> {"files":1,"new":0,"changed":0,"unchanged":2,"removed":0,"kept":0,"skipped":0,"failed":1,"versions":0,
! warning: l.ndjson: line 3: JSON: column 1: a value expected near 'bad'
! stopped watching; everything that was counted is kept

## many at once, and by looking instead of events
$ mkdir d; echo x > d/x.txt; $PYTHON $HELPERS/watch.py 'mkdir t; for i in $(seq 400); do echo "cat $i" > t/$i.txt; done; mv t d/t' -'mv d u' 'mv u d; rm d/x.txt' -- memolith import --watch --prune d | sed 's/ (.*//; s/, [0-9]* unchanged//'
> 1 new
> 400 new
> 0 new, 1 removed
! stopped watching; everything that was counted is kept
$ echo y > y.txt; $PYTHON $HELPERS/watch.py 'mv y.txt d/y.txt' 'rm d/y.txt' -- memolith import --watch-poll 1 --prune d | sed 's/ (.*//'
> 0 new, 400 unchanged
> 1 new
> 0 new, 1 removed
! stopped watching; everything that was counted is kept
$ memolith list -o ndjson -k 2000 | wc -l
> 400

## what cannot be watched
$ memolith import --watch nowhere; mkdir d; memolith import --watch d --dry-run
! error[IO]: nowhere: cannot open: No such file or directory
! error[USAGE]: --watch with --dry-run would say the same again
? 2
