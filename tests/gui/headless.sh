#!/bin/bash
# The command lines of docs/headless.md in a real Blender: run.sh calls it, with the extension enabled.
#
#   headless.sh BATCH_SCRIPT OUT      writes OUT/headless.log; the exit status is 0 when every check held
set -uo pipefail
batch=$1; log=$2/headless.log; work=$(mktemp -d); cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
: > "$log"
failed=0

check() {  # check WHAT COMMAND...: the command must succeed
  local what=$1; shift
  if "$@" >> "$log" 2>&1; then echo "ok      $what"; else echo "FAILED  $what"; failed=1; fi
}

status() {  # status CODE COMMAND...: the command must end with this exit status
  local wanted=$1; shift
  "$@"
  local got=$?
  [ $got -eq "$wanted" ] || { echo "exit status $got and not $wanted"; return 1; }
}

ours() { blender -b --command ssgan3d "$@"; }

check "info" ours info
check "render writes a picture" ours render --seed 3 --yaw 20 --size 64x64 -o ann.png
check "it is there" test -s ann.png
check "--json tells of it" bash -c "blender -b --command ssgan3d render --seed 3 --size 64x64 -o b.png --json | grep '^{' | grep -q '\"size\": \[64, 64\]'"
check "a value that cannot be: 1" status 1 ours render --seed 3 --size 0x64 -o c.png
check "an unknown option: 2" status 2 ours render --sed 3 -o c.png
check "and nothing is written" test ! -e c.png
check "mesh" ours mesh --seed 3 --resolution 48 -o ann.glb
check "turntable into frames" ours turntable --seed 3 --frames 3 --size 48x48 -o frames
check "all three" bash -c '[ "$(ls frames/*.png | wc -l)" = 3 ]'
check "sheet" ours sheet --seeds 0:4 --tile 32 -o people.png

check "a file with a portrait" blender -b --python-exit-code 1 --python-expr "
import bpy
bpy.ops.ssgan3d.add_portrait()
bpy.ops.ssgan3d.setup_scene()
bpy.ops.ssgan3d.camera_path(frames=4)
render = bpy.context.scene.render
render.resolution_x = render.resolution_y = 48
bpy.ops.wm.save_as_mainfile(filepath='shot.blend')
"
check "-E SSGAN3D -a" blender -b shot.blend -E SSGAN3D -o "$work/whole/f_####" -F PNG -a
check "one worker's share of the frames" blender -b shot.blend -E SSGAN3D -o "$work/share/f_####" -F PNG -s 2 -e 3 -a
check "the other worker's frame" blender -b shot.blend -E SSGAN3D -o "$work/share/f_####" -F PNG -f 4
# Blender writes the time of rendering into PNG files, so that pixels are compared and not bytes.
check "the same pictures" blender -b --python-exit-code 1 --python-expr "
import bpy, numpy as np
def pixels(path):
    image = bpy.data.images.load(path)
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return values
first = pixels('$work/whole/f_0001.png')
for frame in (2, 3, 4):
    whole, share = (pixels(f'$work/{folder}/f_{frame:04d}.png') for folder in ('whole', 'share'))
    assert np.array_equal(whole, share), frame
    assert not np.array_equal(whole, first), frame
"

printf 'name,seed,size,parts,mesh\nann,1,48,hair=22,no\nbob,2,48,hat=hide,yes\n' > jobs.csv
check "a batch" blender -b --python-exit-code 1 --python "$batch" -- jobs.csv --out portraits
check "its files" bash -c '[ -n "$(ls portraits/*ann* 2>/dev/null)" ] && [ -n "$(ls portraits/*bob*.glb portraits/bob/*.glb 2>/dev/null)" ]'
[ $failed -eq 0 ] || tail -60 "$log"
exit $failed
