import logging

logging.getLogger().setLevel("INFO")
logging.info("during init")
print("printed during init")


def handler(event, context):
    logging.info("during invoke")
