"""Who takes machines through the steps of a rollout: this process, or workers that are given shards."""
