"""Handlers of a module that does not import `logging` on its own."""


def context_log(event, context):
    context.log("plain")
    context.log("line\n")


def late_import(event, context):
    import logging

    logging.warning("imported late")
    logging.getLogger("other").error("second")


def in_thread(event, context):
    import threading

    def work():
        import logging

        logging.getLogger("thread").warning("from a thread")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def importlib_import(event, context):
    import importlib
    import importlib.util

    spec = importlib.util.find_spec("logging.handlers")
    importlib.import_module("logging").warning("by importlib")
    return spec.name
