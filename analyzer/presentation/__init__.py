"""What people and programs see: one module for stdout, one for stderr, and the words between."""
