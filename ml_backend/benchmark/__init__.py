"""Speed: the projection pipeline beside the published one and other aligners, in one run."""
