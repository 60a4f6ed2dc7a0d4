#!/bin/bash
# The add-on in a real Blender window, driven by mouse and keyboard (see README.md beside this file).
#
#   tests/gui/run.sh ZIP OUT [CHROOT]
#
# ZIP     the extension, as `build.py zip` makes it
# OUT     folder for the screenshots and report.json
# CHROOT  a folder with a system of its own that holds Blender (needs root); without it this system's Blender runs
#
# Needs there: blender, Xvfb, xdotool, import (ImageMagick), and what the add-on needs in Blender's Python.
# Before the window come the command lines (headless.sh), unless TOUR names stops.
# Settings: SIZE=1440x1100 of the window, DISPLAY_NUMBER=98, LIMIT=1800 seconds, TOUR=names of stops, all if empty, REPEAT=5 times, SPEAK=de_DE for the language.
# The exit status is 0 when every check held.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
zip=$(realpath "$1"); mkdir -p "$2"; out=$(realpath "$2"); chroot=${3:-}
size=${SIZE:-1440x1100}; number=${DISPLAY_NUMBER:-98}; limit=${LIMIT:-1800}

work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$zip" "$work/extension.zip"
cp "$here"/*.py "$here/headless.sh" "$here/../../examples/batch_portraits.py" "$work/"
cat > "$work/inside.sh" <<EOF
set -euo pipefail
cd '$work'
mkdir -m 700 run
export XDG_RUNTIME_DIR='$work/run' BLENDER_USER_RESOURCES='$work/user' OUT='$out' TOUR='${TOUR:-}' REPEAT='${REPEAT:-}' SPEAK='${SPEAK:-}'
export HOME='$work' LANG=C.UTF-8 PYTHONPATH='$work' PYTHONDONTWRITEBYTECODE=1
export LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe OMP_WAIT_POLICY=PASSIVE
blender -b --command extension install-file -r user_default --enable extension.zip
[ -n '${TOUR:-}' ] || bash headless.sh '$work/batch_portraits.py' '$out'
blender -b --python-exit-code 1 --python settle_in.py >/dev/null
Xvfb :$number -screen 0 ${size}x24 +extension GLX -nolisten tcp >xvfb.log 2>&1 &
xvfb=\$!
trap 'kill \$xvfb' EXIT
for _ in \$(seq 100); do [ -e /tmp/.X11-unix/X$number ] && break; sleep 0.1; done
DISPLAY=:$number timeout -k 5 $limit blender --python-use-system-env \
  --window-geometry 0 0 ${size%x*} ${size#*x} --python-exit-code 1 --python tour.py
EOF

if [ -z "$chroot" ]; then
  bash "$work/inside.sh"
else
  unshare --mount --fork bash -c '
    root=$1; out=$2; script=$3
    mount -t proc proc "$root/proc"; mount --rbind /sys "$root/sys"; mount --rbind /dev "$root/dev"
    mkdir -p "$root/dev/shm" "$root$out"; mount --bind "$out" "$root$out"
    exec chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin bash "$script"
  ' _ "$(realpath "$chroot")" "$out" "$work/inside.sh"
fi
