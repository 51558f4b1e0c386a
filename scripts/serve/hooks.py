"""Hooks of schemathesis for openapi.py: rows as text, which no schema describes.
CTR_TEST_ROWS is a CSV file of rows with a header."""

import json
import os

import schemathesis
from hypothesis import strategies as st

with open(os.environ["CTR_TEST_ROWS"]) as f:
    HEADER, *LINES = f.read().splitlines()[:200]

SOME = st.lists(st.sampled_from(LINES), min_size=1, max_size=5)
AS_JSON = [json.dumps(dict(zip(HEADER.split(","), line.split(","), strict=True))) for line in LINES]
TEXTS = {
    "text/csv": SOME.map(lambda lines: "\n".join([HEADER, *lines]).encode()),
    "text/tab-separated-values": SOME.map(lambda lines: "\n".join([HEADER, *lines]).replace(",", "\t").encode()),
    "application/x-ndjson": st.lists(st.sampled_from(AS_JSON), min_size=1, max_size=5).map(lambda lines: "\n".join(lines).encode()),
}
for kind, strategy in TEXTS.items():
    schemathesis.openapi.media_type(kind, strategy)


@schemathesis.serializer(*TEXTS)
def as_it_is(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Only JSON has a place for explanations: the document says so in words."""
    if case.media_type and case.media_type.startswith("text/") and case.query:
        case.query.pop("explain", None)
