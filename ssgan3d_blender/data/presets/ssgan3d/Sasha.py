import bpy
portrait = bpy.context.object.ssgan3d

portrait.recipe = '{"seed":94,"truncation":0.8,"parts":{}}'
