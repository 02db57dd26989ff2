"""`spanferry report`: what a data lead wants to know of a review, as figures and as one page."""
