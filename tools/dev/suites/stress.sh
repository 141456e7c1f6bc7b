# SPDX-License-Identifier: Apache-2.0
# Many processes on one store, with what must be noticed when it is broken. MEMO_SCALE multiplies the
# seconds and rounds; MEMO_STRESS_SECONDS=600 lets the four writers run for ten minutes.
use_build werror
scale=${MEMO_SCALE:-1}
rounds=$((3 * scale)) mixed=$((5 * scale)) seconds=$((75 * scale)) kills=$((20 * scale)) widen=$((6 * scale))
[ -z "${MEMO_QUICK:-}" ] || rounds=1 mixed=1 seconds=3 kills=2 widen=1
seconds=${MEMO_STRESS_SECONDS:-$seconds}
stress=build/werror/tests/stress
interpose=$PWD/build/werror/tests/libmemo_interpose.so
unlocked="env LD_PRELOAD=$interpose MEMO_INTERPOSE_NO_FLOCK=1 $stress"
passed=0 failed=0 skipped=0

# run WHAT COMMAND...
run() {
    echo "-- $1"
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED; again: $*"
    fi
}

run "8 processes x 200 adds beside 4 readers, $rounds times" $stress adds --rounds $rounds
run "3 writers with facts, actions and shredding beside readers of the past and exports, $mixed times" \
    $stress mixed --rounds $mixed
run "4 writers that checkpoint every 50 commits beside 2 readers, $seconds s" \
    $stress commits --seconds $seconds
run "the same, writers killed and started again" $stress commits --kills --seconds $kills
run "the same, asleep where SQLite's race is open" $stress commits --widen --every 10 --seconds $widen
run "a commit in the middle of a checkpoint" $stress race
run "negative control: acknowledged before the commit" $stress commits --ack-early --seconds 20
run "negative control: acknowledged before facts and shredding" $stress mixed --ack-early
probe=build/logs/interpose.txt
rm -f "$probe"
env LD_PRELOAD="$interpose" MEMO_INTERPOSE_FOLDER=/ MEMO_INTERPOSE_REPORT="$probe" \
    build/werror/memolith version >/dev/null 2>&1 || true
if [ -s "$probe" ]; then
    run "negative control: that commit without the lock" $unlocked race --unlocked
    run "negative control: many writers without the lock" \
        $unlocked commits --unlocked --widen --every 10 --seconds 3
else
    skipped=2
    echo "SKIPPED negative controls without the lock: nothing can be put before flock() here"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
