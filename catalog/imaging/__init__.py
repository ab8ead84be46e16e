"""One file becomes one fingerprint, or one failure that says why not.

The door is ``reading.read``. Nothing heavy is imported before its first call, so that the
parent of the workers may name it and stay small; ``reading.warm_up`` does it on purpose.
"""
