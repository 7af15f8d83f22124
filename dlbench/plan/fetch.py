"""One file from an http address to a path: whole and verified, or not at all. Knows no dataset and no mirror."""

import socket
import threading
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

CONNECT_S = 3.0
"""Longest wait for a name to be resolved, and again for a connection: without network a plan must not hang."""

STALL_S = 30.0
"""Longest wait for the next bytes."""


class NotFetched(Exception):
    """The file could not be had; `str()` says why in a few words, without the address."""


class NotOfficial(NotFetched):
    """The file came, but with another digest than the official one."""


def fetch(url: str, path: Path, known_hash: str | None, *, stall_s: float = STALL_S) -> None:
    """Download to `path` by way of a temporary file beside it, which is verified before it is renamed.

    Args:
        url: http or https.
        path: where the file shall be; one that is there with another digest is replaced.
        known_hash: `sha256:…` or `md5:…`; None: nothing is known to check against.
        stall_s: longest wait for the next bytes.

    Raises:
        NotFetched: nothing is left behind.
    """
    import pooch
    import requests

    _resolve(urlsplit(url).hostname or "", bool(requests.utils.get_environ_proxies(url)))
    pooch.get_logger().setLevel("ERROR")  # only the command line prints
    downloader = pooch.HTTPDownloader(timeout=(CONNECT_S, stall_s), chunk_size=2**16)
    try:
        pooch.retrieve(url, known_hash=known_hash, fname=path.name, path=path.parent, downloader=downloader)
    except requests.HTTPError as error:
        answer = error.response
        raise NotFetched(
            f"the server answered {answer.status_code} {answer.reason}" if answer is not None else str(error)
        ) from error
    except requests.ConnectTimeout as error:
        raise NotFetched(f"no connection within {CONNECT_S:.0f} s") from error
    except requests.ReadTimeout as error:
        raise NotFetched(f"the server sent nothing for {stall_s:g} s") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise NotFetched("the connection broke off") from error
    except requests.ConnectionError as error:
        # A stall in the middle of a body arrives as this class too.
        reason = f"the server sent nothing for {stall_s:g} s" if "timed out" in str(error) else "no connection"
        raise NotFetched(reason) from error
    except requests.RequestException as error:
        raise NotFetched(str(error)) from error
    except OSError as error:
        raise NotFetched(f"{path.parent}: {error.strerror or error}") from error
    except ValueError as error:  # what pooch raises for another digest
        raise NotOfficial("what came is not the official file") from error


@lru_cache
def _host_known(host: str) -> bool:
    """Whether a name resolves within the limit; asked once a process, in a thread because it cannot be interrupted."""
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, None))
        except OSError:
            return  # no answer is the answer

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_S)
    return bool(answers)


def _resolve(host: str, by_proxy: bool) -> None:
    if not by_proxy and not _host_known(host):  # a proxy resolves names itself
        raise NotFetched(f"{host} is unknown: no network?")
