"""Which run of MLflow stands for what: the tags that tell a run from every other, and its key in the ledger."""

from collections.abc import Mapping

STORE, SUITE, JOB, ATTEMPT = "dlbench.store", "dlbench.suite", "dlbench.job_id", "dlbench.attempt"
INVOCATION, STATE, KIND = "dlbench.invocation", "dlbench.state", "dlbench.kind"
STUDY, CANDIDATE = "dlbench.study", "dlbench.candidate"
PARENT = "mlflow.parentRunId"
STUDY_KEY = "study:"


def key_of(tags: Mapping[str, str]) -> str:
    """The ledger's key of a run with these tags."""
    if INVOCATION in tags:
        return str(tags[INVOCATION])
    if JOB not in tags and STUDY in tags:
        return study_key(tags[STUDY])
    return f"{tags.get(JOB)}/{tags.get(ATTEMPT)}"


def study_key(study: str) -> str:
    """The ledger's key of a study's run."""
    return f"{STUDY_KEY}{study}"


def study_in(key: str) -> str | None:
    """The study whose run has that key; None: it is another run's."""
    return key.removeprefix(STUDY_KEY) if key.startswith(STUDY_KEY) else None


def identity_of(store: str, suite: str, key: str) -> dict[str, str]:
    """The tags of the run with that key; the reverse of `key_of`."""
    job_id, slash, attempt = key.partition("/")
    study = study_in(key)
    if study is not None:
        own = {STUDY: study, KIND: "study"}  # its candidates' runs name it too
    else:
        own = {JOB: job_id, ATTEMPT: attempt} if slash else {INVOCATION: key}
    return {STORE: store, SUITE: suite, **own}


def split(key: str) -> tuple[str, int]:
    """`<job id>/<attempt>` → job id and number."""
    job_id, _, attempt = key.partition("/")
    return job_id, int(attempt)
