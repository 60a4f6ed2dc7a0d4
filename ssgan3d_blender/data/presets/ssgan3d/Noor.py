import bpy
portrait = bpy.context.object.ssgan3d

portrait.recipe = '{"seed":54,"truncation":0.8,"parts":{"glasses":{"visible":true}}}'
