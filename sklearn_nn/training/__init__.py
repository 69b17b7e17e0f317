"""Losses, optimizers, schedules and the trainer that drives the machine through epochs."""
