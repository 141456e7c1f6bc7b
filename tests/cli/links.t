Which records say the same, and which only repeat what the store has shown.

## the same text under another key, and nearly the same
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler in the cellar and paid him forty euros' --key a -o quiet
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler in the cellar and paid him forty euros' --key b -o quiet
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler in the cellar and paid him forty dollars' --key c -o quiet
$ memolith add 'something else altogether' --key d -o quiet
$ memolith get b | grep link
> link     duplicate of <id>
$ memolith get c | grep link
> link     near of <id> (0.89)
$ memolith get a | grep link
> linked   near by <id> (0.89)
> linked   duplicate by <id>
$ memolith get d | grep -c link
> 0
? 1
$ memolith get b -o json | grep -o '"echo":.*'
> "echo":false,"duplicate_of":"<id>","links":[{"kind":"duplicate","direction":"to","id":"<id>","score":<score>,"made":"<instant>"}]}
$ memolith search 'forty dollars' -k 1 --explain | grep link
>    link     near of <id> (0.89)

## a text that is changed is like others from then on, or no more
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler' --key a -o quiet
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler' --key b -o quiet
$ memolith edit b --text 'no more of that' -o quiet
$ memolith get b | grep -c link
> 0
? 1
$ memolith edit b --text 'Anna Schmidt met the plumber on Monday morning about the boiler.' -o quiet
$ memolith get b | grep link
> link     near of <id>
$ memolith edit b --tag x -o quiet
$ memolith get b | grep -c link
> 1
$ memolith forget a
> forgot 1 record
$ memolith get b | grep -c link
> 0
? 1

## off, exact, and later
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler' --key a -o quiet
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler' --key b --links off -o quiet
$ memolith add 'Anna Schmidt met the plumber on Monday morning about the boiler!' --key c --links exact -o quiet
$ memolith list -o ndjson | grep -c '"duplicate_of":null'
> 3
$ memolith audit --link -o quiet
! 1 compared, 1 linked
$ memolith get b | grep link
> link     duplicate of <id>
$ memolith audit --link -o quiet
! 0 compared, 0 linked
$ memolith add tea --links sometimes
! error[USAGE]: --links is "sometimes"; allowed is off|exact|near
? 2

## the echo guard
$ memolith add 'The spare key of the garden house lies under the third flower pot beside the old gate' --key key -o quiet
$ memolith search 'where is the spare key' -k 1 -o quiet
$ memolith add 'the spare key of the garden house lies under the third flower pot beside the old gate!' --key note -o quiet
$ memolith add 'the spare key of the garden house lies under the third flower pot beside the old gate?' --key mine --trust trusted -o quiet
$ memolith get note | grep link | sort
> link     echo of <id>
> link     near of <id>
$ memolith list --where 'echo = true' -o ndjson | grep -o '"key":"[a-z]*"'
> "key":"note"
$ memolith search 'spare key' --where 'not echo = true' -o json | grep -o '"key":"[a-z]*"' | sort
> "key":"key"
> "key":"mine"
$ memolith audit | grep echo | head -1
> echo       <id>  linked as an echo when it was written
$ memolith forget key
> forgot 1 record
$ memolith get note | grep echo
> link     echo of what was forgotten

## what one was shown is no echo from another
$ memolith add 'The spare key of the garden house lies under the third flower pot beside the old gate' --key key -o quiet
$ memolith search 'where is the spare key' -k 1 --actor ann -o quiet
$ memolith add 'the spare key of the garden house lies under the third flower pot beside the old gate!' --actor ben --key b -o quiet
$ memolith add 'the spare key of the garden house lies under the third flower pot beside the old gate!' --actor ann --key a -o quiet
$ memolith list --where 'echo = true' -o ndjson | grep -o '"key":"[a-z]*"'
> "key":"a"
