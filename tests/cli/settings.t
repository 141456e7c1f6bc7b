Settings: flag, else environment, else configuration file, else default.

## docs/SETTINGS.md is what the command prints
$ memolith help --settings-markdown | diff - "$TOP/docs/SETTINGS.md" && echo same
> same

## defaults
$ env -u MEMOLITH_MODEL memolith doctor --env
> MEMOLITH_DB          <folder>/home/.local/share/memolith/default.memo  (default)
> MEMOLITH_MODEL       <folder>/home/.cache/memolith/models/all-MiniLM-L6-v2.f32.safetensors  (default)
> MEMOLITH_CACHE_DIR   <folder>/home/.cache/memolith  (default)
> MEMOLITH_CPU         auto, the best this CPU has  (default)
> MEMOLITH_THREADS     what affinity and cgroup allow  (default)
> MEMOLITH_MEM_LIMIT   half of what is available  (default)
> MEMOLITH_PORTABLE    no  (default)
> MEMOLITH_SLOW_MS     0, every search  (default)
> MEMOLITH_LOG         warn  (default)
> configuration file   <folder>/home/.config/memolith/config  (not there)
$ XDG_DATA_HOME=/x/data XDG_CACHE_HOME=/x/cache XDG_CONFIG_HOME=/x/config env -u MEMOLITH_MODEL memolith doctor --env
> MEMOLITH_DB          /x/data/memolith/default.memo  (default)
> MEMOLITH_MODEL       /x/cache/memolith/models/all-MiniLM-L6-v2.f32.safetensors  (default)
> MEMOLITH_CACHE_DIR   /x/cache/memolith  (default)
> MEMOLITH_CPU         auto, the best this CPU has  (default)
> MEMOLITH_THREADS     what affinity and cgroup allow  (default)
> MEMOLITH_MEM_LIMIT   half of what is available  (default)
> MEMOLITH_PORTABLE    no  (default)
> MEMOLITH_SLOW_MS     0, every search  (default)
> MEMOLITH_LOG         warn  (default)
> configuration file   /x/config/memolith/config  (not there)
# a relative XDG folder does not count
$ XDG_DATA_HOME=data memolith doctor --env | grep DB
> MEMOLITH_DB          <folder>/home/.local/share/memolith/default.memo  (default)
$ MEMOLITH_CACHE_DIR=/c env -u MEMOLITH_MODEL memolith doctor --env | grep -E 'CACHE|MODEL'
> MEMOLITH_MODEL       /c/models/all-MiniLM-L6-v2.f32.safetensors  (default)
> MEMOLITH_CACHE_DIR   /c  (environment)

## precedence
$ mkdir -p home/.config/memolith; printf '# mine\n\n threads = 3 \nlog=info\ndb = /from/file.memo\n' > home/.config/memolith/config
$ memolith doctor --env
> MEMOLITH_DB          /from/file.memo  (configuration file)
> MEMOLITH_MODEL       <folder>/model.safetensors  (environment)
> MEMOLITH_CACHE_DIR   <folder>/home/.cache/memolith  (default)
> MEMOLITH_CPU         auto, the best this CPU has  (default)
> MEMOLITH_THREADS     3  (configuration file)
> MEMOLITH_MEM_LIMIT   half of what is available  (default)
> MEMOLITH_PORTABLE    no  (default)
> MEMOLITH_SLOW_MS     0, every search  (default)
> MEMOLITH_LOG         info  (configuration file)
> configuration file   <folder>/home/.config/memolith/config
$ MEMOLITH_THREADS=2 MEMOLITH_DB= memolith doctor --env --log debug
> MEMOLITH_DB          /from/file.memo  (configuration file)
> MEMOLITH_MODEL       <folder>/model.safetensors  (environment)
> MEMOLITH_CACHE_DIR   <folder>/home/.cache/memolith  (default)
> MEMOLITH_CPU         auto, the best this CPU has  (default)
> MEMOLITH_THREADS     2  (environment)
> MEMOLITH_MEM_LIMIT   half of what is available  (default)
> MEMOLITH_PORTABLE    no  (default)
> MEMOLITH_SLOW_MS     0, every search  (default)
> MEMOLITH_LOG         debug  (flag)
> configuration file   <folder>/home/.config/memolith/config
$ MEMOLITH_DB=/from/environment.memo memolith list -f /from/flag.memo
! error[NOTFOUND]: there is no store at /from/flag.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ MEMOLITH_DB=/from/environment.memo memolith list
! error[NOTFOUND]: there is no store at /from/environment.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ memolith list
! error[NOTFOUND]: there is no store at /from/file.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ memolith doctor --env -o json
> {"settings":[{"name":"db","environment":"MEMOLITH_DB","value":"/from/file.memo","origin":"configuration file"},{"name":"model","environment":"MEMOLITH_MODEL","value":"<folder>/model.safetensors","origin":"environment"},{"name":"cache-dir","environment":"MEMOLITH_CACHE_DIR","value":"<folder>/home/.cache/memolith","origin":"default"},{"name":"cpu","environment":"MEMOLITH_CPU","value":null,"origin":"default"},{"name":"threads","environment":"MEMOLITH_THREADS","value":"3","origin":"configuration file"},{"name":"mem-limit","environment":"MEMOLITH_MEM_LIMIT","value":null,"origin":"default"},{"name":"portable","environment":"MEMOLITH_PORTABLE","value":null,"origin":"default"},{"name":"slow-ms","environment":"MEMOLITH_SLOW_MS","value":null,"origin":"default"},{"name":"log","environment":"MEMOLITH_LOG","value":"info","origin":"configuration file"}],"configuration_file":"<folder>/home/.config/memolith/config"}

## a configuration file with mistakes
$ mkdir -p home/.config/memolith; echo 'treads = 3' > home/.config/memolith/config; memolith list
! error[FORMAT]: <folder>/home/.config/memolith/config: line 1: there is no setting "treads"
!   fix: threads?
? 1
$ echo 'colour = red' > home/.config/memolith/config; memolith list
! error[FORMAT]: <folder>/home/.config/memolith/config: line 1: there is no setting "colour"
!   fix: memolith help search lists them
? 1
$ printf 'threads = 3\nthreads = 3\n' > home/.config/memolith/config; memolith list
! error[FORMAT]: <folder>/home/.config/memolith/config: line 2: threads is set a second time
? 1
$ printf '\n\nthreads\n' > home/.config/memolith/config; memolith list
! error[FORMAT]: <folder>/home/.config/memolith/config: line 3 is not `key = value`: threads
? 1
$ printf 'threads = many\n' > home/.config/memolith/config; memolith list
! error[USAGE]: threads (line 1 of the configuration file) is "many"; allowed is a whole number from 1 to 256
? 2
$ printf 'db =\n' > home/.config/memolith/config; memolith list
! error[USAGE]: db (line 1 of the configuration file) is empty
? 2
$ rm home/.config/memolith/config; mkdir home/.config/memolith/config; memolith list
! error[IO]: <folder>/home/.config/memolith/config: not a regular file but a folder
? 1
# what needs no setting does not read it
$ memolith version | cut -d ' ' -f 1
> memolith

## values that are wrong
$ MEMOLITH_CPU=pentium memolith embed tea
! error[USAGE]: MEMOLITH_CPU is "pentium"; allowed is auto|ref|avx2|avx512|avx512vnni|avx512bf16|amx|neon|neon_dot|neon_i8mm
? 2
# every level of this architecture runs, or the best below it; another is refused, the best one named
$ for level in $(MEMOLITH_CPU=pentium memolith embed tea 2>&1 | sed -n 's/.*allowed is //p' | tr '|' ' '); do memolith embed --cpu $level tea >out 2>err && echo "level runs" || sed "s/level $level;/level X;/; s/best is [a-z0-9_]*/best is Y/; s/use level [a-z0-9_]* or/use level Y or/" err; done | LC_ALL=C sort -u
>   fix: use level Y or auto
> error[UNSUPPORTED]: this machine lacks CPU level X; the best is Y
> level runs
$ best=$(for level in neon avx2; do memolith embed --cpu $level tea 2>&1; done | grep -o 'best is .*' | cut -d ' ' -f 3); memolith embed --cpu $best tea >out && echo "the best is there"
> the best is there
$ memolith doctor --env --cpu ref | grep CPU; memolith doctor --env --cpu ref -o json | grep -o '"runs":"[a-z]*"'
> MEMOLITH_CPU         ref, runs ref  (flag)
> "runs":"ref"
$ for level in neon amx; do memolith doctor --env --cpu $level | grep -c 'runs nowhere here'; done | LC_ALL=C sort
> 0
> 1
$ MEMOLITH_LOG=loud memolith list
! error[USAGE]: MEMOLITH_LOG is "loud"; allowed is error|warn|info|debug
? 2
$ MEMOLITH_MEM_LIMIT=1 memolith embed tea
! error[USAGE]: MEMOLITH_MEM_LIMIT is "1"; allowed is a whole number of bytes, or one with K, M, G or T, from 1,048,576 to 70,368,744,177,664
!   fix: the nearest that is allowed is 1048576
? 2

## without HOME
$ env -u HOME memolith version | cut -d ' ' -f 1
> memolith
$ env -u HOME memolith list
! error[USAGE]: HOME is not set, so there is no default for --db
!   fix: --db FILE or MEMOLITH_DB=FILE
? 2
$ env -u HOME -u MEMOLITH_MODEL memolith embed tea
! error[USAGE]: HOME is not set, so there is no default for --model
!   fix: --model FILE|NAME or MEMOLITH_MODEL=FILE|NAME
? 2
$ env -u HOME memolith embed tea -o quiet
$ env -u HOME memolith add tea -f s.memo -o quiet
$ env -u HOME memolith list -f s.memo -o ndjson | wc -l
> 1

## no default model
$ env -u MEMOLITH_MODEL memolith add tea
! error[NOTFOUND]: there is no model: none is named, and the default one is not at <folder>/home/.cache/memolith/models/all-MiniLM-L6-v2.f32.safetensors
!   fix: ./dev model f32   (in the repository: fetches and compiles it)   or   memolith model compile FOLDER -o FILE, then --model FILE
? 3
$ env -u MEMOLITH_MODEL memolith search tea --mode lexical
! error[NOTFOUND]: there is no store at <folder>/home/.local/share/memolith/default.memo yet
!   fix: memolith add 'something to remember'   or   memolith import FOLDER   or   -f FILE for another store
? 3
$ ls -A home

## the default store is made with its folder
$ memolith add tea -o quiet
$ ls home/.local/share/memolith
> default.memo
> default.memo-lock
$ memolith list -o ndjson | wc -l
> 1

## a variable that nothing reads
$ MEMOLITH_TREADS=2 memolith doctor | grep -A1 settings
> warn  settings  MEMOLITH_TREADS is set, and nothing reads it
>       fix: memolith doctor --env lists the names
