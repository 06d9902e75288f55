"""``tensorseed`` whose shards are of 1 MB at most, so that a sharded repository is a small one."""

from pydantic import ByteSize

from service.checkpoint import files as checkpoint
from service.cli import main

if __name__ == "__main__":
    checkpoint.Cut.model_fields["shard_size"].default = ByteSize(1_000_000)
    checkpoint.Cut.model_rebuild(force=True)
    main()
