"""Contract suites: what every storage, batch system, executor and transport must do, for pytest, also for plug-ins.

A test class inherits a suite and gives the fixture that it asks for:

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            return MyStorage(tmp_path)
"""

from sciflow.testing.batch_system import BatchSystemContract, LiveBatchSystemContract
from sciflow.testing.executor import ExecutorContract
from sciflow.testing.storage import StorageContract
from sciflow.testing.transport import TransportContract

__all__ = ["BatchSystemContract", "ExecutorContract", "LiveBatchSystemContract", "StorageContract", "TransportContract"]
