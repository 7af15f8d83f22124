"""A suite whose every name, reason and description tries to be more than text."""

from synthetic import costs, job, quality, result

from dlbench.schema.record import Result

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }} ${7*7} {% raw %}",
    '=HYPERLINK("http://example.com")',
    "a|b\n# heading\n- list [x](javascript:alert(1)) `code` *bold* __x__",
    "]]>\u2028</noscript><b>",
    "\x1b[2J\x00\r\u202egnol",
)


def poisoned() -> list[Result]:
    results: list[Result] = []
    for number, payload in enumerate(PAYLOADS):
        results += quality(payload, [0.9 - number / 100, 0.91 - number / 100])
        results += costs(payload, {"infer_throughput": [100.0 + number], "infer_peak_memory_bytes": [1e6 + number]})
        results.append(result(job(payload, number=7), payload, status="failed", reason=payload))
    return results
