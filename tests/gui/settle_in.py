"""Settings of the Blender that the tour runs in, saved before its window opens."""

import bpy

preferences = bpy.context.preferences
preferences.view.show_splash = False
preferences.view.show_developer_ui = False
# No window manager runs, so pictures are shown in the window that is there, not in a new one.
preferences.view.render_display_type = "AREA"
preferences.view.smooth_view = 0
preferences.system.use_online_access = False
preferences.use_preferences_save = False
bpy.ops.wm.save_userpref()
