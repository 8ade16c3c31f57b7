"""Session memory: items and stores, and the session log over them."""
