"""The component's entry: one exported function, `handle`, for both roles.

A request is a `marshal` document `(operation, argument…)`; so is an answer (a dictionary). Whatever goes wrong in the
harness itself is answered as status "harness", never raised: a raised error would end the instance without a word.
"""

import marshal
import sys
import warnings

from novice_guest import stdlib, files, streams  # noqa: F401  (stdlib: so that submissions can import it)
from novice_guest import entry

warnings.simplefilter("ignore")
files.install()
streams.install()

import wit_world  # noqa: E402

entry.connect(wit_world)


class WitWorld(wit_world.WitWorld):
    def handle(self, request: bytes) -> bytes:
        return entry.handle(request)


entry.prepare_snapshot()
