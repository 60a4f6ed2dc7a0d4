"""3D-SSGAN: the generative model and everything that runs it without Blender.

Importing this package imports nothing heavy; import the modules that you need.
"""

import os

# OpenMP's threads spin for up to 200 ms after each product before they sleep, which takes the cores
# from Blender and from every other program. To spin until the next product of a picture pays: where
# a core that sleeps wakes slowly (virtual machines), a second one is worth nothing otherwise.
# They read these when torch is imported. The first is GNU's (pauses of a core: 0.2 to 0.5 ms), the
# second LLVM's and Intel's (ms).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("KMP_BLOCKTIME", "1")
