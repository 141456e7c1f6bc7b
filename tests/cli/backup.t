Backups: one moment of the store in another file.

## backup
$ memolith add tea --key t -o quiet; memolith backup copy.memo
> 1 record, 1 vector, 565.2 kB, every page and row checked, in <time> s
$ memolith get t -f copy.memo | tail -1
> tea
$ memolith backup copy.memo
! error[USAGE]: copy.memo: exists already
!   fix: --force to replace it, or another name
? 2
$ memolith add coffee -o quiet; memolith backup copy.memo --force -o json
> {"path":"copy.memo","records":2,"chunks":2,"vectors":2,"change_seq":2,"pages":69,"bytes":565248,"elapsed_ms":<ms>}
$ memolith list -f copy.memo -o ndjson | wc -l
> 2
$ ls -A | grep -v home
> copy.memo
> copy.memo-shm
> copy.memo-wal
> model.safetensors

## backup of a store onto itself
$ memolith add tea -f a.memo -o quiet; ln -s a.memo s.memo; ln a.memo h.memo
$ memolith backup -f a.memo a.memo --force
! error[USAGE]: a.memo: a store cannot be its own backup
? 2
$ memolith backup -f a.memo s.memo --force
! error[USAGE]: s.memo: a store cannot be its own backup
? 2
$ memolith backup -f a.memo h.memo --force
! error[USAGE]: h.memo: a store cannot be its own backup
? 2
$ memolith list -f h.memo
! error[UNSUPPORTED]: <folder>/h.memo has 2 names (hard links); through another name its log and its lock would not be found, and commits would be lost
!   fix: remove the other names (find / -samefile ...), or copy the file and use the copy
? 1

## backup that cannot be written
$ memolith backup -f nowhere.memo copy.memo
! error[NOTFOUND]: there is no store at nowhere.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ memolith add tea -o quiet; memolith backup no/folder/copy.memo
! error[IO]: no/folder/copy.memo: cannot create a temporary file beside it: No such file or directory
!   fix: make the folder first, or name another
? 1
$ memolith backup
! error[USAGE]: backup needs OUT
!   fix: memolith backup -f work.memo work-2026-11-21.memo
? 2

## backup to a link
$ memolith add tea -f a.memo -o quiet; echo old > target; ln -s target link; memolith backup -f a.memo link
! error[USAGE]: link: exists already
!   fix: --force to replace it, or another name
? 2
$ memolith backup -f a.memo link --force -o quiet; readlink link; memolith list -f target -o ndjson | wc -l
> target
> 1
$ ln -s nowhere loose; memolith backup -f a.memo loose --force; echo $?; readlink loose
> 1
> nowhere
! error[IO]: loose: a link to a file that does not exist
!   fix: remove the link, or make the file that it names first
$ memolith add tea -f used.memo -o quiet; ln -s used.memo to-used; $PYTHON -c 'import sqlite3, subprocess; c = sqlite3.connect("used.memo"); c.execute("select * from records").fetchall(); print(subprocess.call(["memolith", "backup", "-f", "a.memo", "to-used", "--force"]))'
> 5
! error[BUSY]: <folder>/used.memo is open in another program (or by another handle)
!   fix: close what has it open, then try again

## a write that is refused
$ memolith add tea -f a.memo -o quiet; (ulimit -f 200; memolith backup -f a.memo copy.memo 2>&1 | sed -E 's/\.[0-9]+-[0-9]+\.tmp/.tmp/'); ls -A | grep copy
> error[IO]: .copy.memo.tmp: cannot write a copy: File too large
? 1
$ (ulimit -f 80; memolith add coffee -f a.memo; memolith add coffee -f new.memo); (ulimit -f 40; memolith add milk -f a.memo); memolith list -f a.memo -o ndjson | wc -l
> 1
! error[IO]: <folder>/a.memo: cannot commit: File too large
! error[IO]: <folder>/new.memo: cannot make it: File too large
! error[IO]: <folder>/a.memo: cannot open it: File too large
