"""A user's shell: a process with an environment of its own that runs each command in a fork, so imports are paid once.

The environment is read by the Hub's client while it is imported, hence the process of its own. Commands come as JSON
lines, {"arguments": [...], "code": "...", "env": {...}, "cwd": "..."}, and so do the answers.
"""

import json
import os
import runpy
import sys
import tempfile
import traceback
from pathlib import Path

WARM = (
    *("occbench.cli", "occbench.data.datasets", "occbench.report.preview", "occbench.report.sheet", "rich.progress"),
    *("occbench.publish.dataset", "occbench.publish.hub", "occbench.occlusions.patterns", "occbench.sources.toyparts"),
    *("huggingface_hub.hf_api", "huggingface_hub._commit_api", "huggingface_hub._snapshot_download"),
)


def run(task, out, err):
    """Run one command in this process, which is a fork; return its exit code."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ.update(task["env"])
    os.chdir(task["cwd"])
    try:
        if task["code"]:
            script = Path(tempfile.mkstemp(suffix=".py", dir=task["cwd"])[1])
            script.write_text(task["code"])
            runpy.run_path(str(script), run_name="__main__")
            return 0
        from occbench.cli import main

        sys.argv = ["occbench", *task["arguments"]]
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Exception:  # noqa: BLE001 - whatever it is, the parent is told
        traceback.print_exc()
        return 1
    return 0


def main():
    """Answer every line of the standard input."""
    for module in WARM:
        __import__(module)
    for line in sys.stdin:
        task = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if not child:
                code = 1
                try:
                    code = run(task, out.fileno(), err.fileno())
                    sys.stdout.flush()
                    sys.stderr.flush()
                finally:
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode())
        answer = {"returncode": os.waitstatus_to_exitcode(status), "stdout": texts[0], "stderr": texts[1]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
