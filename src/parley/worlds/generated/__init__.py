"""Whole families of worlds, drawn at random: kinds of world, their words, sizes, dynamics, noise, and traps."""
