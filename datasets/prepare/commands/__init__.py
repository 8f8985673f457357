"""What the prepare commands do, step by step."""
