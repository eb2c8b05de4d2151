"""Takes the lock and the transaction out of the reader of the feed, for the controls in test_once.

Everything else is the shop.
"""

import time
from contextlib import nullcontext
from types import SimpleNamespace

from changes import models


def read_slowly(self, limit=100):
    changes = read(self, limit)
    time.sleep(1)  # so that the other process reads, too
    return changes


read = models.FeedReader.next_changes
models.FeedReader.next_changes = read_slowly
models.ReaderManager.select_for_update = lambda self, **options: self.all()
models.transaction = SimpleNamespace(atomic=nullcontext)
