"""3D-SSGAN: the generative model and everything that runs it without Blender.

Importing this package imports nothing heavy; import the modules that you need.
"""
