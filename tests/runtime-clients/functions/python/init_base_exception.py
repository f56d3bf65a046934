class Error(BaseException):
    pass


raise Error("not an Exception")
