"""The whole schema, by requests that schemathesis makes up: each answer is one it names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_item, make_person

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "40")  # of each operation, in each phase
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_schema_conformance", "ignored_auth", "ensure_resource_availability"),
)
# A token that a made-up request ends would make all the others 401.
# And lines of JSON it cannot make up.
LEFT_OUT = (
    r"/auth/(logout|logout-all|password|sign-ins/\{uuid\})/$|/server/(items|people|feedback)/"
)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_that_is_made_up_gives_an_error_or_an_answer_outside_the_schema(
    live_server, tmp_path
):
    person = make_person("alice")
    items = [make_item(f"kettle {n}", categories=["kitchen"], creator="Ada") for n in range(30)]
    give(person, items[0])
    embed_and_learn()
    header = client_of(person)._credentials["HTTP_AUTHORIZATION"]
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("st"), "--no-color", "run"),
            f"{live_server.url}/api/schema/?format=json",
            *("--header", f"Authorization: {header}", "--exclude-path-regex", LEFT_OUT),
            *("--checks", ",".join(CHECKS), "--max-examples", EXAMPLES, "--seed", "1"),
            *("--workers", "1", "--generation-database", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
