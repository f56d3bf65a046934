"""Hooks around a snapshot, as functions register them: AWS' package of this name."""

_before_snapshot_registry = []
_after_restore_registry = []


def register_before_snapshot(function, *args, **kwargs):
    """Calls the function before the snapshot; what is registered last is called first.

    Also a decorator.
    """
    _before_snapshot_registry.append((function, args, kwargs))
    return function


def register_after_restore(function, *args, **kwargs):
    """Calls the function after each restore, in the order of registration.

    Also a decorator.
    """
    _after_restore_registry.append((function, args, kwargs))
    return function


def get_before_snapshot():
    """What is registered: tuples of function, positional and keyword arguments."""
    return _before_snapshot_registry


def get_after_restore():
    """What is registered: tuples of function, positional and keyword arguments."""
    return _after_restore_registry
