//! What is explored: the machine's two functions as data, so that a mutation can take their place; what must hold of
//! them; and their answers, each asked for once.

use std::fmt;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use sluice::swap::event::Event;
use sluice::swap::state::{Abandon, Maker, Outcome, State, Swap, Taker};
use sluice::swap::{Effect, Now, Outgoing, Step};

use crate::fixtures::effect_name;
use crate::seen::{Seen, event};

/// What must hold in every reachable state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// An honest side never ends poorer than the rules say: who paid has the coins, who opened is paid or has the coins
    /// back, and no end is declared before the chain has made it final.
    NeverPoorer,
    /// Nobody's key leaves, and no refund goes out, while a payment may exist.
    NoKeyWhilePaying,
    /// A hash has at most one HTLC: no attempt begins before the end of the one before it is certain.
    OneHtlc,
    /// A payment begins only within the payment window.
    PaidInTime,
    /// Nothing reaches the network, the node or the peer that the committed state does not want and know of.
    CommittedFirst,
    /// From every state a closed one can be reached by what the daemon does and what comes by itself: without the peer,
    /// the operator or luck, and whatever they do.
    CanEnd,
    /// No state wants two things of which one undoes the other.
    NoContradiction,
}

impl Invariant {
    pub const ALL: [Invariant; 7] = [
        Invariant::NeverPoorer,
        Invariant::NoKeyWhilePaying,
        Invariant::OneHtlc,
        Invariant::PaidInTime,
        Invariant::CommittedFirst,
        Invariant::CanEnd,
        Invariant::NoContradiction,
    ];

    /// In one line.
    pub fn words(self) -> &'static str {
        match self {
            Invariant::NeverPoorer => "no honest side is poorer than the rules say, nor ends before the chain is final",
            Invariant::NoKeyWhilePaying => "no key leaves and no refund goes out while a payment may exist",
            Invariant::OneHtlc => "a hash has at most one HTLC",
            Invariant::PaidInTime => "a payment begins only within the payment window",
            Invariant::CommittedFirst => "nothing is done that is not committed",
            Invariant::CanEnd => "an end can be reached without the peer, the operator or luck",
            Invariant::NoContradiction => "no state wants two things of which one undoes the other",
        }
    }
}

/// What was seen, and which invariant it breaks.
#[derive(Debug, Clone)]
pub struct Violation {
    pub of: Invariant,
    pub what: String,
}

impl Violation {
    pub fn new(of: Invariant, what: impl Into<String>) -> Violation {
        let what = what.into();
        Violation { of, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.of, self.what)
    }
}

/// The machine, and in which order the driver commits and acts.
#[derive(Clone, Copy)]
pub struct Rules {
    pub step: fn(&Swap, Now, &Event) -> Step,
    pub wants: fn(&Swap) -> Vec<Effect>,
    /// What a state wants is done before that state is committed.
    pub acts_first: bool,
}

/// What is shipped.
pub const SHIPPED: Rules = Rules {
    step: sluice::swap::step,
    wants: sluice::swap::wants,
    acts_first: false,
};

/// A swap that has been met.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Id(u32);

struct Met {
    swap: Rc<Swap>,
    wants: Rc<[Effect]>,
    contradiction: Option<(&'static str, &'static str)>,
    /// What it becomes.
    steps: FxHashMap<(Now, Seen), Id>,
}

/// The rules' answers. Worlds are many, swaps are few: a world holds its swap's number.
pub struct Machine {
    rules: Rules,
    met: Vec<Met>,
    ids: FxHashMap<Rc<Swap>, Id>,
}

impl Machine {
    pub fn new(rules: Rules) -> Machine {
        let (met, ids) = (Vec::new(), FxHashMap::default());
        Machine { rules, met, ids }
    }

    pub fn id(&mut self, mut swap: Swap) -> Id {
        forget_reasons(&mut swap.state);
        let swap = Rc::new(swap);
        if let Some(id) = self.ids.get(&swap) {
            return *id;
        }
        let id = Id(u32::try_from(self.met.len()).unwrap());
        let wants: Rc<[Effect]> = (self.rules.wants)(&swap).into();
        self.met.push(Met {
            swap: swap.clone(),
            contradiction: contradiction(&wants),
            wants,
            steps: FxHashMap::default(),
        });
        self.ids.insert(swap, id);
        id
    }

    pub fn swap(&self, id: Id) -> Rc<Swap> {
        self.met[id.0 as usize].swap.clone()
    }

    pub fn wants(&self, id: Id) -> Rc<[Effect]> {
        self.met[id.0 as usize].wants.clone()
    }

    pub fn acts_first(&self) -> bool {
        self.rules.acts_first
    }

    /// How many swaps have been met.
    pub fn swaps(&self) -> usize {
        self.met.len()
    }

    pub fn step(&mut self, id: Id, now: Now, seen: Seen) -> Id {
        if let Some(next) = self.met[id.0 as usize].steps.get(&(now, seen)) {
            return *next;
        }
        let swap = self.swap(id);
        let next = match (self.rules.step)(&swap, now, &event(&swap, seen)) {
            Step::Stay => id,
            Step::To(next) => self.id(*next),
        };
        self.met[id.0 as usize].steps.insert((now, seen), next);
        next
    }

    pub fn contradicts_itself(&self, id: Id) -> Result<(), Violation> {
        self.met[id.0 as usize].contradiction.map_or(Ok(()), |(first, second)| {
            let what = format!("wants to {first} and to {second}");
            Err(Violation::new(Invariant::NoContradiction, what))
        })
    }

    /// Whether a deal that was made is within what was asked for.
    pub fn keeps_its_terms(&self, id: Id) -> Result<(), Violation> {
        let swap = self.swap(id);
        let is_dear = swap.deal().is_some_and(|deal| deal.premium > swap.terms.premium_limit);
        if is_dear {
            return Err(Violation::new(Invariant::NeverPoorer, "the premium is above the limit"));
        }
        Ok(())
    }

    /// Whether what is done is wanted by what is committed, too.
    pub fn is_committed(&self, running: Id, committed: Id, effect: &Effect) -> bool {
        running == committed || self.wants(committed).contains(effect)
    }
}

/// What no state may want together: to pay and to give the key or to look at a call that is still open; to put an
/// opening into the chain and to keep it out, or to say that nothing comes of it; to sell the opening and to take it
/// back; to take it back, and to wait until that is allowed.
const CONTRADICTIONS: [(&str, &str); 14] = [
    ("pay claim", "pay claim"),
    ("pay claim", "send coop_close"),
    ("pay claim", "watch claim payment"),
    ("pay claim", "send cancel"),
    ("make claim by preimage", "send coop_close"),
    ("broadcast claim", "send coop_close"),
    ("broadcast opening", "broadcast void"),
    ("broadcast opening", "make void"),
    ("broadcast opening", "send cancel"),
    ("send opening", "make void"),
    ("send opening", "broadcast void"),
    ("send opening", "broadcast claim"),
    ("send opening", "cancel invoice"),
    ("cancel invoice", "broadcast claim"),
];

/// Two wants of which one undoes the other.
fn contradiction(wants: &[Effect]) -> Option<(&'static str, &'static str)> {
    let names: Vec<String> = wants.iter().map(effect_name).collect();
    let count = |name: &str| names.iter().filter(|wanted| *wanted == name).count();
    let clash = |(first, second): &(&str, &str)| {
        let least = usize::from(first == second);
        count(first) > least && count(second) > 0
    };
    CONTRADICTIONS.into_iter().find(clash)
}

/// The same state without the words that tell why: they change nothing, and there are many.
fn forget_reasons(state: &mut State) {
    match state {
        State::Canceling { reason, .. }
        | State::Taker(_, Taker::AbandoningPayment { reason, .. } | Taker::CoopClosing { reason, .. })
        | State::Taker(
            _,
            Taker::PayingFee {
                cancel: Some(Abandon { reason, .. }),
                ..
            },
        )
        | State::Closed(
            Outcome::CoopClosed { reason }
            | Outcome::Canceled { reason, .. }
            | Outcome::GivenUp { reason }
            | Outcome::Lost { reason },
        ) => reason.clear(),
        State::Maker(_, Maker::Voiding(voiding)) => {
            voiding.reason.clear();
            voiding.hindrance = None;
        }
        State::Requested { .. } | State::Maker(..) | State::Taker(..) | State::Closed(_) => {}
    }
}

/// Whether our key leaves.
pub fn gives_key(effects: &[Effect]) -> bool {
    sends_key(effects, |_| true)
}

/// Whether our key leaves again and again.
pub fn keeps_giving_key(effects: &[Effect]) -> bool {
    sends_key(effects, |repeat| repeat)
}

fn sends_key(effects: &[Effect], how: fn(bool) -> bool) -> bool {
    effects.iter().any(|effect| match effect {
        Effect::Send {
            message: Outgoing::CoopClose(_),
            repeat,
        } => how(*repeat),
        _ => false,
    })
}
