import bpy
portrait = bpy.context.object.ssgan3d

portrait.recipe = '{"seed":74,"truncation":1.0,"parts":{}}'
