"""One Java machine a process, for the simulators that run in one (py4j): their environments share it."""

import os
import shutil
import subprocess
import threading
from functools import lru_cache
from typing import IO, Any

from parley.core.errors import BadInput
from parley.core.text import inert


def found(java: str, what: str) -> str:
    """The named `java`, that of JAVA_HOME, or that of the path; raises `BadInput` if none exists."""
    home = os.environ.get("JAVA_HOME", "")
    for one in (java,) if java else (os.path.join(home, "bin", "java") if home else "", "java"):
        if one and (path := shutil.which(one)):
            return os.path.abspath(path)  # it is started in another directory
    raise BadInput(
        f"{what} runs on Java, and {f'java={java!r} is none' if java else 'none was found'}: install one (Debian: "
        "apt install default-jre-headless), or name it, java=PATH"
    )


# Sets are told in the order of their members' hashes, which are drawn at random unless they are all the same.
REPEATS = ["-XX:+UnlockExperimentalVMOptions", "-XX:hashCode=2"]


@lru_cache(maxsize=8)
def machine(java: str, jar: str, folder: str, process: int) -> Any:
    """The gateway to a Java machine with the classes of `jar`; it ends with this process, `process` is its id."""
    from py4j.java_gateway import GatewayParameters, JavaGateway, find_jar_path

    classes = os.pathsep.join([find_jar_path(), jar])
    command = [java, *REPEATS, "-classpath", classes, "py4j.GatewayServer", "--die-on-broken-pipe", "0"]
    # py4j's own `launch_gateway` leaves the process and its pipes behind where no port is said.
    try:
        child = subprocess.Popen(
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
        )
    except OSError as wrong:
        raise BadInput(f"java={java!r} starts no Java machine: {wrong}") from wrong
    said = child.stdout.readline()  # type: ignore[union-attr]
    if not said.strip().isdigit():
        child.kill()
        with child:  # closes the pipes, and waits
            pass
        raise BadInput(f"java={java!r} starts no Java machine: it said {inert(repr(said), 80)} instead of its port")
    threading.Thread(target=_read_on, args=(child.stdout,), daemon=True).start()
    return JavaGateway(gateway_parameters=GatewayParameters(auto_field=True, port=int(said)), java_process=child)


def _read_on(said: IO[bytes]) -> None:
    """What nobody reads would stop it, once the pipe is full."""
    while said.read(1 << 16):
        pass
