#!/usr/bin/env bash
# Train for some minutes on a machine that is lent for as long, and hand the run back.
#
#   bash training/gpu_session.sh PACK MINUTES [options of `python -m training train`]
#
# PACK is a folder made by `python -m training pack --data SET… --run RUN --out PACK`. What goes on
# is packed to $OUT at every checkpoint, so that a kill loses at most as much as lies between two.
# A further call on the same machine, with the same PACK, goes on where the last one stopped. Here,
# `python -m training unpack FOLDER --out DIR` restores the run to DIR/run, and the next machine gets
# it with `pack --run DIR/run`.
set -euo pipefail

pack=$1 minutes=$2
shift 2
work=${WORK:-/tmp/ssgan3d-session} out=${OUT:?OUT must name the folder for the results}
python=${PYTHON:-python3}
export PYTHONUNBUFFERED=1

"$python" -m training unpack "$pack" --out "$work"
mkdir -p "$work/run" "$out"

hand_back() {
    "$python" -m training pack --run "$work/run" --out "$out" --mib 58
    local sheet
    sheet=$(find "$work/run/sheets" -name '*.png' 2>/dev/null | sort | tail -n 1)
    if [ -n "$sheet" ]; then cp "$sheet" "$out/sheet.png"; fi
}

touch "$work/handed_back"
"$python" -m training train --data "$work"/data/* --out "$work/run" --minutes "$minutes" \
    --checkpoint-minutes 1.5 --sheet-minutes 3 "$@" &
train=$!
trap 'kill -TERM "$train" 2>/dev/null || true' TERM INT
while kill -0 "$train" 2>/dev/null; do
    sleep 2
    if [ "$work/run/state.safetensors" -nt "$work/handed_back" ]; then
        touch "$work/handed_back"
        hand_back
    fi
done
wait "$train"
hand_back
