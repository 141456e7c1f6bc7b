Who and what, and what is known of them since when.

## entities
$ memolith entity add Anna Schmidt --kind person --alias Anni --meta born=1990
> <id>
$ memolith entity get 'ANNA  schmidt'
> <id>  Anna Schmidt (person), also Anni  {"born":1990}
$ memolith entity get anni -o json
> {"id":"<id>","name":"Anna Schmidt","kind":"person","aliases":["Anni"],"metadata":{"born":1990},"created":"<instant>","updated":"<instant>"}
$ memolith entity add 'anna schmidt' --alias Annchen -o json
> {"id":"<id>","outcome":"changed"}
$ memolith entity alias anni --add Annie --remove annchen
> <id>
$ memolith entity alias anni
! error[USAGE]: entity alias needs --add or --remove
!   fix: memolith entity alias 'Anna Schmidt' --add Annie --remove Anni
? 2
$ memolith entity alias anni --remove 'Anna Schmidt'
! error[VALUE]: "Anna Schmidt" is the name of the entity, which stays
? 1
$ memolith entity list --kind person
> <id>  Anna Schmidt (person), also Anni, Annie  {"born":1990}
$ memolith entity list --name annie -o ndjson | grep -c Anna
> 1
$ memolith entity list --kind place
! no entity
$ memolith entity get Bert
! error[NOTFOUND]: no entity is called "Bert"
!   fix: memolith entity list   or   memolith entity add NAME
? 3
$ memolith entity get Bert -o quiet
! error[NOTFOUND]: no entity is called "Bert"
!   fix: memolith entity list   or   memolith entity add NAME
? 3

## a name of several
$ memolith entity add Jordan --kind person -o quiet; memolith entity add Jordan --kind place -o quiet
$ memolith entity get jordan
! error[VALUE]: several entities are called "jordan": <id> (person), <id> (place)
!   fix: give the id of the one that is meant
? 1

## facts
$ memolith add 'Anna works at Initech since March' --key note -o quiet
$ memolith fact add Anna works_at Initech --from 2024-03-01 --functional --evidence note:0-17
> <id>
! new entity: Anna
! new entity: Initech
$ memolith add 'a note: with a colon' --key 'a:b' -o quiet
$ memolith fact add Anna works_at Initech --from 2024-03-01 --functional --evidence note:0-21 --evidence a:b
> <id>
$ memolith fact query
> <id>  Anna works_at Initech, from 2024-03-01
>    <id> "Anna works at Ini"
>    <id> "Anna works at Initech"
>    <id> "a note: with a colon"
$ memolith fact query --about initech -o json
> {"facts":[{"id":"<id>","subject":{"id":"<id>","name":"Anna"},"relation":"works_at","object":{"id":"<id>","name":"Initech"},"value":null,"valid_from":"<instant>","valid_to":null,"recorded":"<instant>","closed":null,"retracted":null,"reason":"","confidence":1,"evidence":[{"record":"<id>","begin":0,"end":17,"version":1,"outdated":false,"excerpt":"Anna works at Ini"},{"record":"<id>","begin":0,"end":21,"version":1,"outdated":false,"excerpt":"Anna works at Initech"},{"record":"<id>","begin":0,"end":20,"version":1,"outdated":false,"excerpt":"a note: with a colon"}]}],"next":null}
$ memolith fact add anna works_at Globex --from 2025-01-01 --functional --existing
! error[NOTFOUND]: no entity is called "Globex"
!   fix: memolith entity add NAME
? 3
$ memolith fact add anna works_at Globex --from 2025-01-01 --functional -o json
> {"id":"<id>","outcome":"new","made_subject":false,"made_object":true,"closed":1}
$ memolith fact query --subject Anna --valid-at 2024-06-01 | head -1
> <id>  Anna works_at Initech, from 2024-03-01, until 2025-01-01
$ memolith fact query --subject Anna
> <id>  Anna works_at Globex, from 2025-01-01
$ memolith fact query --subject Anna --any-time -o ndjson | wc -l
> 2
$ memolith fact query --subject Anna --as-of 2020-01-01
! no fact
$ memolith fact query --subject Nobody
! error[NOTFOUND]: no entity is called "Nobody"
!   fix: memolith entity list   or   memolith entity add NAME
? 3
$ memolith fact query --any-time --valid-at 2024-01-01
! error[USAGE]: --any-time and --valid-at contradict each other
? 2

## replace takes a time away
$ memolith fact add Anna lives_in Porto --from 2020-01-01 --to 2024-01-01
> <id>
! new entity: Anna
! new entity: Porto
$ memolith fact query --any-time -o ndjson | grep -o '^{"id":"[^"]*"' | cut -d'"' -f4 > id
$ memolith fact replace $(cat id) --no-to --to 2025-01-01
! error[USAGE]: --from and --no-from, as --to and --no-to, contradict each other
? 2
$ memolith fact replace $(cat id) --no-to > id
$ memolith fact query
> <id>  Anna lives_in Porto, from 2020-01-01
$ memolith fact replace $(cat id) --no-from > id
$ memolith fact query
> <id>  Anna lives_in Porto

## one at a time, of which only the end is known
$ memolith fact add Anna works_at Initech --from 2020-01-01
> <id>
! new entity: Anna
! new entity: Initech
$ memolith fact add Anna works_at Globex --to 2024-01-01 --functional
! error[VALUE]: the fact ends at <instant> and has no beginning, and fact <id> holds then: one at a time
!   fix: say since when it held: --from DATE
? 1
$ memolith fact add Anna works_at Globex --to 2020-01-01 --functional
> <id>
! new entity: Globex

## retract, replace, history
$ memolith fact add Anna birthday --value '3 May' -o json | grep -o '"id":"[^"]*"' | cut -d'"' -f4 > id
$ memolith fact replace $(cat id) --value '4 May' --reason 'a slip' --confidence .5
> <id>
$ memolith fact history $(cat id) | grep -o 'Anna .*' | sed 's/20..-..-../DATE/'
> Anna birthday 3 May, retracted DATE: a slip
> Anna birthday 4 May, confidence 0.5
$ memolith fact history $(cat id) -k 1 -o json | grep -o '"next":"[^"]*"' | cut -d'"' -f4 > cursor
$ memolith fact history $(cat id) --after $(cat cursor)
> <id>  Anna birthday 4 May, confidence 0.5
$ memolith fact retract $(cat id)
> was retracted
$ memolith fact retract $(memolith fact query --relation birthday -o ndjson | grep -o '^{"id":"[^"]*"' | cut -d'"' -f4) --reason why -o json
> {"retracted":true}
$ memolith fact query --relation birthday
! no fact
$ memolith fact retract 01JCAW5M8Q3V9Z7T2K4N6P8R0S
! error[NOTFOUND]: no fact "<id>"
? 3

## what is refused
$ memolith fact add Anna knows
! error[USAGE]: fact add needs either OBJECT or --value TEXT
!   fix: memolith fact add 'Anna Schmidt' works_at Initech --from 2024-03-01 --functional
? 2
$ memolith fact add Anna knows Bert --value x
! error[USAGE]: fact add needs either OBJECT or --value TEXT
!   fix: memolith fact add 'Anna Schmidt' works_at Initech --from 2024-03-01 --functional
? 2
$ memolith fact add Anna knows Bert --confidence 2
! error[USAGE]: --confidence is "2"; allowed is a number above 0 and at most 1
? 2
$ memolith fact add Anna knows Bert --confidence 1e0
! error[USAGE]: --confidence is "1e0"; allowed is a number above 0 and at most 1
? 2
$ memolith fact add Anna knows Bert --existing
! error[NOTFOUND]: no entity is called "Anna"
!   fix: memolith entity add NAME
? 3
$ memolith fact add Anna knows Bert --evidence nothing
! error[NOTFOUND]: no record "nothing"
? 3
$ memolith fact add Anna knows Bert --from 2025-01-02 --to 2025-01-01
! error[VALUE]: the fact ends at <instant>, and begins at <instant>: it must end after that
? 1
$ memolith add 'short' --key short -o quiet; memolith fact add Anna knows Bert --evidence short:2-9
! error[VALUE]: evidence in record short: bytes 2 to 9 of a text of 5
? 1

## merge and forget
$ memolith fact add Anna knows Bert -o quiet; memolith fact add 'A. Schmidt' likes --value tea -o quiet
$ memolith entity merge Anna 'A. Schmidt'
> merged; 1 fact moved
$ memolith fact query --about 'a. schmidt' | cut -c29-
> Anna knows Bert
> Anna likes tea
$ memolith entity forget Anna --dry-run
> would forget 1 entity and 2 facts
$ memolith entity forget Anna -o json
> {"facts":2,"dry_run":false}
$ memolith fact query --any-time
! no fact
$ memolith forget note -o quiet; memolith fact query
! error[NOTFOUND]: no record has this id or key
! no fact

## a fact goes with its evidence
$ memolith add 'Anna likes tea' --key note -o quiet; memolith fact add Anna likes --value tea --evidence note -o quiet
$ memolith forget note
> forgot 1 record
$ memolith fact query
! no fact
$ memolith fact query --retracted | grep -o 'Anna .*' | sed 's/20..-..-../DATE/; s/(.*)/(ID)/'
> Anna likes tea, retracted DATE: its evidence was forgotten (ID)

## a word that fact query does not take
$ memolith fact query Anna
! error[USAGE]: fact query takes no word, and "Anna" is one
!   fix: memolith fact query --about anni --valid-at 2024-01-01   (memolith help fact query)
? 2

## a store of facts alone has no records to search
$ memolith fact add Bob drives --value "red Volvo" -o quiet; memolith search volvo
! error[NOTFOUND]: namespace "default" is empty: there is nothing to search
!   fix: memolith add "TEXT"   or   memolith import FOLDER
? 3
