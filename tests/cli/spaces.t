Vectors that are brought, and another model for a store in use.

## ready vectors
$ printf '{"_id":"a","text":"tea","v":[3,0,0]}\n{"_id":"b","text":"coffee","v":[1,1,0]}\n{"_id":"c","text":"a pot","v":[-1,0,2.5]}\n' > v.ndjson
$ memolith import v.ndjson --vector-field v --space openai/ada-3
> 3 new (1 file, 3 chunks, 0 tokens) in <time> s
$ memolith search --vector '[10, 0, 0]' -o json | grep -o '"key":"[^"]*"' | tr '\n' ' '
> "key":"a" "key":"b" "key":"c"\
$ memolith search pot --vector '[10, 0, 0]' --mode hybrid -k 1 -o json | grep -o '"model":""'
> "model":""
$ memolith search pot
! error[MISMATCH]: namespace "default" holds 3 vectors from openai/ada-3@external; this model is tiny.f32@4bd40f01 (3 and 32 dimensions).
!   Scores across the two would be meaningless, so nothing was searched.
!   fix: memolith ... --space openai/ada-3 with a --vector or --vector-field   or   memolith model set FILE --ns default   (embeds it anew while it is in use)
? 4
$ memolith search pot --space openai/ada-3 -o json | grep -o '"key":"[^"]*"'
> "key":"c"
$ memolith add 'cold tea' --key d --vector '[3,0,0.1]' --space openai/ada-3 -o json | grep -o '"outcome".*'
> "outcome":"new","version":1,"chunks":1,"tokens":0}
$ memolith edit d 'iced tea' --space openai/ada-3
! error[USAGE]: --vector gives a vector, --space says what made it: both are needed
? 2
$ memolith edit d 'iced tea' --vector '[0,0.1,-3]' --space openai/ada-3 -o json | grep -o '"outcome".*'
> "outcome":"changed","version":2,"chunks":1,"tokens":0}
$ memolith search --vector '[0, 0, -1]' -k 1 -o json | grep -o '"text":"[^"]*"'
> "text":"iced tea"
$ printf '{"_id":"q1","v":[0,0,1]}\n{"_id":"q2","text":"coffee","v":[0,1,0]}\n' | memolith search --queries - --vector-field v --mode dense -k 1 | grep -o '"_id":"[^"]*"\|"key":"[^"]*"' | tr '\n' ' '
> "_id":"q1" "key":"c" "_id":"q2" "key":"b"\
$ python3 -c "import struct; h=b\"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }\"; h+=b' '*(117-len(h))+b'\n'; open('q.npy','wb').write(b'\x93NUMPY\x01\x00'+struct.pack('<H',len(h))+h+struct.pack('<3f',0,0,1))"
$ memolith search --vector q.npy -k 1 -o json | grep -o '"key":"[^"]*"'
> "key":"c"
$ head -c 130 q.npy > short.npy; memolith search --vector short.npy
! error[FORMAT]: short.npy: 2 bytes of values; its header says 3 values of 4 bytes
? 1
$ memolith search --vector '[1, 0]'
! error[MISMATCH]: the query's vector has 2 dimensions; those of namespace "default" have 3 (openai/ada-3)
? 4
$ memolith search --vector '[1, "x", 0]'
! error[FORMAT]: the vector: component 1 is no number
? 1
$ memolith search --vector '[0, 0, 0]'
! error[VALUE]: the query's vector: all 3 components are 0: it has no direction
? 1
$ memolith search --vector nothing.npy
! error[IO]: nothing.npy: cannot open: No such file or directory
? 1

## ready vectors that do not fit
$ printf '{"_id":"a","text":"tea","v":[3,0,0]}\n{"_id":"b","text":"coffee","v":[1,1]}\n' > v.ndjson
$ memolith import v.ndjson --vector-field v --space ada
> 1 new, 1 failed (0 files, 1 chunk, 0 tokens) in <time> s
! error[MISMATCH]: v.ndjson:2: a vector of 2 dimensions; the vectors of ada have 3
!   fix: mend it, or --skip-bad to name and leave out what is bad
? 4
$ memolith import v.ndjson --vector-field v --space ada --skip-bad
> 0 new, 1 unchanged, 1 failed (1 file, 0 chunks, 0 tokens) in <time> s
! warning: v.ndjson: line 2: a vector of 2 dimensions; the vectors of ada have 3
$ printf '{"_id":"a","text":"tea","v":[3,0,0]}\n{"_id":"b","text":"coffee","v":[1,1e99,0]}\n{"_id":"c","text":"coffee"}\n{"_id":"d","text":"coffee","v":[]}\n' > w.ndjson
$ memolith import w.ndjson --vector-field v --space ada --skip-bad
> 0 new, 1 changed, 3 failed (1 file, 1 chunk, 0 tokens) in <time> s
! warning: w.ndjson: line 2: vector 0: component 1 is not finite
! warning: w.ndjson: line 3: there is no field "v" with the vector
! warning: w.ndjson: line 4: field "v" is an array; an array of numbers that is not empty is needed
$ memolith import w.ndjson --vector-field v
! error[USAGE]: --vector-field says where the vectors are, --space what made them: both are needed
? 2
$ memolith import w.ndjson --space ada
! error[USAGE]: --vector-field says where the vectors are, --space what made them: both are needed
? 2
$ memolith add tea --space ada
! error[USAGE]: --vector gives a vector, --space says what made it: both are needed
? 2
$ memolith add tea --vector '[1]' --space ada --model x
! error[USAGE]: --model and --space contradict each other: vectors are made by a model or brought
? 2
$ memolith search --vector '[1,0,0]' --queries w.ndjson
! error[USAGE]: --vector is of one query; those of --queries are in a --vector-field
? 2
$ memolith search x --vector-field v
! error[USAGE]: --vector-field is a field of --queries
? 2
$ memolith add tea
! error[MISMATCH]: namespace "default" holds 1 vectors from ada@external; this model is tiny.f32@4bd40f01 (3 and 32 dimensions).
!   Scores across the two would be meaningless, so nothing was written.
!   fix: memolith ... --space ada with a --vector or --vector-field   or   memolith model set FILE --ns default   (embeds it anew while it is in use)
? 4
$ memolith search tea --mode dense --space ada
! error[USAGE]: dense search needs a ready vector: nothing here makes those of space ada
? 2

## the model of a namespace is found in the cache folder when none is named
$ M="$HOME/.cache/memolith/models"; mkdir -p "$M"; cp model.safetensors "$M/all-MiniLM-L6-v2.f32.safetensors"; memolith model compile "$TINY" --max-tokens 16 -o "$M/small.safetensors" > report 2>&1; unset MEMOLITH_MODEL; memolith add 'the key is under the pot' --key a -o quiet; memolith model set small -o quiet; memolith search key --mode dense -o json | grep -o '"key":"[^"]*"'; memolith add tea --key b -o quiet; memolith doctor --env | grep MEMOLITH_MODEL; memolith model list | grep -c 'default: 2 records, 2 of 2 chunks in tiny-model'
> "key":"a"
> MEMOLITH_MODEL       <folder>/home/.cache/memolith/models/small.safetensors  (namespace)
> 1
$ unset MEMOLITH_MODEL; memolith search key --model all-MiniLM-L6-v2 2>&1 | grep -c MISMATCH; memolith model set
> 1
! error[USAGE]: model set needs FILE: the model to set, a file or the name of one of the cache folder
!   fix: memolith model set minilm.int8.safetensors --ns work   (memolith model list shows those of the cache folder)
? 2
$ unset MEMOLITH_MODEL; memolith model rollback small 2>&1 | sed 's/[0-9a-f]\{8\}\b/<hash>/g'; memolith model rollback; memolith search tea --mode dense -k 1 -o json | grep -o '"key":"[^"]*"'; memolith doctor --env | grep MEMOLITH_MODEL
> error[MISMATCH]: <folder>/home/.cache/memolith/models/small.safetensors is tiny-model@<hash>, and not the model that namespace "default" had before (<hash>); nothing was changed
>   fix: memolith model rollback --ns default   finds it in the cache folder itself
> 1 namespace of 1 switched, 1 chunk embedded in <time> s
> "key":"b"
> MEMOLITH_MODEL       <folder>/home/.cache/memolith/models/all-MiniLM-L6-v2.f32.safetensors  (default)

## another model
$ memolith model compile "$TINY" --max-tokens 16 -o other.safetensors > report 2>&1
$ memolith add 'the key is under the pot' --key a -o quiet; memolith add 'a note' --ns work --key b -o quiet
$ memolith model list
> spaces of the store
>   tiny.f32@4bd40f01, 32 dimensions, 2 vectors
> namespaces
>   default: 1 record, 1 of 1 chunk in tiny.f32@4bd40f01
>   work: 1 record, 1 of 1 chunk in tiny.f32@4bd40f01
$ memolith search key --model other.safetensors 2>&1 | sed 's/@[0-9a-f]*/@<hash>/g'
> error[MISMATCH]: namespace "default" holds 1 vectors from tiny.f32@<hash>; this model is tiny-model.f32@<hash> (same 32 dimensions, different weights).
>   Scores across the two would be meaningless, so nothing was searched.
>   fix: memolith model set FILE --ns default   (embeds it anew while it is in use)   or   another namespace: --ns other   or   --model FILE of tiny.f32@<hash>
$ memolith model set other.safetensors
> 1 namespace of 1 switched, 1 chunk embedded in <time> s
$ memolith search key --mode dense --model other.safetensors -o json | grep -o '"key":"[^"]*"'
> "key":"a"
$ memolith model list | sed 's/@[0-9a-f]*/@<hash>/g'
> spaces of the store
>   tiny.f32@<hash>, 32 dimensions, 2 vectors
>   tiny-model.f32@<hash>, 32 dimensions, 1 vector
> namespaces
>   default: 1 record, 1 of 1 chunk in tiny-model.f32@<hash>, before in tiny.f32@<hash>
>   work: 1 record, 1 of 1 chunk in tiny.f32@<hash>
$ memolith model list -o json | sed 's/"fingerprint":"\([0-9a-f]\)[^"]*/"fingerprint":"\1/g' | grep -o '"namespaces".*'
> "namespaces":[{"ns":"default","records":1,"chunks":1,"current":"<sha256>","previous":"<sha256>","next":null,"embedded":1,"embedded_next":0},{"ns":"work","records":1,"chunks":1,"current":"<sha256>","previous":null,"next":null,"embedded":1,"embedded_next":0}]}
$ memolith model rollback -o json
> {"namespaces":1,"switched":1,"embedded":0,"recut":0,"refused":0,"damaged":0,"elapsed_ms":<ms>}
$ memolith search key --mode dense -o json | grep -o '"key":"[^"]*"'
> "key":"a"
$ memolith add 'one more' -o quiet; memolith model rollback 2>&1 | sed 's/@[0-9a-f]*/@<hash>/g'
> error[MISMATCH]: namespace "default": 1 chunks written since the switch have no vectors of tiny-model.f32@<hash>; nothing was changed
>   fix: memolith model rollback --ns default --model FILE   of tiny-model.f32@<hash>, which makes them
$ memolith model rollback other.safetensors
> 1 namespace of 1 switched, 1 chunk embedded in <time> s
$ memolith model set --all --drop-previous --model other.safetensors
> 1 namespace of 2 switched, 1 chunk embedded in <time> s
$ memolith model rollback
! error[NOTFOUND]: namespace "default" has no previous model to go back to
!   fix: memolith model set FILE --ns default
? 3
$ memolith model rollback --all
! error[NOTFOUND]: no namespace has a previous model to go back to
? 3
$ memolith model set --all --ns work
! error[USAGE]: --all and --ns contradict each other
? 2
$ memolith model set --ns nowhere
! error[NOTFOUND]: <folder>/home/.local/share/memolith/default.memo: no namespace "nowhere"
? 3
$ memolith model set -f none.memo
! error[NOTFOUND]: there is no store at none.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
