"""Makes a test depend on the snapshots that pytest plugins such as syrupy keep beside it, and finds those of none."""
