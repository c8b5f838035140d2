"""Where tables lie: the lake (Delta tables) and the SQL engine over it. No calculation, no knowledge of sources."""
