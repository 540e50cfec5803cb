"""Runs a program whose standard output nobody reads, until a line comes in here; from then on it is passed on.

    unread.py pipe|socket|terminal COMMAND...      prints the program's pid, and ends as the program does
"""
import os
import pty
import socket
import subprocess
import sys
import threading

kind, *command = sys.argv[1:]
if kind == "pipe":
    ours, its = os.pipe()
elif kind == "terminal":
    ours, its = pty.openpty()
else:
    ours, its = (end.detach() for end in socket.socketpair())
program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=its)
os.close(its)
print(program.pid, flush=True)


def read():
    sys.stdin.readline()
    is_reading.set()
    try:
        while text := os.read(ours, 65536):
            os.write(1, text)
    except OSError:
        pass  # the end of a terminal


is_reading = threading.Event()
reader = threading.Thread(target=read, daemon=True)
reader.start()
code = program.wait()
if is_reading.is_set():
    reader.join()
os._exit(code)
