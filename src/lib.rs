//! Sluice moves Lightning channel balance between two directly connected nodes by atomic swaps with on-chain coins.
