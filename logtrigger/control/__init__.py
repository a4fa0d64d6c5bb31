"""The control socket: what the running daemon answers to its commands.

socket → server → a request → desk → rows, pulled as the socket drains → the client and its table
"""
