What was searched, what was done with it, and how long it took.

## actions
$ memolith add 'the spare key is under the flower pot' --key spare -o quiet; memolith add 'the boiler was serviced' --key boiler -o quiet
$ memolith search spare key --actor anna --surface chat -o json | grep -o '"search_id":"[^"]*"' | cut -d'"' -f4 > id
$ memolith feedback $(cat id) --accept spare --cite boiler --actor anna --detail 'in a letter'
> <id>  accept
> <id>  cite
$ memolith feedback --open spare -o json
> {"action":"<id>","kind":"open"}
$ memolith feedback --list | cut -c 29- | sed 's/20..-..-../DATE/'
> DATE  open        <id>
> DATE  cite        <id>  in a letter
> DATE  accept      <id>  in a letter
$ memolith feedback $(cat id) --list -o json | $PYTHON -c 'import json, sys; print([(a["kind"], a["actor"], a["detail"], a["search_id"] == open("id").read().strip(), a["version"]) for a in json.load(sys.stdin)["actions"]])'
> [('cite', 'anna', 'in a letter', True, 1), ('accept', 'anna', 'in a letter', True, 1)]
$ memolith feedback --list --record boiler -o ndjson | wc -l
> 1
$ memolith feedback --list --until 2020-01-01
! no action

## delete and undo
$ memolith add 'tea' --key tea -o quiet; memolith add 'more tea' --key more -o quiet
$ memolith feedback --delete tea -o json | grep -o '"action":"[^"]*"' | cut -d'"' -f4 > action
$ memolith get tea
! error[NOTFOUND]: record "tea" has expired
!   fix: memolith feedback --list --record ID shows what has hidden it: take that back with feedback --undo ACTION; else edit its expires
? 3
$ memolith feedback --undo $(cat action)
> undone
$ memolith get tea -o json | grep -o '"expires":[^,]*,"version":[0-9]*'
> "expires":null,"version":3
$ memolith feedback --undo $(cat action) | sed s/x/x/
! error[VALUE]: action <id> is undone already
$ memolith feedback --merge more=tea -o quiet
$ memolith list -o ndjson | grep -o '"key":"[^"]*"'
> "key":"more"
$ memolith edit more --text 'much more tea' -o quiet
$ memolith feedback --edit more -o json | grep -o '"action":"[^"]*"' | cut -d'"' -f4 > action
$ memolith feedback --undo $(cat action) -o json
> {"undone":"<id>"}
$ memolith get more -o json | grep -o '"text":"[^"]*"'
> "text":"more tea"

## what is refused
$ memolith add 'tea' --key tea -o quiet
$ memolith feedback
! error[USAGE]: feedback needs actions, or --undo ACTION, or --list or --searches
!   fix: memolith feedback <id> --accept spare-key
? 2
$ memolith feedback --list --accept tea
! error[USAGE]: feedback needs actions, or --undo ACTION, or --list or --searches
!   fix: memolith feedback <id> --accept spare-key
? 2
$ memolith feedback nothing --accept tea
! error[NOTFOUND]: no search "nothing" is kept
!   fix: searches are kept by handles that may write; leave it out to record the action alone
? 3
$ memolith feedback --accept nothing
! error[NOTFOUND]: no record "nothing"
? 3
$ memolith feedback --merge tea=tea
! error[VALUE]: merge: "tea" and "tea" are the same record
? 1
$ memolith feedback --undo nothing
! error[NOTFOUND]: no action "nothing": actions on a record that was forgotten are gone with it, and so is its text
? 3
$ memolith feedback --merge tea
! error[USAGE]: --merge is "tea"; allowed is NAME=VALUE
? 2

## merges do not go round, and nothing is hidden twice
$ memolith add 'tea' --key A -o quiet; memolith add 'teas' --key B -o quiet
$ memolith feedback --merge A=B -o json | grep -o '"action":"[^"]*"' | cut -d'"' -f4 > action
$ memolith feedback --merge B=A
! error[VALUE]: merge: record <id> is hidden already, by action <id>
!   fix: take that back first: memolith feedback --undo <id>
? 1
$ memolith feedback --delete B
! error[VALUE]: delete: record <id> is hidden already, by action <id>
!   fix: take that back first: memolith feedback --undo <id>
? 1
$ memolith list -o ndjson | grep -o '"key":"[^"]*"'
> "key":"A"
$ memolith feedback --list --record B | wc -l
> 1
$ memolith feedback --undo $(cat action) -o quiet; memolith list -o ndjson | grep -o '"key":"[^"]*"'
> "key":"B"
> "key":"A"

## who forgets what a merge has kept gets back what it has hidden
$ memolith add 'tea' --key A -o quiet; memolith add 'teas' --key B -o quiet
$ memolith feedback --merge A=B -o quiet; memolith forget A -o quiet
$ memolith get B -o json | grep -o '"text":"[^"]*"'
> "text":"teas"
$ memolith forget --expired
> forgot 0 records
$ memolith list -o ndjson | grep -o '"key":"[^"]*"'
> "key":"B"

## a search that is not kept
$ memolith add 'tea' --key tea -o quiet
$ memolith search tea --no-log -o json | grep -o '"search_id":null'
> "search_id":null
$ memolith search tea --mode lexical -o quiet
$ echo '{"_id":"1","text":"tea"}' | memolith search --mode lexical --queries - | grep -o '"search_id":"[^"]*"'
> "search_id":"<id>"

## latency
$ memolith add 'tea' --key tea -o quiet
$ memolith search tea --latency-log log -o quiet; memolith search tea --latency-log log --slow-ms 0 -o quiet; memolith search tea --latency-log log --slow-ms 60000 -o quiet
$ wc -l < log
> 2
$ $PYTHON -c 'import json; [print(sorted(json.loads(line))) for line in list(open("log"))[:1]]'
> ['cache', 'dense_ms', 'dim', 'embed_ms', 'exact_ms', 'facts_ms', 'fetch_ms', 'filter_ms', 'fuse_ms', 'hits', 'k', 'level', 'lexical_ms', 'memory', 'mode', 'model', 'ns', 'partial', 'search_id', 'searched', 'store', 'threads', 'time', 'total_ms']
$ grep -c tea log
> 0
? 1
$ MEMOLITH_SLOW_MS=0 memolith search tea -o quiet 2>&1 | cut -c 1-8
> {"time":
$ memolith search tea -o quiet --latency-log no/such/folder
! error[IO]: no/such/folder: cannot open: No such file or directory
? 1

## searches that are kept
$ memolith add 'the spare key is under the flower pot' --key spare -o quiet; memolith add 'the boiler was serviced' --key boiler -o quiet
$ memolith feedback --searches
! no search is kept
$ memolith search spare key --actor anna --surface chat --where "key exists" -o json | grep -o '"search_id":"[^"]*"' | cut -d'"' -f4 > id
$ memolith search boiler -k 1 -o quiet
$ memolith feedback $(cat id) --accept spare -o quiet
$ memolith feedback --searches | cut -c 29- | sed 's/20..-..-../DATE/'
> DATE  1 shown  boiler
> DATE  2 shown, 1 action  spare key
$ memolith feedback --searches $(cat id) | sed 's/20..-..-../DATE/; s/0[.][0-9]*/SCORE/'
> <id>  DATE  2 shown, 1 action  spare key
>   1   SCORE  <id>
>   2   SCORE  <id>
>   <id>  DATE  accept      <id>
$ memolith feedback --searches -o json | $PYTHON -c 'import json, sys; d = json.load(sys.stdin); print(d["next"]); [print(s["query"], s["where"], s["mode"], s["query_class"], s["actor"], s["surface"], [(h["position"], h["chunk"], sorted(h["lanes"])) for h in s["shown"]], [a["kind"] for a in s["actions"]]) for s in d["searches"]]'
> None
> boiler  hybrid natural   [(1, 0, ['dense', 'exact', 'lexical'])] []
> spare key key exists hybrid natural anna chat [(1, 0, ['dense', 'exact', 'lexical']), (2, 0, ['dense'])] ['accept']
$ memolith feedback --searches --record spare -o ndjson | wc -l
> 1
$ memolith feedback --searches -k 1 -o json | grep -o '"next":"[0-9]*"'
> "next":"2"
$ memolith feedback --searches -k 1 --after 2 -o json | grep -o '"query":"[^"]*"'
> "query":"spare key"
$ memolith feedback --searches 01JCAW5M8Q3V9Z7T2K4N6P8R0S
! error[NOTFOUND]: no search "<id>" is kept
!   fix: searches are kept by handles that may write; leave it out to record the action alone
? 3
$ memolith feedback --searches --record nothing
! error[NOTFOUND]: no record "nothing"
? 3
