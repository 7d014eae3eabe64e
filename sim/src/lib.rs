//! Deterministic simulation of the log: disk, faults, seeds.
