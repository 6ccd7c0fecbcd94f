"""Jobs that are neither requests nor encoding: loads of feeds on a schedule, and the deletion of what is too old."""
