//! Commit and act, swapped.

use crate::rules::{Rules, SHIPPED};

pub const ACTS_FIRST: Rules = Rules {
    acts_first: true,
    ..SHIPPED
};
