import bpy
portrait = bpy.context.object.ssgan3d

portrait.recipe = '{"seed":0,"truncation":0.0,"parts":{}}'
