"""Work on shards: in this process, in a pool of processes, or on a Ray cluster; always the same bytes."""
