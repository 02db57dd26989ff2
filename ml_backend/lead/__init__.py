"""The data lead's page: the state of a review, fetched from Label Studio beside the web server."""
