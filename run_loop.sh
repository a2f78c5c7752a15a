#!/usr/bin/env bash
# Captions the whole library: restarts caption.py every BATCH photos, which clears GPU and RAM, until all are done.
#
#   run_loop.sh [BACKEND] [MODEL] [flags of `caption.py run`]
#   BATCH=2000 run_loop.sh local Qwen/Qwen2.5-VL-3B-Instruct --photos-dir ~/photos
#
# BACKEND is `local` unless given, BATCH 5000. The first word that begins with - starts the flags. Relative paths in
# them count from the project folder, where this script works from. Stop it at any moment; the same command goes on
# (leave out --force then). Exit codes are those of caption.py: 0 done, 1 stopped, 64 wrong use, 130 and 143 signals.

# No `set -e`: it would end the loop at its first full batch, which is exit code 2.
die() {
    echo "run_loop.sh: $2" >&2
    exit "$1"
}

stop() {
    STOPPED=$1
    [ -z "$CHILD" ] || kill "$CHILD" 2>/dev/null
}

# Leaves the command's exit code in EXIT. The command runs in the background because bash hears no signal while one
# runs in the foreground. There it ignores Ctrl-C, so `stop` sends it a SIGTERM for every kind of signal.
child() {
    "$@" &
    CHILD=$!
    [ -z "$STOPPED" ] || kill "$CHILD" # the signal came before there was a child to tell
    # A signal ends `wait` but not yet the child, which finishes the photos in its hands.
    until wait "$CHILD"; EXIT=$?; ! kill -0 "$CHILD" 2>/dev/null; do :; done
    CHILD=
    [ -z "$STOPPED" ] || [ "$EXIT" -eq 0 ] || die "$STOPPED" "stopped; the same command (without --force) goes on."
}

main() {
    local BACKEND=local MODEL='' EXTRA=api RAY='' VIDEOS='' BATCH="${BATCH:-5000}" STOPPED='' CHILD='' EXIT WORD
    if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then BACKEND=${1:-local}; shift; fi
    if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then MODEL=$1; shift; fi
    case $BACKEND in
        local) EXTRA=local MODEL=${MODEL:-Qwen/Qwen2.5-VL-3B-Instruct} ;;
        mock) EXTRA= ;;
    esac
    [[ $BATCH =~ ^0*[1-9][0-9]*$ ]] || die 64 "BATCH is '$BATCH': give a number of photos above 0, as in BATCH=5000."
    for WORD; do
        case ${WORD%%=*} in
            -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
            --limit | --budget | --dry-run) die 64 "${WORD%%=*} is not for the loop: use it with caption.py run." ;;
            --restart-every) die 64 "set BATCH instead of --restart-every, as in: BATCH=2000 run_loop.sh" ;;
            --backend) die 64 "give the backend as the first word, without --backend, as in: run_loop.sh openai" ;;
        esac
    done
    case " $* " in *" --ray "* | *" --ray="* | *" --engine ray "* | *" --engine=ray "*) RAY=ray ;; esac
    case " $* " in *" --videos "*) VIDEOS=videos ;; esac
    cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" || exit 1
    command -v uv >/dev/null || die 1 "uv is missing; get it with: pip install uv"

    trap 'stop 130' INT
    trap 'stop 143' TERM HUP
    child uv sync --inexact ${EXTRA:+--extra "$EXTRA"} ${RAY:+--extra ray} ${VIDEOS:+--extra videos} # inexact: keeps what the project's other commands need
    [ "$EXIT" -eq 0 ] || die 1 "uv sync failed (exit $EXIT): fix what it says above, then run the same command again."

    set -- --backend "$BACKEND" ${MODEL:+--model "$MODEL"} --restart-every "$BATCH" "$@"
    while true; do
        child uv run --no-sync python caption.py run "$@"
        case $EXIT in
            0) echo "All photos captioned."; exit 0 ;;
            2) # So end uv and Python too when something is wrong, and would for ever; then they cannot do this either.
                child uv run --no-sync python -c 'open("caption.py").close()'
                [ "$EXIT" -eq 0 ] || die 1 "caption.py cannot be started: fix what uv or Python says above."
                echo "Batch of $BATCH done. Restarting..." ;;
            *) echo "Error (exit $EXIT). Stopping."; exit "$EXIT" ;;
        esac
        for WORD; do # a second --force would set aside what the first pass has done
            shift
            [ "$WORD" = --force ] || set -- "$@" "$WORD"
        done
    done
}

main "$@" # bash has read all of it by now, so that an update of this file cannot trip a loop that runs for days
