Bad input on the command line and the right behaviour, by number: a defined error class, a status
that is not 0, nothing written.

## limits 1: no arguments
$ memolith
! memolith add 'the spare key is under the third flower pot'
! memolith search 'I am locked out, who has a key'
!
! Memolith keeps texts in one file and finds them again by meaning.
!
! usage: memolith VERB [words] [options]
!
!   add             remember a text
!   search          find what is near a question: by meaning, by words, by identifiers
!   context         pack what is relevant to a question for a prompt of limited size
!   calibrate       find out how likely a match is at a score of this model
!   import          remember files, folders, NDJSON, JSON, CSV, mail, MCP memories and other stores
!   get             show one record, by its id or key
!   list            show records, newest first
!   edit            change a record; the version before it is kept
!   history         show the versions of a record, newest first
!   restore         bring an earlier version back, as a new one
!   changes         show what was added, changed and forgotten since a cursor
!   forget          delete records: text, vectors and all versions
!   entity add      make somebody or something known by name
!   entity alias    give an entity other names, or take them away
!   entity merge    two are one: names and facts of FROM become INTO's
!   entity get      show one entity, by its id, name or alias
!   entity list     show entities, oldest first
!   entity forget   delete an entity and every fact about it
!   fact add        record what is so, since when, and who says so
!   fact retract    take a fact back
!   fact replace    take a fact back and record another one in its place
!   fact query      show facts: those that hold now, or at another time
!   fact history    show everything recorded for the subject and relation of a fact
!   feedback        say what was done with results of a search; list it, take it back
!   embed           turn texts into vectors
!   tokenize        show the tokens that the model sees
!   model compile   turn a published model folder into one file that runs
!   model compress  turn a compiled model into a smaller one
!   model show      show a compiled model: recipe with origins, weights, report, tensors, fingerprint
!   model list      list the models of the cache folder, and what the store holds of which
!   model set       give a namespace another model, while it is in use
!   model rollback  go back to the model that a namespace had before
!   model inspect   list the tensors of any model file, or name what is wrong with it
!   model verify    prove a compiled model whole, and measure what its class costs
!   model bench     measure a compiled model on this machine: speed, latency, load time, memory
!   export          write records, entities and facts as NDJSON, which import takes back
!   backup          copy the store to another file, whole and checked, while others write
!   audit           find what a store would be better without: secrets, duplicates, echoes, stale records
!   bench           measure searches of your own store: how long they take, how well they find
!   cache list      show what lies in the cache folder, and the index beside the store
!   cache clear     remove what can be made again
!   doctor          check settings, machine, model and store; repair a damaged store
!   help            explain a verb; --json writes the whole grammar
!   version         show the version
!
! memolith help VERB explains one. -- ends the options. -o json is for programs.
!
! exit codes:
!   0  OK        ok
!   2  USAGE     wrong use of a command or call
!   3  NOTFOUND  no such thing
!   4  MISMATCH  model or dimension does not match
!   5  BUSY      another writer holds the store
!   6  VERIFY    verification failed
!   7  CORRUPT   stored data is damaged
!   8  OFFLINE   needs the network
!   1  all other errors, each with its name in error[NAME]
! error[USAGE]: no verb is given
? 2

## limits 2: unknown verb or option
$ memolith serach tea
! error[USAGE]: there is no verb "serach"
!   fix: memolith search?   (memolith help lists the verbs)
? 2
$ memolith delete x
! error[USAGE]: there is no verb "delete"
!   fix: memolith forget?   (memolith help lists the verbs)
? 2
$ memolith xyzzy
! error[USAGE]: there is no verb "xyzzy"
!   fix: memolith help
? 2
$ memolith model comple x
! error[USAGE]: there is no verb "model comple"
!   fix: memolith model compile?   (memolith help lists the verbs)
? 2
$ memolith model
! error[USAGE]: model needs a verb of its own
!   fix: memolith help model
? 2
$ memolith search tea --explian
! error[USAGE]: search has no option --explian
!   fix: --explain?   (memolith help search lists them)
? 2
$ memolith search tea --frobnicate
! error[USAGE]: search has no option --frobnicate
!   fix: memolith help search; a text that begins with - is written after --
? 2
$ memolith search tea -z
! error[USAGE]: search has no option -z
!   fix: memolith help search; a text that begins with - is written after --
? 2
$ memolith search -5 degrees
! error[USAGE]: search has no option -5
!   fix: memolith help search; a text that begins with - is written after --
? 2
$ memolith --threads 1 search tea
! error[USAGE]: "--threads" stands where the verb does
!   fix: memolith VERB --threads ...   (memolith help lists the verbs)
? 2
$ memolith version extra
! error[USAGE]: version takes no word, and "extra" is one
!   fix: memolith version   (memolith help version)
? 2
$ memolith serach tea -o json
! {"error":{"name":"USAGE","exit":2,"message":"there is no verb \"serach\"","fix":"memolith search?   (memolith help lists the verbs)"}}
? 2
$ memolith list --limti 3
! error[USAGE]: list has no option --limti
!   fix: --limit?   (memolith help list lists them)
? 2
$ memolith model verify x --frce
! error[USAGE]: model verify has no option --frce
!   fix: memolith help model verify; a text that begins with - is written after --
? 2
$ memolith get --key x
! error[USAGE]: get has no option --key
!   fix: memolith help get; a text that begins with - is written after --
? 2
$ memolith ''
! error[USAGE]: there is no verb ""
!   fix: memolith help
? 2
$ memolith model show a b
! error[USAGE]: model show takes [FILE], and "b" is one too many
!   fix: memolith help model show
? 2

## limits 3: option without value, or given twice with different values
$ memolith search tea -k
! error[USAGE]: -k needs a value: N
? 2
$ memolith search tea --where
! error[USAGE]: --where needs a value: FILTER
? 2
$ memolith search tea --where --explain
! error[USAGE]: --where needs a value: FILTER
!   fix: --where=--explain if that is the value
? 2
$ memolith search tea --explain=yes
! error[USAGE]: --explain takes no value
? 2
$ memolith search tea -k 3 -k 4
! error[USAGE]: --limit is given twice, as "3" and as "4"
? 2
$ memolith search tea -k 3 --limit=4
! error[USAGE]: --limit is given twice, as "3" and as "4"
? 2
$ memolith add tea --title a --title b
! error[USAGE]: --title is given twice, as "a" and as "b"
? 2
# the same value twice is no contradiction
$ memolith search tea -k 3 -k3
! error[NOTFOUND]: there is no store at <folder>/home/.local/share/memolith/default.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
# a value that looks like an option of the verb is one only after =
$ memolith add tea --title=--key --key k -o quiet && memolith get k -o json | grep -o '"title":"[^"]*"'
> "title":"--key"
$ memolith add tea --title --key
! error[USAGE]: --title needs a value: TITLE
!   fix: --title=--key if that is the value
? 2
$ memolith add tea --file
! error[USAGE]: --file needs a value: FILE
? 2
$ memolith list -o json -o text
! {"error":{"name":"USAGE","exit":2,"message":"--format is given twice, as \"json\" and as \"text\"","fix":null}}
? 2
# tags and pairs may be given many times
$ memolith add tea --tag a --tag b --tag a --key t -o quiet && memolith get t -o json | grep -o '"tags":[^]]*]'
> "tags":["a","b","a"]

## limits 4: counts that are not plain numbers
$ memolith list -k -1
! error[USAGE]: --limit is "-1"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k 1e3
! error[USAGE]: --limit is "1e3"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k 0x10
! error[USAGE]: --limit is "0x10"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k ' 5'
! error[USAGE]: --limit is " 5"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k '5 '
! error[USAGE]: --limit is "5 "; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k 99999999999999999999
! error[USAGE]: --limit is "99999999999999999999"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k 18446744073709551617
! error[USAGE]: --limit is "18446744073709551617"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k ''
! error[USAGE]: --limit is empty
? 2
$ memolith list -k 0
! error[USAGE]: --limit is "0"; allowed is a whole number from 1 to 1,000,000,000
!   fix: the nearest that is allowed is 1
? 2
$ memolith search tea -k 1001
! error[USAGE]: --limit is "1001"; allowed is a whole number from 1 to 1,000
!   fix: the nearest that is allowed is 1000
? 2
$ memolith embed tea --mem-limit 12Q
! error[USAGE]: --mem-limit is "12Q"; allowed is a whole number of bytes, or one with K, M, G or T, from 1,048,576 to 70,368,744,177,664
? 2
$ memolith embed tea --mem-limit 99999999T
! error[USAGE]: --mem-limit is "99999999T"; allowed is a whole number of bytes, or one with K, M, G or T, from 1,048,576 to 70,368,744,177,664
? 2
$ memolith add tea --created 2025-02-30
! error[USAGE]: --created is "2025-02-30"; allowed is YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now or now-7d
? 2
$ memolith add tea --created yesterday
! error[USAGE]: --created is "yesterday"; allowed is YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now or now-7d
? 2
$ memolith add tea --chunk md:0
! error[USAGE]: --chunk is "md:0"; allowed is none, md, code, plain or auto, all but none with :TOKENS or :TOKENS/OVERLAP, e.g. md:400/60
? 2
$ memolith add tea --chunk md:10/10
! error[USAGE]: --chunk is "md:10/10"; allowed is none, md, code, plain or auto, all but none with :TOKENS or :TOKENS/OVERLAP, e.g. md:400/60
? 2
$ memolith add tea --meta color
! error[USAGE]: --meta is "color"; allowed is NAME=VALUE
? 2
$ memolith list -k 1000000001
! error[USAGE]: --limit is "1000000001"; allowed is a whole number from 1 to 1,000,000,000
!   fix: the nearest that is allowed is 1000000000
? 2
$ memolith list -k +5
! error[USAGE]: --limit is "+5"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k 5.0
! error[USAGE]: --limit is "5.0"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k ٣
! error[USAGE]: --limit is "٣"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith list -k 1,000
! error[USAGE]: --limit is "1,000"; allowed is a whole number from 1 to 1,000,000,000
? 2
$ memolith embed tea --mem-limit -1
! error[USAGE]: --mem-limit is "-1"; allowed is a whole number of bytes, or one with K, M, G or T, from 1,048,576 to 70,368,744,177,664
? 2
$ memolith embed tea --mem-limit 0
! error[USAGE]: --mem-limit is "0"; allowed is a whole number of bytes, or one with K, M, G or T, from 1,048,576 to 70,368,744,177,664
!   fix: the nearest that is allowed is 1048576
? 2
$ memolith add tea --chunk md:99999999999999999999
! error[USAGE]: --chunk is "md:99999999999999999999"; allowed is none, md, code, plain or auto, all but none with :TOKENS or :TOKENS/OVERLAP, e.g. md:400/60
? 2
$ memolith search tea --mode DENSE
! error[USAGE]: --mode is "DENSE"; allowed is hybrid|dense|lexical
? 2
$ memolith list -o yaml
! error[USAGE]: --format is "yaml"; allowed is text|json|ndjson|quiet
? 2
$ memolith add tea -o quiet; memolith list --after garbage
! error[VALUE]: "garbage" is not a cursor of an earlier list
? 1
$ MEMOLITH_CPU=pentium memolith embed tea
! error[USAGE]: MEMOLITH_CPU is "pentium"; allowed is auto|ref|avx2|avx512|avx512vnni|avx512bf16|amx|neon|neon_dot|neon_i8mm
? 2
$ memolith edit x --expires 2025-13-01
! error[USAGE]: --expires is "2025-13-01"; allowed is YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, now, now-7d or never
? 2
# what is refused does not push what is allowed out of the message
$ memolith list -k $(head -c 100000 /dev/zero | tr '\0' 9)
! error[USAGE]: --limit is "99999999999999999999999999999999999999999999999999999999999999999999999999999999..."; allowed is a whole number from 1 to 1,000,000,000
? 2

## limits 5: threads out of range
$ memolith embed tea --threads 0
! error[USAGE]: --threads is "0"; allowed is a whole number from 1 to 256
!   fix: the nearest that is allowed is 1
? 2
$ memolith embed tea --threads 100000
! error[USAGE]: --threads is "100000"; allowed is a whole number from 1 to 256
!   fix: the nearest that is allowed is 256
? 2
$ MEMOLITH_THREADS=0 memolith embed tea
! error[USAGE]: MEMOLITH_THREADS is "0"; allowed is a whole number from 1 to 256
!   fix: the nearest that is allowed is 1
? 2
$ memolith embed tea --threads 257
! error[USAGE]: --threads is "257"; allowed is a whole number from 1 to 256
!   fix: the nearest that is allowed is 256
? 2
$ memolith embed tea --threads 256 | wc -l
> 1

## limits 6: empty strings
$ memolith get ''
! error[USAGE]: ID is empty
? 2
$ memolith list -f ''
! error[USAGE]: --db is empty
? 2
$ memolith list --ns ''
! error[USAGE]: --ns is empty
? 2
$ memolith add tea --key ''
! error[USAGE]: --key is empty
? 2
$ memolith add tea --file ''
! error[USAGE]: --file is empty
? 2
$ memolith import ''
! error[USAGE]: PATH is empty
? 2
$ memolith model inspect ''
! error[USAGE]: FILE is empty
? 2
$ memolith model compile "$TINY" -o ''
! error[USAGE]: --out is empty
? 2
$ memolith embed tea --model ''
! error[USAGE]: --model is empty
? 2
$ memolith edit '' --title t
! error[USAGE]: ID is empty
? 2
$ memolith forget ''
! error[USAGE]: ID is empty
? 2
$ memolith forget a ''
! error[USAGE]: ID is empty
? 2
$ memolith backup ''
! error[USAGE]: OUT is empty
? 2
$ memolith model verify ''
! error[USAGE]: FILE is empty
? 2
$ memolith model compile ''
! error[USAGE]: FOLDER is empty
? 2
$ memolith search tea --queries ''
! error[USAGE]: --queries is empty
? 2
$ memolith add tea --ns ''
! error[USAGE]: --ns is empty
? 2
$ memolith add tea -o quiet
$ memolith list --where ''
! error[VALUE]: filter, byte 0: found the end, expected a field: id key title text source tags created updated expires version trust tier pinned echo parent meta.NAME
? 1
$ memolith add ''
! error[VALUE]: text is empty: it needs at least one character that is not white space
? 1
$ memolith search ''
! error[VALUE]: the query is empty
? 1

## limits 7: a path that is not a regular file
$ mkdir folder; mkfifo fifo
$ memolith add --file folder
! error[IO]: folder: not a regular file but a folder
? 1
$ memolith add --file fifo
! error[IO]: fifo: not a regular file but a FIFO
? 1
$ memolith add --file /dev/zero
! error[IO]: /dev/zero: not a regular file but a device
? 1
$ memolith embed --ndjson fifo
! error[IO]: fifo: not a regular file but a FIFO
? 1
$ memolith embed tea --model folder
! error[IO]: folder: not a regular file but a folder
? 1
$ memolith embed tea --model fifo
! error[IO]: fifo: not a regular file but a FIFO
? 1
$ memolith model inspect /dev/null
! error[IO]: /dev/null: not a regular file but a device
? 1
$ memolith list -f folder
! error[IO]: folder: a store is a regular file, this is a folder
? 1
$ memolith list -f fifo
! error[IO]: fifo: a store is a regular file, this is a pipe
? 1
$ memolith import fifo -f s.memo
! error[IO]: fifo: not a regular file or a folder
? 1
$ memolith add tea -f /dev/null
! error[IO]: /dev/null: a store is a regular file, this is a device
? 1
$ memolith model show fifo
! error[IO]: fifo: not a regular file but a FIFO
? 1
$ memolith model verify /dev/zero
! error[IO]: /dev/zero: not a regular file but a device
? 1
$ memolith tokenize --ndjson folder
! error[IO]: folder: not a regular file but a folder
? 1
$ $PYTHON -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
$ memolith add --file socket
! error[IO]: socket: not a regular file but a socket
? 1
$ memolith list -f socket
! error[IO]: socket: a store is a regular file, this is a socket
? 1
$ memolith embed tea --model socket
! error[IO]: socket: not a regular file but a socket
? 1
$ memolith add tea -o quiet; memolith search --queries fifo
! error[IO]: fifo: not a regular file but a FIFO
? 1
$ memolith backup fifo
! error[IO]: fifo: not a regular file but a FIFO
? 1
$ memolith backup folder --force
! error[IO]: folder: not a regular file but a folder
? 1
$ $PYTHON -c 'import os, subprocess, sys; s = os.openpty()[1]; os.symlink(os.ttyname(s), "device"); sys.exit(subprocess.run(["memolith", "backup", "device", "--force"]).returncode)'
! error[IO]: device: not a regular file but a device
? 1
$ memolith model compile "$TINY/config.json" -o out
! error[IO]: <tests>/tiny-model/config.json/config.json: cannot open: Not a directory
!   fix: a model folder holds config.json, tokenizer.json or vocab.txt, and model.safetensors
? 1
$ cp -r "$TINY" source; chmod -R u+w source; rm source/config.json; mkfifo source/config.json; memolith model compile source -o out
! error[IO]: source/config.json: not a regular file but a FIFO
!   fix: a model folder holds config.json, tokenizer.json or vocab.txt, and model.safetensors
? 1
$ rm -r source; cp -r "$TINY" source; chmod -R u+w source; rm source/model.safetensors; mkfifo source/model.safetensors; memolith model compile source -o out
! error[IO]: source/model.safetensors: not a regular file but a FIFO
? 1
$ mkdir walked; mkfifo walked/a.txt; echo tea > walked/b.txt; memolith import walked -f s.memo
> 1 new, 1 skipped (1 file, 1 chunk, 4 tokens) in <time> s
> skipped walked/a.txt (it is neither a file nor a folder)
$ mkdir -p home/.config/memolith; mkfifo home/.config/memolith/config; memolith list
! error[IO]: <folder>/home/.config/memolith/config: not a regular file but a FIFO
? 1
$ rm home/.config/memolith/config; mkdir home/.config/memolith/config; memolith list
! error[IO]: <folder>/home/.config/memolith/config: not a regular file but a folder
? 1
$ rmdir home/.config/memolith/config
$ memolith model compile "$TINY" -o folder --force
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! error[IO]: folder: not a regular file but a folder
? 1

## limits 8: a file that is missing or may not be read
$ memolith add --file nowhere.txt
! error[IO]: nowhere.txt: cannot open: No such file or directory
? 1
$ memolith model inspect nowhere.safetensors
! error[NOTFOUND]: nowhere.safetensors: there is no such model
!   fix: ./dev model CLASS or memolith model compile makes one
? 3
$ memolith embed tea --model nowhere.safetensors
! error[NOTFOUND]: nowhere.safetensors: there is no such model
!   fix: ./dev model CLASS or memolith model compile makes one
? 3
$ memolith embed --ndjson nowhere.ndjson
! error[NOTFOUND]: nowhere.ndjson: there is no such file
? 3
$ memolith import nowhere.ndjson -f s.memo
! error[IO]: nowhere.ndjson: cannot open: No such file or directory
? 1
$ memolith model compile nowhere -o out.safetensors
! error[NOTFOUND]: nowhere: there is no such folder
!   fix: the published folder with config.json and model.safetensors; ./dev model CLASS fetches and compiles the default one
? 3
$ memolith add tea -f nowhere/s.memo
! error[IO]: nowhere/s.memo: cannot find the folder of the store: No such file or directory
? 1
$ ls
> home
> model.safetensors

## limits 8: permissions
$ echo tea > closed.txt; chmod 000 closed.txt; cp model.safetensors closed.model; chmod 000 closed.model
$ $PYTHON $HELPERS/unprivileged.py memolith add --file closed.txt
! error[IO]: closed.txt: cannot open: Permission denied
? 1
$ $PYTHON $HELPERS/unprivileged.py memolith embed tea --model closed.model
! error[IO]: closed.model: cannot open: Permission denied
? 1
$ $PYTHON $HELPERS/unprivileged.py memolith import closed.txt
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
! error[IO]: closed.txt: cannot open: Permission denied
!   fix: mend it, or --skip-bad to name and leave out what is bad
? 1
$ memolith add tea -f s.memo -o quiet; chmod 000 s.memo; $PYTHON $HELPERS/unprivileged.py memolith list -f s.memo
! error[IO]: <folder>/s.memo: cannot open it: Permission denied
? 1
$ chmod 444 s.memo; $PYTHON $HELPERS/unprivileged.py memolith add more -f s.memo
! error[IO]: <folder>/s.memo: cannot open it for writing: it can only be read
? 1
$ mkdir sealed; chmod 555 sealed; $PYTHON $HELPERS/unprivileged.py memolith add tea -f sealed/s.memo
! error[IO]: <folder>/sealed/s.memo-lock: cannot open the writer lock: Permission denied
? 1
$ $PYTHON $HELPERS/unprivileged.py memolith model compile "$TINY" -o sealed/out
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! error[IO]: sealed/out: cannot create a temporary file beside it: Permission denied
? 1
$ chmod 644 s.memo; $PYTHON $HELPERS/unprivileged.py memolith backup sealed/copy.memo -f s.memo
! error[IO]: sealed/copy.memo: cannot create a temporary file beside it: Permission denied
? 1
$ mkdir -p home/.config/memolith; echo threads=1 > home/.config/memolith/config; chmod 000 home/.config/memolith/config; $PYTHON $HELPERS/unprivileged.py memolith list -f s.memo
! error[IO]: <folder>/home/.config/memolith/config: cannot open: Permission denied
? 1
$ ls sealed
$ rm home/.config/memolith/config; mkdir hidden; memolith add tea -f hidden/s.memo -o quiet; chmod 000 hidden; $PYTHON $HELPERS/unprivileged.py memolith list -f hidden/s.memo
! error[IO]: hidden/s.memo: cannot look at the store: Permission denied
? 1
$ $PYTHON $HELPERS/unprivileged.py memolith model compile "$TINY" -o hidden/out
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! error[IO]: hidden/out: cannot stat: Permission denied
? 1

## limits 8: no HOME
$ env -u HOME memolith list
! error[USAGE]: HOME is not set, so there is no default for --db
!   fix: --db FILE or MEMOLITH_DB=FILE
? 2
$ env -u HOME memolith add tea -f s.memo -o quiet
$ env -u HOME memolith list -f s.memo -o ndjson | wc -l
> 1
$ env -u HOME -u MEMOLITH_MODEL memolith embed tea
! error[USAGE]: HOME is not set, so there is no default for --model
!   fix: --model FILE|NAME or MEMOLITH_MODEL=FILE|NAME
? 2

## limits 9: invalid UTF-8
$ printf 'tea is in the pot' > "$(printf 'a\377b.txt')"
$ memolith add --file "$(printf 'a\377b.txt')" -f "$(printf 's\377.memo')"
> <id>
$ memolith list -f "$(printf 's\377.memo')" -o ndjson -k 1 | grep -c 'tea is in the pot'
> 1
$ mkdir notes; printf 'more tea' > "$(printf 'notes/\377.txt')"; memolith import notes -f s.memo 2>&1 | sed 's/byte [0-9]*/byte N/'
> 0 new, 1 failed (0 files, 0 chunks, 0 tokens) in <time> s
> error[VALUE]: notes/?.txt: key is not UTF-8 at byte N
>   fix: mend it, or --skip-bad to name and leave out what is bad
$ memolith add "$(printf 'tea \377')" -f s.memo
! error[VALUE]: TEXT is not valid UTF-8 at byte 4
? 1
$ memolith get "$(printf 'tea \377')" -f s.memo
! error[VALUE]: ID is not valid UTF-8 at byte 4
? 1
$ memolith add tea --key "$(printf '\300\200')" -f s.memo
! error[VALUE]: --key is not valid UTF-8 at byte 0
? 1
$ memolith tokenize "$(printf 'ab\355\240\200')"
! error[VALUE]: TEXT is not valid UTF-8 at byte 2
? 1
$ memolith model inspect "$(printf 'no\377where')" -o json
! {"error":{"name":"NOTFOUND","exit":3,"message":"no?where: there is no such model","fix":"./dev model CLASS or memolith model compile makes one"}}
? 3
$ printf 'tea \377' | memolith add - -f s.memo
! error[VALUE]: text is not UTF-8 at byte 4
? 1
$ memolith add tea --title "$(printf 'a\377')" -f s.memo
! error[VALUE]: --title is not valid UTF-8 at byte 1
? 1
$ memolith add tea --tag "$(printf '\377')" -f s.memo
! error[VALUE]: --tag is not valid UTF-8 at byte 0
? 1
$ memolith add tea --meta "a=$(printf '\377')" -f s.memo
! error[VALUE]: --meta is not valid UTF-8 at byte 2
? 1
$ memolith add tea --source "$(printf '\377')" -f s.memo
! error[VALUE]: --source is not valid UTF-8 at byte 0
? 1
$ memolith add tea --ns "$(printf '\377')" -f s.memo
! error[VALUE]: --ns is not valid UTF-8 at byte 0
? 1
$ memolith search "$(printf 'tea\300')" -f s.memo
! error[VALUE]: QUERY is not valid UTF-8 at byte 3
? 1
$ memolith list --where "title = '$(printf '\377')'" -f s.memo
! error[VALUE]: --where is not valid UTF-8 at byte 9
? 1
$ memolith forget "$(printf '\377')" -f s.memo
! error[VALUE]: ID is not valid UTF-8 at byte 0
? 1
$ memolith "$(printf 'l\377st')"
! error[USAGE]: there is no verb "l?st"
!   fix: memolith list?   (memolith help lists the verbs)
? 2
$ memolith list "--$(printf 'l\377st')"
! error[USAGE]: list has no option --l?st
!   fix: memolith help list; a text that begins with - is written after --
? 2
$ printf '{"_id":"q","text":"tea \377"}\n' | memolith search --queries - -f s.memo
! error[FORMAT]: stdin: line 1: column 24: not UTF-8
? 1

## limits 10: large arguments
$ memolith tokenize $(seq 10000) -o ndjson | wc -l
> 10000
$ memolith add $(seq 10000) -f s.memo | wc -l
> 1
# an argument of 2 MiB does not pass execve(); through stdin it does
$ yes 'the key is behind the door' | head -c 2097152 | memolith add - -f s.memo | wc -l
> 1
$ yes 'the key is behind the door' | head -c 2097152 | memolith tokenize - -o json | wc -l
> 1
$ head -c 70000000 /dev/zero | memolith add - -f s.memo
! error[LIMIT]: stdin holds more than 67108864 bytes
? 1
# one argument holds at most 128 KiB on Linux
$ memolith add "$(head -c 131000 /dev/zero | tr '\0' x)" -f s.memo | wc -l
> 1
$ memolith add tea --key "$(head -c 131000 /dev/zero | tr '\0' x)" -f s.memo
! error[LIMIT]: key has 131000 bytes, at most 512 are allowed
? 1
$ memolith get "$(head -c 131000 /dev/zero | tr '\0' x)" -f s.memo
! error[LIMIT]: the id has 131000 bytes, at most 512 are allowed
? 1
$ memolith add tea --meta "a=$(head -c 131000 /dev/zero | tr '\0' x)" -f s.memo
! error[LIMIT]: metadata has 131008 bytes, at most 65536 are allowed
? 1
$ memolith list --where "title = '$(head -c 131000 /dev/zero | tr '\0' x)'" -f s.memo
! error[LIMIT]: filter, byte 0: more than 65536 bytes
? 1
$ memolith list -f "$(head -c 131000 /dev/zero | tr '\0' x)"
! error[IO]: ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: cannot look at the store: File name too long
? 1
$ memolith list -f "$(head -c 300 /dev/zero | tr '\0' x)"
! error[IO]: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: cannot look at the store: File name too long
? 1
$ memolith "$(head -c 131000 /dev/zero | tr '\0' x)"
! error[USAGE]: there is no verb "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
!   fix: memolith help
? 2
$ memolith list "--$(head -c 131000 /dev/zero | tr '\0' x)"
! error[USAGE]: list has no option --xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
!   fix: memolith help list; a text that begins with - is written after --
? 2
$ memolith add tea $(seq -f '--tag=%g' 9000) --key many -f s.memo -o quiet && memolith get many -f s.memo -o json | tr , '\n' | wc -l
> 9021
$ memolith add tea $(seq -f '--tag=number-%g' 10000) -f s.memo
! error[LIMIT]: the 10000 tags have 138895 bytes as JSON; at most 65536 are allowed
? 1
$ memolith add tea $(seq -f '--meta=n%g=1' 9000) -f s.memo
! error[LIMIT]: metadata has 88894 bytes, at most 65536 are allowed
? 1
$ memolith list $(yes -- -k1 | head -n 10000) -f s.memo -o ndjson | wc -l
> 1
$ memolith forget $(seq 10000) -f s.memo
> forgot 0 records, 10000 not there
! error[NOTFOUND]: no record has one of these ids or keys
? 3

## limits 11: the output is the input
$ cp -r "$TINY" source; chmod -R u+w source
$ memolith model compile source -o source/model.safetensors --force
! error[USAGE]: source/model.safetensors is a file of the source folder source
!   fix: -o with a name outside the folder
? 2
$ ln source/model.safetensors linked.safetensors; memolith model compile source -o linked.safetensors --force
! error[USAGE]: linked.safetensors is a file of the source folder source
!   fix: -o with a name outside the folder
? 2
$ ln -s source/vocab.txt soft; memolith model compile source -o soft --force
! error[USAGE]: soft is a file of the source folder source
!   fix: -o with a name outside the folder
? 2
$ ln source/1_Pooling/config.json pooling; memolith model compile source -o pooling --force
! error[USAGE]: pooling is a file of the source folder source
!   fix: -o with a name outside the folder
? 2
$ cmp source/model.safetensors "$TINY/model.safetensors"

## limits 12: the output exists
$ echo old > out.safetensors
$ memolith model compile "$TINY" -o out.safetensors
! error[USAGE]: out.safetensors exists
!   fix: --force to replace it
? 2
$ cat out.safetensors
> old
$ memolith model compile nowhere -o out.safetensors --force
! error[NOTFOUND]: nowhere: there is no such folder
!   fix: the published folder with config.json and model.safetensors; ./dev model CLASS fetches and compiles the default one
? 3
$ cat out.safetensors
> old
$ memolith model compile "$TINY" -o out.safetensors --force --format quiet
$ memolith model verify out.safetensors -o quiet
$ ls
> home
> model.safetensors
> out.safetensors

## limits 13: stdout closed or full
$ memolith version > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ memolith version >&-
! error[IO]: stdout: cannot write: Bad file descriptor
? 1
$ memolith help --json > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ memolith version -o json > /dev/full
! {"error":{"name":"IO","exit":1,"message":"stdout: cannot write: No space left on device","fix":null}}
? 1
$ memolith embed tea -o npy > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ memolith tokenize $(seq 3000) > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ memolith version > /dev/full 2>&-
? 1
# the record is stored all the same; the command says that its id was lost
$ memolith add tea > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ memolith list -o ndjson | wc -l
> 1
$ memolith list > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ memolith search tea -o json > /dev/full
! {"error":{"name":"IO","exit":1,"message":"stdout: cannot write: No space left on device","fix":null}}
? 1
$ memolith import "$TOP/LICENSE" > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
$ memolith help > /dev/full
! error[IO]: stdout: cannot write: No space left on device
? 1
# nothing is written, so nothing is lost
$ memolith list -o quiet > /dev/full
# closed descriptors are never taken by the store
$ memolith add more <&- >&- 2>&-
? 1
$ memolith serach 2>&-
? 2
$ memolith serach 2> /dev/full
? 2
$ memolith doctor -o json | $PYTHON -c 'import json, sys; print(json.load(sys.stdin)["worst"])'
> ok

## limits 13: a reader that goes away early
# no message: whoever closed the pipe knows; the status is that of SIGPIPE, as of other commands
$ (memolith tokenize $(seq 20000) -o ndjson; echo "exit $?" >&2) | head -c 8
> {"ids":[\
! exit 141
$ seq 2000 | sed 's/.*/{"text":"tea number &"}/' > many.ndjson; memolith import many.ndjson -o quiet
$ (memolith list -k 2000; echo "exit $?" >&2) | head -n 1 | wc -l
> 1
! exit 141
$ (memolith list -k 2000 -o json; echo "exit $?" >&2) | head -c 1
> {\
! exit 141
$ (memolith search tea -k 1000 --mode lexical -o ndjson; echo "exit $?" >&2) | head -n 1 | wc -l
> 1
! exit 141
# where the caller ignores SIGPIPE, it is an error like any other
$ (trap '' PIPE; memolith list -k 2000; echo "exit $?" >&2) | head -n 1 | wc -l
> 1
! error[IO]: standard output was closed
! exit 1
# what fails for another reason is said
$ (memolith list -k 0; echo "exit $?" >&2) | true
! error[USAGE]: --limit is "0"; allowed is a whole number from 1 to 1,000,000,000
!   fix: the nearest that is allowed is 1
! exit 2

## limits 14: stdin closed, or a terminal, when data are expected
$ memolith add - <&-
! error[USAGE]: the text would come from stdin, which is closed
? 2
$ memolith embed - <&-
! error[USAGE]: the text would come from stdin, which is closed
? 2
$ memolith embed --ndjson - <&-
! error[USAGE]: NDJSON would come from stdin, which is closed
? 2
$ memolith search --queries - -f s.memo <&-
! error[USAGE]: NDJSON would come from stdin, which is closed
? 2
$ $PYTHON $HELPERS/on_terminal.py stdin -- memolith add -
! error[USAGE]: the text would come from stdin, which is a terminal
!   fix: write < FILE behind the command, or a pipe before it
? 2
$ $PYTHON $HELPERS/on_terminal.py stdin -- memolith tokenize --ndjson -
! error[USAGE]: NDJSON would come from stdin, which is a terminal
!   fix: write < FILE behind the command, or a pipe before it
? 2
$ $PYTHON $HELPERS/on_terminal.py stdout -- memolith embed tea -o npy
! error[USAGE]: npy is binary and stdout is a terminal
!   fix: --out FILE.npy, or > FILE.npy behind the command
? 2
$ memolith edit x --text - <&-
! error[USAGE]: the text would come from stdin, which is closed
? 2
$ memolith add tea -f s.memo -o quiet; memolith search - -f s.memo <&-
! error[USAGE]: the text would come from stdin, which is closed
? 2
$ $PYTHON $HELPERS/on_terminal.py stdin -- memolith search - -f s.memo
! error[USAGE]: the text would come from stdin, which is a terminal
!   fix: write < FILE behind the command, or a pipe before it
? 2
$ memolith import -
! error[USAGE]: import reads files, not stdin
!   fix: write the lines to a file.ndjson, or memolith add - for one text
? 2
$ memolith add - < .
! error[IO]: stdin: cannot read: Is a directory
? 1
$ memolith embed - -
! error[USAGE]: - is given twice, and stdin holds one text
? 2

## limits 15: SIGINT or SIGTERM in the middle of an import
$ $PYTHON $HELPERS/stop_import.py SIGINT
> exit 1, CANCELLED: what was counted is kept; the same command goes on from there
> the count is the truth
> some were stored, not all
$ $PYTHON $HELPERS/stop_import.py SIGTERM
> exit 1, CANCELLED: what was counted is kept; the same command goes on from there
> the count is the truth
> some were stored, not all

## limits 16: a text that begins with -
$ memolith tokenize -- -5 | cut -c 1-14
>        2  [CLS
>       17  -  0
>       25  5  1
>        3  [SEP
$ memolith add -f s.memo -o quiet -- --the key
$ memolith list -f s.memo -o ndjson | grep -o '"text":"[^"]*"'
> "text":"--the key"
$ memolith add -f s.memo -5
! error[USAGE]: add has no option -5
!   fix: memolith help add; a text that begins with - is written after --
? 2
# after -- nothing is an option, not even for the form of an error message
$ memolith add -f s.memo --key k -o quiet -- tea --key j -o json -- x
$ memolith get k -f s.memo | tail -n 1
> tea --key j -o json -- x
$ memolith frob -- -o json
! error[USAGE]: there is no verb "frob"
!   fix: memolith help
? 2
$ memolith get -f s.memo -- -k
! error[NOTFOUND]: no record "-k" in namespace "default"
? 3
$ memolith search -f s.memo -k 1 --mode lexical -o quiet -- --the
# options may stand behind the words
$ memolith get k -f s.memo -o quiet
# -- is the value of no option
$ memolith add tea --title --
! error[USAGE]: --title needs a value: TITLE
!   fix: --title=-- if that is the value
? 2

## limits 17: no space while compiling
$ echo old > out.safetensors
$ (ulimit -f 16; memolith model compile "$TINY" -o out.safetensors --force)
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! error[IO]: out.safetensors: cannot write: File too large
? 1
$ (ulimit -f 16; memolith model compile "$TINY" -o new.safetensors)
! compiling <tests>/tiny-model needs about 662.3 kB of disk and 50.3 MB of memory
! error[IO]: new.safetensors: cannot write: File too large
? 1
$ cat out.safetensors
> old
$ ls -A
> home
> model.safetensors
> out.safetensors

## limits 18: a terminal or none, with colour or without
$ memolith add tea --key k --created 2025-01-02 -o quiet
$ $PYTHON $HELPERS/on_terminal.py stdout -- memolith search tea --mode lexical | grep -c '\^\['
> 2
! 1 of 1 chunks, <time> ms
$ NO_COLOR=1 $PYTHON $HELPERS/on_terminal.py stdout -- memolith search tea --mode lexical | grep -c '\^\['
> 0
! 1 of 1 chunks, <time> ms
? 1
$ $PYTHON $HELPERS/on_terminal.py stdout -- env TERM=dumb memolith search tea --mode lexical | grep -c '\^\['
> 0
! 1 of 1 chunks, <time> ms
? 1
$ memolith search tea --mode lexical | grep -c "$(printf '\033')"
> 0
? 1

## limits 18: a locale with decimal commas
$ memolith embed 'tea' > plain
$ for l in de_DE.UTF-8 fr_FR.UTF-8 tr_TR.UTF-8; do LC_ALL=$l LANG=$l memolith embed 'tea' | cmp - plain; done

## the memory of the process is bounded
$ $PYTHON $HELPERS/process_limits.py 554696704 embed --ndjson - --mem-limit 1M --threads 1
> as it must be
$ $PYTHON $HELPERS/process_limits.py 2717908992 embed --ndjson - --mem-limit 1G --threads 4
> as it must be
# a lower bound of the caller's stays
$ ulimit -S -d 300000; $PYTHON $HELPERS/process_limits.py 307200000 embed --ndjson - --mem-limit 1G --threads 1
> as it must be

## a change that needs more memory than allowed is refused and changes nothing
$ $PYTHON -c 'for i in range(250): print("{\"_id\":\"n%d\",\"text\":\"%s\"}" % (i, "the cat sat behind the door %d " % i * 1500))' > long.ndjson
$ memolith import long.ndjson --chunk none -o quiet
$ MEMOLITH_MEM_LIMIT=1M memolith forget --where 'key exists' --yes
! error[NOMEM]: out of memory: remove a record
!   fix: allow more memory with --mem-limit, or use fewer threads
? 1
$ memolith list -k 1000 -o ndjson | wc -l
> 250
$ memolith doctor -o quiet && echo sound
> sound
$ memolith forget --where 'key exists' --yes
> forgot 250 records
