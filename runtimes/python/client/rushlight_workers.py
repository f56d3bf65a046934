"""Several invocations at once in one environment: each worker is a process that serves one.

AWS has functions on Managed Instances served so, and says how many at once with
`AWS_LAMBDA_MAX_CONCURRENCY`. What goes wrong between a worker and the Runtime API ends
neither it nor the others.
"""

import os

from rushlight_runtime import LambdaRuntimeClient, LambdaRuntimeClientError

_ATTEMPTS = 5
_FIRST_DELAY = 0.1
_REPORTED_BY_ANOTHER = 403


def become_one_of(count):
    """Returns in each of `count` new processes, and in no other.

    To be called before anything is loaded: what a fork copies should be little, and the
    function's own state belongs to one worker. The process that called waits for all of
    them and ends as they have ended.
    """
    workers = []
    for _ in range(count):
        worker = os.fork()
        if worker == 0:
            return
        workers.append(worker)
    statuses = [os.waitpid(worker, 0)[1] for worker in workers]
    os._exit(max(map(_exit_code, statuses)))


def _exit_code(status):
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1


class WorkerRuntimeClient(LambdaRuntimeClient):
    """The calls of the Runtime API, none of which ends the worker."""

    def wait_next_invocation(self):
        import time

        delay = _FIRST_DELAY
        for _ in range(_ATTEMPTS - 1):
            try:
                return super().wait_next_invocation()
            except Exception as error:
                _warn("Initial runtime_client.next() failed: %s" % error)
            time.sleep(delay)
            delay *= 2
        return super().wait_next_invocation()

    def post_invocation_result(self, *arguments, **named):
        self._try(super().post_invocation_result, arguments, named)

    def post_invocation_error(self, *arguments, **named):
        self._try(super().post_invocation_error, arguments, named)

    def post_init_error(self, *arguments, **named):
        try:
            super().post_init_error(*arguments, **named)
        except LambdaRuntimeClientError as error:
            if error.response_code != _REPORTED_BY_ANOTHER:
                raise

    @staticmethod
    def _try(call, arguments, named):
        try:
            call(*arguments, **named)
        except Exception as error:
            _warn("%s: This won't kill the Runtime loop" % error)


def _warn(message):
    import logging

    logging.warning(message)
