One record in, read, changed and forgotten.

## add and get
$ memolith add the spare key is under the flower pot --tag house --tag key --meta room=garden --meta n=3 --created 2025-03-14 --title Key --key spare
> <id>
$ memolith get spare
> id       <id>
> key      spare
> title    Key
> tags     house key
> metadata {"n":3,"room":"garden"}
> created  <instant>
> updated  <instant>
>
> the spare key is under the flower pot
$ memolith get spare -o json
> {"id":"<id>","key":"spare","text":"the spare key is under the flower pot","title":"Key","tags":["house","key"],"metadata":{"n":3,"room":"garden"},"source":"","ns":"default","created":"<instant>","updated":"<instant>","expires":null,"version":1,"chunks":1,"trust":0,"pinned":false,"tier":2,"parent":null,"supersedes":null,"superseded_by":null,"echo":false,"duplicate_of":null,"links":[]}
$ memolith get spare -o quiet
$ memolith get nothing
! error[NOTFOUND]: no record "nothing" in namespace "default"
? 3
$ memolith get spare --ns other
! error[NOTFOUND]: <folder>/home/.local/share/memolith/default.memo: no namespace "other"
? 3

## add again by key
$ memolith add tea --key k -o json
> {"id":"<id>","outcome":"new","version":1,"chunks":1,"tokens":3}
$ memolith add tea --key k -o json
> {"id":"<id>","outcome":"unchanged","version":1,"chunks":1,"tokens":0}
$ memolith add 'tea pot' --key k -o json
> {"id":"<id>","outcome":"changed","version":2,"chunks":1,"tokens":4}
$ memolith list -o ndjson | wc -l
> 1

## add from stdin and from a file
$ printf 'tea\nfrom stdin' | memolith add - --key a -o quiet
$ printf 'from a file' > note.md; memolith add --file note.md --key b -o quiet
$ memolith list -o ndjson | $PYTHON -c 'import json, sys; [print(json.dumps([r["key"], r["text"], r["source"]])) for r in map(json.loads, sys.stdin)]'
> ["b", "from a file", "note.md"]
> ["a", "tea\nfrom stdin", ""]
$ memolith add --file note.md tea
! error[USAGE]: --file and "tea" both give a text
? 2
$ memolith add
! error[USAGE]: add needs TEXT, --file FILE or -
!   fix: memolith add 'the spare key is under the third flower pot' --tag house
? 2
$ memolith add '  '
! error[VALUE]: text is empty: it needs at least one character that is not white space
? 1
$ printf '' | memolith add -
! error[VALUE]: text is empty: it needs at least one character that is not white space
? 1

## metadata
$ memolith add tea --key k --meta i=12 --meta f=-0.5 --meta t=true --meta n=null --meta s=01 --meta e= --meta 'l=[1,2]' --meta 'q="x"' --meta 'x=a=b' -o quiet
$ memolith get k -o json | grep -o '"metadata":{[^}]*}'
> "metadata":{"e":"","f":-0.5,"i":12,"l":[1,2],"n":null,"q":"\"x\"","s":"01","t":true,"x":"a=b"}
$ memolith add tea --meta a=1 --meta a=2
! error[USAGE]: --meta names "a" twice
? 2

## edit
$ memolith add tea --key k --tag old --meta a=1 --meta b=2 --created 2025-01-01 -o quiet
$ memolith edit k --text 'tea pot' --title T --tag new --tag two --meta a=null --meta c=3
> <id>
$ memolith get k -o json | grep -o '"text".*"source"'
> "text":"tea pot","title":"T","tags":["new","two"],"metadata":{"b":2,"c":3},"source"
$ memolith edit k --clear-tags -o json
> {"id":"<id>","outcome":"changed","version":3,"chunks":1,"tokens":0}
$ printf 'from stdin' | memolith edit k --text - -o quiet
$ memolith get k -o json | grep -o '"text":"[^"]*"'
> "text":"from stdin"
$ memolith edit k
! error[USAGE]: edit needs something to change
!   fix: memolith edit <id> --meta room=garden --tag house
? 2
$ memolith edit k --tag a --clear-tags
! error[USAGE]: --tag and --clear-tags contradict each other
? 2
$ memolith edit nothing --title x
! error[NOTFOUND]: no record "nothing" in namespace "default"
? 3
$ memolith edit k --expires 2020-01-01 -o quiet
$ memolith add tea --key z --expires soon
! error[USAGE]: --expires is "soon"; allowed is YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now, now-7d or never
? 2
$ memolith get k
! error[NOTFOUND]: record "k" has expired
!   fix: memolith feedback --list --record ID shows what has hidden it: take that back with feedback --undo ACTION; else edit its expires
? 3

## expires
$ memolith add tea --key k --expires 2020-01-01 -o quiet
$ memolith list
! no record
$ memolith edit k --expires never -o quiet
$ memolith list -o ndjson | grep -o '"expires":[a-z]*'
> "expires":null
$ memolith add tea --key k2 --expires never -o quiet

## list
$ for i in 1 2 3 4; do memolith add "the cat sat behind door $i and did not want any tea, however long we asked" --key c$i --title "Cat $i" --created 2025-01-0$i -o quiet; done
$ memolith list
> <id>  2025-01-04  Cat 4: the cat sat behind door 4 and...
> <id>  2025-01-03  Cat 3: the cat sat behind door 3 and...
> <id>  2025-01-02  Cat 2: the cat sat behind door 2 and...
> <id>  2025-01-01  Cat 1: the cat sat behind door 1 and...
$ memolith list --oldest-first -k 2
> <id>  2025-01-01  Cat 1: the cat sat behind door 1 and...
> <id>  2025-01-02  Cat 2: the cat sat behind door 2 and...
! there are more: -k N, or --after <cursor>
$ memolith list --where "created >= '2025-01-03'"
> <id>  2025-01-04  Cat 4: the cat sat behind door 4 and...
> <id>  2025-01-03  Cat 3: the cat sat behind door 3 and...
$ memolith list --where "title = 'Dog'"
! no record matches the filter
$ memolith list -k 1 -o json
> {"records":[{"id":"<id>","key":"c4","text":"the cat sat behind door 4 and did not want any tea, however long we asked","title":"Cat 4","tags":[],"metadata":{},"source":"","ns":"default","created":"<instant>","updated":"<instant>","expires":null,"version":1,"chunks":1,"trust":0,"pinned":false,"tier":2,"parent":null,"supersedes":null,"superseded_by":null,"echo":false,"duplicate_of":null}],"next":"<cursor>"}
$ memolith list -k 2 -o json | $PYTHON -c 'import json, sys; print(json.load(sys.stdin)["next"])' > cursor; memolith list -k 9 --after "$(cat cursor)" -o ndjson | grep -o '"key":"[^"]*"'
> "key":"c2"
> "key":"c1"
$ memolith list --where "titel = 'Dog'"
! error[VALUE]: filter, byte 0: found "titel", expected a field: id key title text source tags created updated expires version trust tier pinned echo parent meta.NAME
!   fix: did you mean "title"?
? 1
$ memolith list --where ''
! error[VALUE]: filter, byte 0: found the end, expected a field: id key title text source tags created updated expires version trust tier pinned echo parent meta.NAME
? 1
$ memolith list -o quiet

## a control character does not reach a terminal
$ printf 'tea \033[31m red \007' | memolith add - --key k --created 2025-01-01 -o quiet
$ $PYTHON $HELPERS/on_terminal.py stdout -- memolith list
> <id>  ^[[2m2025-01-01^[[0m  tea [31m red
$ $PYTHON $HELPERS/on_terminal.py stdout -- memolith get k | tail -1
> tea  [31m red
$ NO_COLOR=1 $PYTHON $HELPERS/on_terminal.py stdout -- memolith list
> <id>  2025-01-01  tea [31m red

## forget
$ for i in 1 2 3 4; do memolith add "tea $i" --key t$i --tag n$i -o quiet; done
$ memolith forget t1 --dry-run
> would forget 1 record
$ memolith forget t1
> forgot 1 record
$ memolith forget t1
> forgot 0 records, 1 not there
! error[NOTFOUND]: no record has this id or key
? 3
$ memolith forget t1 t2 -o json
> {"forgotten":1,"absent":1,"dry_run":false}
$ memolith forget --where "tags = 'n3'"
! error[USAGE]: the filter matches 1 record; nothing was forgotten
!   fix: --yes to forget them   (memolith list --where ... shows them)
? 2
$ memolith forget --where "tags = 'n3'" --dry-run
> would forget 1 record
$ memolith forget --where "tags = 'n3'" --yes
> forgot 1 record
$ memolith forget --where "tags = 'n3'"
> would forget 0 records
$ memolith forget
! error[USAGE]: forget needs an ID, --where FILTER or --expired
!   fix: memolith forget --where "tags = 'draft' and updated < now-30d" --dry-run
? 2
$ memolith forget t4 --where "tags = 'n4'"
! error[USAGE]: forget takes ids or --where and --expired, not both
? 2
$ memolith list -o ndjson | wc -l
> 1

## filters know trust, tier and pin by their names
$ memolith add one --key good --trust trusted --tier hot --pin yes -o quiet; memolith add two --key bad --trust untrusted -o quiet; memolith add three --key other -o quiet
$ memolith list --where "trust = 'trusted' and tier = 'hot' and pinned = 'yes'" -o ndjson | grep -o '"key":"[^"]*"'
> "key":"good"
$ memolith forget --where "not trust = 'trustworthy'" --pinned --yes
! error[VALUE]: filter, byte 12: found "'trustworthy'", expected 'trusted', 'untrusted', 'unknown', or their numbers 1, -1, 0
? 1
$ memolith forget --where "not trust = 'trusted'" --pinned --yes
> forgot 2 records
$ memolith list -o ndjson | grep -o '"key":"[^"]*"'
> "key":"good"

## namespaces
$ memolith add tea --ns a --key k -o quiet
$ memolith add pot --ns b --key k -o quiet
$ memolith get k --ns a -o json | grep -o '"text":"[^"]*"'
> "text":"tea"
$ memolith list --ns b -o ndjson | wc -l
> 1
$ memolith list -o ndjson | wc -l
> 0
