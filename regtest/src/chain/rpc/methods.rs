//! The table of methods.

use std::time::Duration;

use super::{Answer, Call, RpcError, Shown};

/// A method.
pub struct Method<L: Shown> {
    /// Its name.
    pub name: &'static str,
    /// Its parameters: `name|alias:type?`, where the types are s(tring), n(umber), b(ool), a(rray), o(bject), x (any) and
    /// `?` marks an optional one.
    pub params: &'static str,
    /// The heading under which `help` lists it.
    pub category: &'static str,
    /// What it does.
    pub run: Run<L>,
}

/// How a method runs.
pub enum Run<L: Shown> {
    /// At once, with the node locked.
    Now(fn(&mut Call<'_, L>) -> Answer),
    /// Waits for a block without holding the node.
    Wait(fn(&Call<'_, L>) -> Result<Wait<L>, RpcError>),
    /// Ends the server.
    Stop,
}

/// What a waiting call waits for.
pub struct Wait<L: Shown> {
    /// When it is content.
    pub until: Until<L>,
    /// How long it waits; for ever if absent.
    pub timeout: Option<Duration>,
}

/// What a waiting call is content with.
pub enum Until<L: Shown> {
    /// A chain at least this high.
    Height(u32),
    /// Any other tip.
    NotTip(L::BlockHash),
    /// This tip.
    Tip(L::BlockHash),
}

/// A table of methods, by the heading of `help`: `"Control": { "uptime" "" Now(control::uptime); }`.
macro_rules! methods {
    ($($category:literal: { $($name:literal $params:literal $run:expr;)* })*) => {
        &[$($($crate::chain::rpc::Method { name: $name, params: $params, category: $category, run: $run },)*)*]
    };
}
pub(crate) use methods;

/// The methods of a release.
pub fn of<L: Shown>(release: L::Release) -> impl Iterator<Item = &'static Method<L>> {
    L::METHODS.iter().filter(move |method| L::knows(release, method))
}

/// The method of this name in a release.
pub fn find<L: Shown>(name: &str, release: L::Release) -> Option<&'static Method<L>> {
    of::<L>(release).find(|method| method.name == name)
}
