"""What is done to files on disk: moved aside, put back, copied, shared. Decides nothing."""
