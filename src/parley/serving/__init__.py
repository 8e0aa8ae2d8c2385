"""A small OpenAI-compatible server over a checkpoint, for users without a GPU server and for tests."""
