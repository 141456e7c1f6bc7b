# SPDX-License-Identifier: Apache-2.0
# ./dev demo: a year of somebody's notes in one file, six searches. README.md shows what it prints;
# ./dev check demo compares the two.
demo_started=$(date +%s)
build_release memolith
default_model f32

db=build/demo/notes.memo
rm -rf build/demo
mkdir -p build/demo
unset MEMOLITH_CONFIG
export MEMOLITH_DB="$db" MEMOLITH_MODEL="$model"

# The colours of a terminal, or none.
bold='' dim='' plain=''
if [ -t 1 ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
fi

# Print a command line as one would type it.
show() {
    line="$ memolith"
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./=-]*) line="$line \"$word\"" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '%s%s%s\n' "$bold" "$line" "$plain"
}

# Milliseconds of the wall clock, or 0 where date knows none.
now_ms() {
    case $(date +%N) in
    *[!0-9]* | '') echo 0 ;;
    *) echo $(($(date +%s%N) / 1000000)) ;;
    esac
}

# Show a command line, run it, say how long the whole process took.
run() {
    show "$@"
    run_from=$(now_ms)
    build/memolith "$@" </dev/null || die "the command failed"
    printf '%s  %d ms from start to end of the command%s\n' "$dim" $(($(now_ms) - run_from)) "$plain"
}

# part NUMBER TEXT: what the next search shows.
part() {
    printf '\n%s%s%s\n' "$dim" "$*" "$plain"
}

part "Remember 325 notes of one year."
run import demo/notes.ndjson

part "1. Meaning alone: heating, noise and night stand nowhere in the best note."
run search "why does the heating make noise at night" --mode dense -k 2
part "2. An exact identifier: the neighbour PN 40-2281-A is something else."
run search "PN 40-2281-B" -k 2
part "3. A filter: only what was tagged as a gift."
run search "what does Mira get when she turns 43" --where "tags = 'gift'" -k 2
part "4. Time: only what was written since July."
run search "plans for the boat" --where "created >= '2025-07-01'" -k 2
part "5. A filter that matches nothing says so."
run search "a good place for dinner" --where "meta.place = 'Lisbon'" -k 3
part "6. Why these: rank and score of every lane."
run search "which tablets does Mum take after her hip operation" -k 2 --explain

here=
[ "$caller" = "$top" ] || here="$top/"
part "Everything is in one file, and it took $(($(date +%s) - demo_started)) s in all:"
ls -lh "$db" | awk -v file="$here$db" '{print file "  " $5}'
part "Yours next, in a file of your own:"
printf '  %sbuild/memolith add "the spare key is with Mrs Lindqvist"\n' "$here"
printf '  %sbuild/memolith search "I am locked out, who has a key"\n' "$here"
