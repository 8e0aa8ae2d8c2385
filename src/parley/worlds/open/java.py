"""One Java machine a process, for the simulators that run in one (py4j): their environments share it."""

import os
import shutil
from functools import lru_cache
from typing import Any

from parley.core.errors import BadInput


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
    from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

    try:
        port = launch_gateway(classpath=jar, die_on_exit=True, cwd=folder, java_path=java, javaopts=REPEATS)
    except (OSError, ValueError) as wrong:
        raise BadInput(f"java={java!r} starts no Java machine: {wrong}") from wrong
    return JavaGateway(gateway_parameters=GatewayParameters(auto_field=True, port=port))
