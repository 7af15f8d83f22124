"""The three places where a dataset's files may lie: cache, mirror, official address (DESIGN §5).

Knows no format, and not which place is asked first.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, urlsplit

import platformdirs

from dlbench.errors import UsageError
from dlbench.plan.digests import Algorithm, Digests
from dlbench.plan.fetch import NotFetched, NotOfficial, fetch
from dlbench.schema.base import Value
from dlbench.schema.data import DataCopy, DataFile

Tell = Callable[[str], None]

NOT_CACHED = "not in the cache"
UNOFFICIAL_HINT = "--unofficial-data would use it"

_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "": False,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class DataOptions(Value):
    """Where data may come from.

    Attributes:
        mirror: a folder, or an http base, that holds `<folder>/<file>`.
        offline: never touch the network; a folder mirror is not the network.
        unofficial: use a mirror's copy whose digests are not the official ones.
        cache: folder for downloads, and for what is remembered of files.
    """

    mirror: str | None = None
    offline: bool = False
    unofficial: bool = False
    cache: Path

    @classmethod
    def from_environment(
        cls,
        mirror: str | None = None,
        offline: bool | None = None,
        unofficial: bool | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Flags where they are given, else `DLBENCH_DATA_MIRROR`, `DLBENCH_OFFLINE`, `DLBENCH_UNOFFICIAL_DATA`.

        Raises:
            UsageError: a variable is neither yes nor no.
        """
        environ = os.environ if environ is None else environ
        return cls(
            mirror=mirror or environ.get("DLBENCH_DATA_MIRROR") or None,
            offline=_flag(environ, "DLBENCH_OFFLINE") if offline is None else offline,
            unofficial=_flag(environ, "DLBENCH_UNOFFICIAL_DATA") if unofficial is None else unofficial,
            cache=platformdirs.user_cache_path("dlbench") / "data",
        )

    @property
    def web_mirror(self) -> str | None:
        """The mirror, if it is an http base, without a slash at its end."""
        mirror = self.mirror or ""
        return mirror.rstrip("/") if urlsplit(mirror).scheme in ("http", "https") else None

    @property
    def folder_mirror(self) -> Path | None:
        """The mirror, if it is a folder; absolute, because workers run elsewhere."""
        return Path(self.mirror).expanduser().absolute() if self.mirror and not self.web_mirror else None


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in _WORDS:
        raise UsageError(f"{name}={environ[name]}: say 1 or 0")
    return _WORDS[value]


class FileStatus(Value):
    """One place where a file of a dataset may lie.

    Attributes:
        place: `cache` or `mirror`.
        state: `unverifiable`: its source publishes no digest.
    """

    file: DataFile
    place: Literal["cache", "mirror"]
    path: Path
    state: Literal["official", "other", "unverifiable", "missing", "unreadable"]
    size: int | None = None


def located(files: Sequence[DataFile], options: DataOptions, *, fresh: bool = False) -> list[FileStatus]:
    """What lies in the cache and in a folder mirror; the network is not touched.

    Args:
        files: of one dataset.
        options: where data may come from.
        fresh: read every file again instead of trusting its size and time.
    """
    digests = _digests(options)
    found = [_status(file, "cache", options.cache, digests, fresh) for file in files]
    if options.folder_mirror is not None:
        found += [_status(file, "mirror", options.folder_mirror, digests, fresh) for file in files]
    return found


def _digests(options: DataOptions) -> Digests:
    return Digests(options.cache / "digests.json")


def _official(file: DataFile) -> tuple[Algorithm, str] | None:
    """The published digest: SHA-256, or MD5 where that is all that is known."""
    if file.sha256 is not None:
        return "sha256", file.sha256
    return ("md5", file.md5) if file.md5 is not None else None


def _status(
    file: DataFile, place: Literal["cache", "mirror"], base: Path, digests: Digests, fresh: bool = False
) -> FileStatus:
    path = base / file.folder / file.name
    official = _official(file)
    size: int | None = None
    state: Literal["official", "other", "unverifiable", "missing", "unreadable"]
    try:
        size = path.stat().st_size
        if official is None:
            state = "unverifiable"
        else:
            state = "official" if digests.of(path, official[0], fresh=fresh) == official[1] else "other"
    except FileNotFoundError:
        state = "missing"
    except OSError:
        state = "unreadable"
    return FileStatus(file=file, place=place, path=path, state=state, size=size)


def hashed(text: str) -> str:
    """`sha256:…` over a text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _data(
    files: Sequence[DataFile],
    base: Path,
    source: Literal["cache", "mirror", "download"],
    official: bool,
    digests: Digests,
) -> DataCopy:
    """A copy below `base`; its digest is over published digests where it is official, else over its bytes."""
    lines = []
    for file in files:
        published = _official(file) if official else None
        algorithm, digest = published or ("sha256", digests.of(base / file.folder / file.name, "sha256"))
        lines.append(f"{file.name} {algorithm}:{digest}")
    return DataCopy(
        root=base / files[0].folder, digest=hashed("\n".join(sorted(lines))), source=source, official=official
    )


def from_cache(files: Sequence[DataFile], options: DataOptions, notes: list[str], tell: Tell) -> DataCopy | None:
    """A copy that was downloaded earlier; a file without a published digest is trusted for that."""
    digests = _digests(options)
    found = [_status(file, "cache", options.cache, digests) for file in files]
    if all(status.state in ("official", "unverifiable") for status in found):
        return _data(files, options.cache, "cache", True, digests)
    damaged = [status.file.name for status in found if status.state in ("other", "unreadable")]
    notes.append(f"damaged in the cache: {', '.join(damaged)}" if damaged else NOT_CACHED)
    return None


def from_folder(files: Sequence[DataFile], options: DataOptions, notes: list[str], tell: Tell) -> DataCopy | None:
    """A folder mirror's copy, used in place."""
    base = options.folder_mirror
    if base is None:
        return None
    if not base.is_dir():
        notes.append(f"the mirror {base} is not a folder")
        return None
    digests = _digests(options)
    found = [_status(file, "mirror", base, digests) for file in files]
    for state, words in (("missing", "has no"), ("unreadable", "does not let us read")):
        names = [status.file.name for status in found if status.state == state]
        if names:
            notes.append(f"the mirror {words} {', '.join(f'{files[0].folder}/{name}' for name in names)}")
            return None
    return _judged(files, base, found, options, notes)


def _judged(
    files: Sequence[DataFile], base: Path, found: Sequence[FileStatus], options: DataOptions, notes: list[str]
) -> DataCopy | None:
    """A mirror's complete copy, if it is official, or if the user accepts that it is not."""
    others = [status.file.name for status in found if status.state == "other"]
    unknown = [status.file.name for status in found if status.state == "unverifiable"]
    if others or unknown:
        verdict = "not official" if others else "without a published digest"
        allowed = "used because of --unofficial-data" if options.unofficial else UNOFFICIAL_HINT
        notes.append(f"the mirror's {', '.join(others or unknown)}: {verdict} ({allowed})")
        if not options.unofficial:
            return None
    return _data(files, base, "mirror", not (others or unknown), _digests(options))


def from_web_mirror(files: Sequence[DataFile], options: DataOptions, notes: list[str], tell: Tell) -> DataCopy | None:
    """An http mirror's copy: official files go to the cache, any others to a place of their own."""
    mirror = options.web_mirror
    if mirror is None:
        return None
    if not options.unofficial:
        unknown = [file.name for file in files if _official(file) is None]
        if unknown:
            notes.append(f"the mirror's {', '.join(unknown)}: without a published digest ({UNOFFICIAL_HINT})")
            return None
        complete = _fetch_all(files, options, options.cache, mirror, notes, tell)
        return _data(files, options.cache, "mirror", True, _digests(options)) if complete else None
    base = options.cache / "mirrors" / hashlib.sha256(mirror.encode()).hexdigest()[:16]
    if not _fetch_all(files, options, base, mirror, notes, tell):
        return None
    found = [_status(file, "mirror", base, _digests(options)) for file in files]
    return _judged(files, base, found, options, notes)


def from_download(files: Sequence[DataFile], options: DataOptions, notes: list[str], tell: Tell) -> DataCopy | None:
    """The official source's copy, into the cache."""
    if not _fetch_all(files, options, options.cache, None, notes, tell):
        return None
    return _data(files, options.cache, "download", True, _digests(options))


def _fetch_all(
    files: Sequence[DataFile], options: DataOptions, base: Path, mirror: str | None, notes: list[str], tell: Tell
) -> bool:
    """Bring every file that is not there yet below `base`, from the mirror or from its official address.

    What lands in the cache must have its published digest; what lands elsewhere is judged later.
    """
    digests = _digests(options)
    for file in files:
        path = base / file.folder / file.name
        state = _status(file, "cache", base, digests).state
        if state in ("official", "unverifiable") or (state == "other" and base != options.cache):
            continue
        if options.offline:
            notes.append("network off")
            return False
        url = f"{mirror}/{quote(f'{file.folder}/{file.name}')}" if mirror else file.url
        megabytes = f" ({file.size / 1e6:.1f} MB)" if file.size else ""
        tell(f"fetching {url}{megabytes}")
        official = _official(file) if base == options.cache else None
        try:
            fetch(url, path, f"{official[0]}:{official[1]}" if official else None)
        except NotOfficial as error:
            hint = f" ({UNOFFICIAL_HINT})" if mirror else ""
            notes.append(f"{url}: {error}{hint}")
            return False
        except NotFetched as error:
            notes.append(f"{url}: {error}")
            return False
    return True
