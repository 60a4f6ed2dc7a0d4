import bpy
portrait = bpy.context.object.ssgan3d

portrait.recipe = '{"seed":96,"truncation":0.8,"parts":{"hat":{"visible":true}}}'
