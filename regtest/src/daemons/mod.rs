//! Real daemons as processes of the harness: found, started in folders of their own, stopped when dropped.

pub mod elementsd;
