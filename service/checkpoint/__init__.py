"""A recipe as files: shards, index and manifest, written and verified."""
