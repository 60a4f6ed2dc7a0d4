import bpy
portrait = bpy.context.object.ssgan3d

portrait.recipe = '{"seed":163,"truncation":1.0,"parts":{}}'
