//! `swap_bump`: a transaction gets into a block sooner.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::{Service, broken};
use crate::api::bump::{Plan, Scene, plan};
use crate::api::error::ApiError;
use crate::api::types::{BumpAnswer, BumpRequest};
use crate::swap::fees::{Bumped, Wish};
use crate::swap::state::Claim;
use crate::swap::{Maker, State, Swap};
use crate::units::{FeeRate, SwapId};

/// How long the answer waits for the new transaction: the wallet signs in less.
const PATIENCE: Duration = Duration::from_secs(10);

impl Service {
    pub(super) async fn bump(&self, request: &BumpRequest) -> Result<BumpAnswer, ApiError> {
        let swap_id = request.swap_id;
        let wish = Wish {
            rate: request.fee_rate_sat_per_kvb.map(FeeRate),
        };
        let before = self.known(swap_id)?;
        let (plan, discounted) = self.plan(&before, wish).await?;
        let mut changes = self.engine()?.changes();
        let told = self.engine()?.bump(swap_id, wish).await.map_err(broken)?;
        let (_, mut after) = told.ok_or(ApiError::UnknownSwap { swap_id })?;
        let made = async {
            while after.is_bumping() {
                match changes.recv().await {
                    Ok(_) | Err(RecvError::Lagged(_)) => after = self.known(swap_id)?,
                    Err(RecvError::Closed) => break,
                }
            }
            Ok::<(), ApiError>(())
        };
        // Without an answer in time the wish stands all the same.
        timeout(PATIENCE, made).await.unwrap_or(Ok(()))?;
        let newest = after
            .newest_version()
            .filter(|newest| Some(*newest) != before.newest_version());
        if newest.is_none() && !after.is_bumping() {
            return Err(refused(swap_id));
        }
        self.answer(&after, plan, newest, discounted)
    }

    async fn plan(&self, swap: &Arc<Swap>, wish: Wish) -> Result<(Plan, bool), ApiError> {
        let side = self.side(swap.terms.asset)?;
        let trail = self.engine()?.store().trail(swap.id).map_err(broken)?;
        let rates = side.chain.fee_rates().await;
        let discounted = side.info().discount;
        let scene = Scene {
            swap,
            trail: &trail,
            tip: self.engine()?.tip(swap.terms.asset),
            rates: rates.map_err(|error| ApiError::from_port(&format!("{} chain", swap.terms.asset), error))?,
            discounted,
        };
        Ok((plan(&scene, wish)?, discounted))
    }

    fn answer(
        &self,
        swap: &Swap,
        plan: Plan,
        newest: Option<&Claim>,
        discounted: bool,
    ) -> Result<BumpAnswer, ApiError> {
        let pays = match (&swap.state, newest) {
            (_, None) => None,
            (State::Maker(_, Maker::Opened(opened)), Some(_)) => Some(opened.pays()),
            (_, Some(newest)) => Some(newest.cost),
        };
        let (new_fee, new_rate) = pays.map_or(plan.next, |cost| (cost.fee, cost.rate(discounted)));
        let (paid_fee, paid_rate) = plan.paid;
        let what = match plan.transaction {
            Bumped::Opening => "the opening is pushed by a child",
            Bumped::Claim => "the claim is replaced",
            Bumped::Refund => "the refund is replaced",
            Bumped::Void => "the spend of the opening's coins back to ourselves is replaced",
        };
        let explanation = format!(
            "{what}: {} sat ({new_rate}) instead of {} sat ({paid_rate}), at most {} sat may be paid now",
            new_fee.to_sat(),
            paid_fee.to_sat(),
            plan.ceiling.to_sat()
        );
        Ok(BumpAnswer {
            swap_id: swap.id,
            transaction: plan.transaction,
            txid: plan.txid,
            paid_fee_sat: paid_fee.to_sat(),
            paid_rate_sat_per_kvb: paid_rate.0,
            new_txid: newest.map(|newest| newest.txid),
            new_fee_sat: new_fee.to_sat(),
            new_rate_sat_per_kvb: new_rate.0,
            ceiling_sat: plan.ceiling.to_sat(),
            explanation,
            swap: self.view(swap)?,
        })
    }
}

fn refused(swap_id: SwapId) -> ApiError {
    ApiError::NotBumpable {
        swap_id,
        reason: "the wallet or the chain's node did not make another version; the daemon's log says why".into(),
    }
}
