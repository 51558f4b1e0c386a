"""Runs schemathesis against the OpenAPI document of a live `ctr serve`: answers
are as the document says, what it forbids is refused and what it allows is
taken. What JSON Schema can't say is left out: that the inputs of an inference
request are the model's columns and equally long. Rows as text (CSV and JSON
lines) are real ones, made by hooks.py; the examples of the document are tried by
TestOpenAPI.

    openapi.py --ctr ./ctr --schemathesis VENV/bin/schemathesis
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import serving

CONFIG = """
hooks = "HOOKS"

[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.enabled = false
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", type=Path, required=True)
    parser.add_argument("--schemathesis", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=15, help="generated for each operation")
    args = parser.parse_args()
    ctr = args.ctr.resolve()
    with tempfile.TemporaryDirectory() as folder:
        data = serving.rows(ctr, folder)
        lr = serving.train(ctr, data, Path(folder) / "lr.ctr", "--algo", "lr")
        dt = serving.train(ctr, data, Path(folder) / "dt.ctr", "--algo", "dt")
        config = Path(folder) / "schemathesis.toml"
        config.write_text(CONFIG.replace("HOOKS", str(Path(__file__).with_name("hooks.py"))))
        env = {**os.environ, "CTR_SERVE_TOKENS": "of-this-test", "CTR_TEST_ROWS": str(data)}
        with serving.Server(ctr, folder, "--model", lr, "--challenger", f"new={dt}", "--shadow", env=env) as server:
            done = subprocess.run(
                [args.schemathesis, "--config-file", config, "run", f"{server.url}/openapi.json", "-H", "Authorization: Bearer of-this-test",
                 "--phases", "coverage,fuzzing", "--max-examples", str(args.examples), "--seed", str(args.seed),
                 "--workers", "1", "--request-timeout", "20", "--no-color", "--continue-on-failure", "--suppress-health-check", "all"],
                cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=env)
        print(done.stdout if done.returncode else done.stdout[-1500:], file=sys.stderr)
        if done.returncode:
            raise serving.Failed("openapi: schemathesis found something")


if __name__ == "__main__":
    main()
