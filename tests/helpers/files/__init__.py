"""Files that are forged, and failures of writing one."""
