"""The Label Studio client, and what else is known of projects and tasks there."""
