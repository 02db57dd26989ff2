"""Entity aligners: joint, pair and baselines, with their decoding and confidence."""
