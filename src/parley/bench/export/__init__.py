"""The suites elsewhere: as a task of inspect_ai, an OpenEnv server, and an environment of verifiers."""
