"""The way through a snapshot: hooks before, the wait, hooks after."""

import sys

import rushlight_errors as errors

BEFORE_SNAPSHOT_EXIT = 64
AFTER_RESTORE_EXIT = 65


def pass_through(client, log_sink, is_json):
    """Runs the hooks that user code registered; a failing one ends the process."""
    try:
        for function, args, kwargs in _hooks("_before_snapshot_registry", newest_first=True):
            function(*args, **kwargs)
        client.restore_next()
    except BaseException as error:
        report = errors.report(error)
        errors.log_error(report, log_sink, is_json)
        client.post_init_error(report, "Runtime.BeforeSnapshotError")
        sys.exit(BEFORE_SNAPSHOT_EXIT)
    try:
        for function, args, kwargs in _hooks("_after_restore_registry"):
            function(*args, **kwargs)
    except BaseException as error:
        report = errors.report(error)
        errors.log_error(report, log_sink, is_json)
        client.report_restore_error(report)
        sys.exit(AFTER_RESTORE_EXIT)


def _hooks(registry, newest_first=False):
    """Takes hooks one by one, so that a hook may register another.

    They are kept by the public package `snapshot_restore_py`; where nobody imported
    it there are none.
    """
    module = sys.modules.get("snapshot_restore_py")
    hooks = getattr(module, registry, [])
    if newest_first:
        while hooks:
            yield hooks.pop()
    else:
        yield from hooks
