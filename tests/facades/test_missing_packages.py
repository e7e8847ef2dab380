"""What is said where the package of an extra is missing: in a new process, in which no module has it yet."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pyarrow", "numpy", "pandas", "jsonschema", "fsspec"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import lakefs_hl as lakefs

lakefs.init("mem://")
ds = lakefs.dataset("reef")
ds.mint({"name": "Reef"})
main = ds.repository.branch("main")
main.upload("id\\n1\\n", "a.csv", commit_message="first")
for call in (
    lambda: main.table_diff("main@", "a.csv"),
    lambda: ds.validate_metadata({}, {"type": "object"}),
    lambda: lakefs.dataset("other").mint({}, schema={"type": "object"}),
    lambda: lakefs.import_external("aws", "bucket", {}),
    lambda: main.list_objects().to_pandas(),
):
    try:
        call()
    except ImportError as exc:
        print(exc)
assert not lakefs.repository("other").exists()
assert len(lakefs.search("reef")) == 2
"""


def test_the_error_of_a_missing_package_names_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    said = done.stdout.splitlines()
    wanted = ("tables", "datasets", "datasets", "fsspec", "pandas")
    assert [line.rpartition("pip install ")[2] for line in said] == [f"'lakefs-hl[{extra}]'" for extra in wanted]
