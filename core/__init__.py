"""3D-SSGAN: the generative model and everything that runs it without Blender.

Importing this package imports nothing heavy; import the modules that you need.
"""

import os

# OpenMP's threads spin for milliseconds after each product before they sleep, which takes the cores
# from Blender and from every other program. They read these when torch is imported. The first is
# GNU's (about 20 µs), the second LLVM's and Intel's (milliseconds; 200 otherwise).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("KMP_BLOCKTIME", "1")
