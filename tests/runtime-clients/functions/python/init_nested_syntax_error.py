import package.bad_syntax


def handler(event, context):
    pass
