"""The live viewer: runs and experiments below a directory, in a browser, while they run and afterwards."""
