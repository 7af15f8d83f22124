"""Where MLflow is: the tracking URI, what kind of place it names, and whether a server answers there.

Knows nothing of runs and does not import mlflow.
"""

import http.client
import importlib.util
import os
import re
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

DEFAULT_DATABASE = "mlflow.db"
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def available() -> bool:
    """Whether mlflow is installed; nothing is imported."""
    return importlib.util.find_spec("mlflow") is not None


def tracking_uri(folder: Path) -> str:
    """`MLFLOW_TRACKING_URI`, or the database that plain `mlflow ui` opens in `folder`; paths are absolute.

    Args:
        folder: the user's working folder.
    """
    return absolute(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{DEFAULT_DATABASE}", folder)


def absolute(uri: str, folder: Path) -> str:
    """The same place, named independently of the working folder.

    Args:
        uri: `sqlite:///mlflow.db`, `./mlruns`, `file:…`, `http://…`, `postgresql://…`.
        folder: what relative paths start from.
    """
    if uri.startswith("sqlite:///"):
        path, mark, options = uri.removeprefix("sqlite:///").partition("?")
        return f"sqlite:///{folder.absolute() / unquote(path)}{mark}{options}"
    if "://" not in uri and not uri.startswith(("file:", "databricks", "uc")):
        return (folder.absolute() / uri).as_uri()
    return uri


def database(uri: str) -> Path | None:
    """File of an SQLite database, or None when the URI names something else."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0])


def is_remote(uri: str) -> bool:
    """Whether every request crosses a network, so that nothing may wait for the answer."""
    return database(uri) is None and not uri.startswith("file:")


def shown(uri: str) -> str:
    """The URI without a user's name and password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def unreachable(uri: str, timeout_s: float = 3.0) -> str | None:
    """Why a server cannot be asked, or None; a place on this machine, or without a known port, is not asked.

    Any answer counts, also a refusal: only silence is unreachable. Name resolution has no time limit of its own,
    so the question is asked in a thread that is left behind when it takes too long.
    """
    if not is_remote(uri):
        return None
    verdict: list[str | None] = []
    asking = threading.Thread(target=lambda: verdict.append(_ask(uri, timeout_s)), daemon=True)
    asking.start()
    asking.join(timeout_s)
    return verdict[0] if verdict else f"no answer within {timeout_s:g} s"


def _ask(uri: str, timeout_s: float) -> str | None:
    try:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https"):
            _ask_http(uri, timeout_s)
            return None
        port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
        if parts.hostname and port:
            socket.create_connection((parts.hostname, port), timeout_s).close()
        return None
    except urllib.error.URLError as error:
        return str(getattr(error.reason, "strerror", None) or error.reason)
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, "strerror", None) or error)


def _ask_http(uri: str, timeout_s: float) -> None:
    """Asked through the environment's proxy, as mlflow will ask."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    try:
        urllib.request.urlopen(f"{parts.scheme}://{host}{parts.path.rstrip('/')}/health", timeout=timeout_s).close()
    except urllib.error.HTTPError as answer:
        answer.close()
