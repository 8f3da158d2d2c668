//! The chains that the daemon is configured for. One whose node has not answered since the start joins later: what is on
//! the others does not wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Engine, Shared, Side, side};
use crate::store::StoreError;
use crate::units::{Asset, Timestamp};

/// A configured chain whose node has not answered since the daemon's start, or not as one that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// What is waited for, and where it is.
    pub backend: String,
    /// What it said, or that it has said nothing.
    pub reason: String,
    /// Since when it is waited for.
    pub since: Timestamp,
}

/// Why a chain is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// No backend is configured for it.
    #[error("it is not configured")]
    NotConfigured,
    /// Its node has not answered since the start, or cannot be used.
    #[error("not there since the start: {}: {}", .0.backend, .0.reason)]
    Awaited(Awaited),
}

type Place = Result<Arc<Side>, Awaited>;

/// The configured chains, each with its side as soon as that is there.
pub(super) struct Sides(BTreeMap<Asset, watch::Sender<Place>>);

impl Sides {
    pub(super) fn new(sides: BTreeMap<Asset, Side>, awaited: BTreeMap<Asset, Awaited>) -> Sides {
        let here = sides.into_iter().map(|(asset, side)| (asset, Ok(Arc::new(side))));
        let places = awaited.into_iter().map(|(asset, away)| (asset, Err(away))).chain(here);
        Sides(
            places
                .map(|(asset, place)| (asset, watch::Sender::new(place)))
                .collect(),
        )
    }

    pub(super) fn get(&self, asset: Asset) -> Result<Arc<Side>, Absence> {
        let place = self.0.get(&asset).ok_or(Absence::NotConfigured)?;
        place.borrow().clone().map_err(Absence::Awaited)
    }

    /// Every chain that is there.
    pub(super) fn here(&self) -> impl Iterator<Item = Arc<Side>> {
        self.0.values().filter_map(|place| place.borrow().clone().ok())
    }

    /// Whether an asset's chain is configured.
    pub(super) fn has(&self, asset: Asset) -> bool {
        self.0.contains_key(&asset)
    }

    pub(super) fn configured(&self) -> impl Iterator<Item = Asset> {
        self.0.keys().copied()
    }

    /// A chain, once its node has answered; None: it is not configured.
    pub(super) async fn once_here(&self, asset: Asset) -> Option<Arc<Side>> {
        let mut place = self.0.get(&asset)?.subscribe();
        let here = place.wait_for(Result::is_ok).await.ok()?;
        here.clone().ok()
    }

    fn put(&self, asset: Asset, place: Place) {
        if let Some(known) = self.0.get(&asset) {
            drop(known.send_replace(place));
        }
    }
}

impl Shared {
    /// The chain of an asset; None: it is not configured, or its node has not answered yet.
    pub(super) fn side(&self, asset: Asset) -> Option<Arc<Side>> {
        self.sides.get(asset).ok()
    }
}

impl Engine {
    /// The chain and wallet of an asset.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn side(&self, asset: Asset) -> Result<Arc<Side>, Absence> {
        self.shared.sides.get(asset)
    }

    /// The assets whose chains are configured.
    pub fn configured(&self) -> impl Iterator<Item = Asset> {
        self.shared.sides.configured()
    }

    /// Takes in a chain that was awaited: its swaps go on. Must be called within a runtime.
    ///
    /// # Errors
    /// The database belongs to another chain of that asset, or does not store that it belongs to this one.
    pub fn join(&self, asset: Asset, joining: Side) -> Result<(), StoreError> {
        let bound = self.shared.store.bind_chain(asset, joining.info().genesis);
        if let Err(failure) = &bound
            && failure.is_final()
        {
            self.shared
                .fail(format!("a chain that joins could not be stored: {failure}"));
        }
        bound?;
        let joining = Arc::new(joining);
        self.shared.sides.put(asset, Ok(joining.clone()));
        self.shared.run(side::look_after(self.shared.clone(), joining));
        self.shared.peers.poll_now();
        Ok(())
    }

    /// Notes for what of a chain is still waited, and why.
    pub fn still_awaits(&self, asset: Asset, backend: &str, reason: &str) {
        if let Err(Absence::Awaited(before)) = self.shared.sides.get(asset) {
            let awaited = Awaited {
                backend: backend.into(),
                reason: reason.into(),
                ..before
            };
            self.shared.sides.put(asset, Err(awaited));
        }
    }
}
