"""Contract suites: what every storage and every executor must do, for pytest, also for plug-ins.

A test class inherits a suite and gives the fixture that it asks for:

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            return MyStorage(tmp_path)
"""

from sciflow.testing.executor import ExecutorContract
from sciflow.testing.storage import StorageContract

__all__ = ["ExecutorContract", "StorageContract"]
