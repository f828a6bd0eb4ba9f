"""What only a running workflow needs: jobs, their records, locks, digests of code."""
