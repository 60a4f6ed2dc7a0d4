"""3D-SSGAN portraits: the extension's entry, which only hands over to ``ssgan3d_blender``."""


def register() -> None:
    """Add the portrait tools to Blender."""
    from . import ssgan3d_blender

    ssgan3d_blender.register()


def unregister() -> None:
    """Remove everything that `register` added."""
    from . import ssgan3d_blender

    ssgan3d_blender.unregister()
