import bpy
portrait = bpy.context.object.ssgan3d

portrait.recipe = '{"seed":80,"truncation":0.9,"parts":{}}'
