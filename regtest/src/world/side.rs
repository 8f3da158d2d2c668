//! The two places in a world of two operators.

/// One of the two operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first, who funded the channels.
    Alice,
    /// The second.
    Bob,
}

impl Side {
    /// Both, in the order of the world's nodes.
    pub const BOTH: [Side; 2] = [Side::Alice, Side::Bob];

    /// The place in arrays and among the world's nodes.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Side::Alice => 0,
            Side::Bob => 1,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Alice => "alice",
            Side::Bob => "bob",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Alice => Side::Bob,
            Side::Bob => Side::Alice,
        }
    }
}
