"""Says hello. The smallest useful function in Python."""


def handler(event, context):
    print("hello from Python, request", context.aws_request_id)
    return {"message": f"Hello, {event.get('name', 'world')}!", "runtime": "python"}
